//! Hosts without any of the packages: `up` installs them, `down --packages` takes them away again.

use std::process::Command;

use crate::stage::{Run, ocp2, run, stage};

/// A lab of its own, for its hosts start from another root.
const LAB: &str = "ocp2bare";

fn lab(arguments: &[&str]) -> Run {
    run(Command::new(ocp2()).env("OCP2_LAB_NAME", LAB).arg("lab").args(arguments), "")
}

#[test]
fn up_installs_what_is_missing_and_starts_nothing_of_the_packages_own() {
    let stage = stage();
    let inventory = stage.inventory("bare.yaml", &[(&crate::stage::lab(), &format!("/var/lib/{LAB}"))]);
    let on_workstation = |arguments: &[&str]| {
        let program = ocp2();
        lab(&[&["exec", "workstation", "--", program.as_str()], arguments].concat())
    };
    let installed = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' haproxy libvirt-daemon-system qemu-system-x86 2>/dev/null | grep -c ' installed'";
    lab(&["down"]).succeeds();
    lab(&["up", "--bare"]).succeeds();
    lab(&["exec", "bm1", "--", "bash", "-c", installed]).ends(1).shows("0");

    on_workstation(&["up", "--until", "balancer", &inventory]).succeeds().says("packages: install");
    lab(&["exec", "bm1", "--", "bash", "-c", installed]).succeeds().shows("3");
    // Ours runs, the package's own service does not.
    lab(&["exec", "bm1", "--", "systemctl", "is-active", "ocp2-ocp-balancer"]).succeeds();
    lab(&["exec", "bm1", "--", "systemctl", "is-active", "haproxy"]).ends(3);
    let again = on_workstation(&["up", "--until", "balancer", "-o", "json", &inventory]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");

    on_workstation(&["down", "--yes", "--packages", &inventory]).succeeds();
    lab(&["exec", "bm1", "--", "bash", "-c", installed]).ends(1).shows("0");
    lab(&["down"]).succeeds();
}
