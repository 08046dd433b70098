//! Which inventory it is, and what is said of one that is wrong.

use std::fs;

use super::{Desk, assert_snapshot, shown};

#[test]
fn an_inventory_that_is_not_there_is_no_riddle() {
    let desk = Desk::new();
    for line in [&["plan", "nowhere.yaml"][..], &["render", "overlay", "-i", "nowhere.yaml"]] {
        let outcome = desk.ocp2(line);
        assert_eq!(outcome.status, 3);
        assert_snapshot("inventory-not-there", &shown(&outcome));
    }
}

#[test]
fn the_inventory_is_found_where_it_is_said_to_be() {
    let desk = Desk::new();
    let named = |cluster: &str| {
        fs::read_to_string(desk.path("inventory.yaml"))
            .unwrap()
            .replace("name: ocp", &format!("name: {cluster}"))
    };
    desk.write("by-variable.yaml", &named("variable")).write("by-option.yaml", &named("option"));
    let name = |arguments: &[&str], variable: &str| {
        let outcome = desk.ocp2_with(
            &[&["render", "pool", "--host", "bm1"], arguments].concat(),
            &[("OCP2_INVENTORY", variable)],
        );
        assert_eq!(outcome.status, 0, "{outcome:#?}");
        let (_, rest) = outcome.stdout.split_once("<name>ocp2-").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    assert_eq!(name(&[], ""), "ocp");
    assert_eq!(name(&[], "by-variable.yaml"), "variable");
    assert_eq!(name(&["-i", "by-option.yaml"], "by-variable.yaml"), "option");
    assert_eq!(name(&["--inventory=by-option.yaml"], ""), "option");
}

/// An inventory with two things wrong, one of them a secret in the wrong place.
fn wrong(desk: &Desk) -> &Desk {
    let text = fs::read_to_string(desk.path("inventory.yaml")).unwrap();
    let text = text.replace("nic: ens34f0\n  - name: bm2", "nick: ens34f0\n  - name: bm2");
    desk.write("wrong.yaml", &text.replace("version: 4.18.30", "version: four"))
}

#[test]
fn a_wrong_inventory_is_shown_with_its_places() {
    let desk = Desk::new();
    let outcome = wrong(&desk).ocp2(&["plan", "wrong.yaml"]);
    assert_eq!(outcome.status, 3);
    // Line and column, and a mark below the place itself.
    for sign in ["wrong.yaml:6:12", "wrong.yaml:12:5", "· ", "──"] {
        assert!(outcome.stderr.contains(sign), "{sign} is not in\n{}", outcome.stderr);
    }
    assert_snapshot("inventory-wrong", &shown(&outcome));
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let desk = Desk::new();
    // The last line and the picture of the place agree.
    let coloured = |text: &str| {
        let [first, last] =
            ["×", "error:"].map(|sign| text.lines().any(|line| line.contains(sign) && line.contains('\x1b')));
        assert_eq!(first, last, "{text:?}");
        first
    };
    let plan = ["plan", "wrong.yaml"];
    wrong(&desk);
    assert!(!coloured(&desk.ocp2(&plan).stderr));
    assert!(coloured(&desk.ocp2(&[&plan[..], &["--color", "always"]].concat()).stderr));
    assert!(coloured(
        &desk.ocp2_with(&[&plan[..], &["--color", "always"]].concat(), &[("NO_COLOR", "1")]).stderr
    ));
    assert!(coloured(&desk.ocp2_on_a_terminal("plan wrong.yaml", "")));
    assert!(!coloured(&desk.ocp2_on_a_terminal("plan wrong.yaml", "NO_COLOR=1")));
    assert!(!coloured(&desk.ocp2_on_a_terminal("plan wrong.yaml --color never", "")));
    // no-color.org: set to nothing it is not set.
    assert!(coloured(&desk.ocp2_on_a_terminal("plan wrong.yaml", "NO_COLOR=")));
}
