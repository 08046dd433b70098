//! Inventories that are wrong, and what is said about each: one YAML file a case.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fake;

use std::{fmt::Write as _, path::Path};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use ocp2::{
    cluster::{assume, resolve},
    inventory::{Disk, LoadError, STARTER, load},
};
use proptest::{prelude::*, sample::select};

/// Returns what a user sees, without colour.
fn shown(error: &dyn Diagnostic) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(110);
    handler.render_report(&mut text, error).unwrap();
    text
}

fn outcome(text: &str) -> String {
    let loaded = match fake::load(text) {
        Ok(loaded) => loaded,
        Err(error) => return shown(&error),
    };
    match resolve(&loaded, &assume(&loaded.inventory).underlays) {
        Err(problems) => format!("(only once resolved)\n{}", shown(&problems)),
        Ok(resolved) => resolved.warnings.iter().fold(String::new(), |mut text, warning| {
            writeln!(text, "warning: {warning}").unwrap();
            text
        }),
    }
}

#[test]
fn every_wrong_inventory_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inventory");
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() > 20);
    for case in cases {
        let outcome = outcome(&std::fs::read_to_string(&case).unwrap());
        assert!(!outcome.contains("hunter2"), "{} shows a secret:\n{outcome}", case.display());
        let name = case.file_stem().unwrap().to_string_lossy().into_owned();
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "snapshots/inventory", omit_expression => true }, {
            insta::assert_snapshot!(name, outcome);
        });
    }
}

#[test]
fn every_problem_has_a_place() {
    let error = fake::load(include_str!("inventory/types.yaml")).unwrap_err();
    let LoadError::Invalid(problems) = error else { panic!("{error}") };
    let places: Vec<_> = problems.list().iter().map(|p| (p.position(), p.field.as_str())).collect();
    assert!(places.contains(&((3, 9), "cluster.name")), "{places:?}");
    assert!(places.contains(&((28, 11), "nodes.masters.disk")), "{places:?}");
    assert!(places.is_sorted());
}

proptest! {
    #[test]
    fn whatever_is_in_the_file_is_answered(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), slip()), 1..6),
    ) {
        let mut text = include_str!("installer_inputs/everything.yaml").to_owned();
        for (start, len, slip) in edits {
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
            let start = start.index(places.len());
            let end = (start + len.index(12)).min(places.len() - 1);
            text.replace_range(places[start]..places[end], slip);
        }
        if let Err(LoadError::Invalid(problems)) = fake::load(&text) {
            prop_assert!(!problems.list().is_empty());
            let lines = text.lines().count() + 1;
            for problem in problems.list() {
                prop_assert!(problem.position().0 <= lines, "{problem} {:?}", problem.position());
            }
            prop_assert!(!shown(&problems).is_empty());
        }
    }
}

fn slip() -> impl Strategy<Value = &'static str> {
    select(vec![
        "",
        " ",
        "\n",
        "\t",
        ":",
        "-",
        "é",
        "•",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "&a ",
        "*a",
        "<<: *a",
        "!!int ",
        "#",
        "null",
        "0x10",
        "1e999",
        "\r\n",
        "|\n",
        "? ",
        "---\n",
        "\u{feff}",
        "name: bm1\n",
    ])
}

#[test]
fn anchors_merges_and_other_line_ends_read_as_yaml_says() {
    let text = "apiVersion: ocp2/v1\r\ncluster: {name: ocp, baseDomain: example.com, version: 4.18.30, \
                pullSecretFile: pull-secret.json, sshKeyFile: key.pub}\r\nhosts:\r\n  \
                - &one {name: bm1, ssh: root@192.168.0.23, nic: &nic ens34f0, underlay: &way {mtu: 9000}}\r\n  \
                - {<<: *one, name: bm2, ssh: root@192.168.0.24}\r\n  \
                - {name: bm3, ssh: root@192.168.0.25, nic: *nic, underlay: *way}\r\n";
    let loaded = fake::load(text).unwrap_or_else(|error| panic!("{}", shown(&error)));
    for host in &loaded.inventory.hosts {
        assert_eq!(host.nic.as_deref().map(String::as_str), Some("ens34f0"));
        assert_eq!(host.underlay.mtu.as_deref(), Some(&9000));
    }
}

#[test]
fn an_inventory_that_is_not_there_says_how_to_get_one() {
    let error = load(Path::new("/no/such/inventory.yaml"), None, &Disk).unwrap_err();
    assert!(matches!(error, LoadError::Unreadable { .. }));
    assert!(shown(&error).contains("ocp2 init"), "{}", shown(&error));
}

#[test]
fn the_starter_is_an_inventory() {
    let loaded = fake::load(STARTER).unwrap_or_else(|error| panic!("{}", shown(&error)));
    resolve(&loaded, &assume(&loaded.inventory).underlays).unwrap();
    // What it shows as defaults are the defaults: switched on, they change nothing.
    let switched_on: Vec<&str> = STARTER
        .lines()
        .map(|line| {
            let section = line.strip_prefix("# ").filter(|rest| {
                let keys = ["network:", "nodes:", "machines:", "install:"];
                keys.contains(rest) || (rest.starts_with("  ") && !rest.trim_start().starts_with('#'))
            });
            section.unwrap_or(line)
        })
        .collect();
    let switched_on = switched_on.join("\n");
    let defaults =
        fake::load(&switched_on).unwrap_or_else(|error| panic!("{}\n{switched_on}", shown(&error)));
    assert_eq!(
        format!("{:?}", resolve(&loaded, &assume(&loaded.inventory).underlays).unwrap().cluster),
        format!("{:?}", resolve(&defaults, &assume(&defaults.inventory).underlays).unwrap().cluster),
    );
}

#[test]
fn shipped_inventories_hold() {
    for name in ["two-hosts", "three-hosts", "compact"] {
        let loaded = fake::shipped(name);
        resolve(&loaded, &assume(&loaded.inventory).underlays)
            .unwrap_or_else(|error| panic!("{}", shown(&error)));
    }
}

#[test]
fn the_schema_knows_every_field() {
    let schema = ocp2::inventory::schema();
    let text = serde_json::to_string_pretty(&schema).unwrap();
    for word in ["\"machineNetwork\"", "\"additionalProperties\": false", "\"ocp2/v1\"", "The pods' network."]
    {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

#[test]
fn a_pool_is_spelled_in_one_way_or_refused_with_its_line() {
    let with = |pool: &str| format!("{STARTER}\nmachines: {{pool: {pool:?}}}\n");
    for (written, meant) in [
        ("/srv/vms/", "/srv/vms"),
        ("/srv//vms/./ocp", "/srv/vms/ocp"),
        ("/srv/VMs_1.0-a+b@c", "/srv/VMs_1.0-a+b@c"),
    ] {
        let loaded = fake::load(&with(written)).unwrap_or_else(|error| panic!("{}", shown(&error)));
        let cluster = resolve(&loaded, &assume(&loaded.inventory).underlays).unwrap().cluster;
        assert_eq!(cluster.machines.pool.display().to_string(), meant);
    }
    let line = with("/").lines().count();
    for pool in [
        "/srv/$(reboot)",
        "/srv/my vms",
        "/srv/a&b",
        "/srv/it's",
        "/srv/a*",
        "/srv/a\\b",
        "/srv/a;b",
        "/srv/a,b",
        "/srv/a\nb",
        "/srv/<a>",
        "/srv/ä",
        "/srv/../etc",
        "srv/vms",
        "/srv",
        "/",
        "",
    ] {
        let Err(error) = fake::load(&with(pool)) else { panic!("{pool:?} is taken") };
        let text = shown(&error);
        assert!(
            text.contains("machines.pool") && text.contains(&format!("inventory.yaml:{line}:")),
            "{text}"
        );
    }
}
