//! Hosts without any of the packages: `up` installs them, `down --packages` takes them away again.

use crate::{drift::Drift, stage::apart_with};

#[test]
fn up_installs_what_is_missing_and_starts_nothing_of_the_packages_own() {
    let stage = apart_with("bare", &["--bare"]);
    let inventory = stage.inventory("bare.yaml", &[]);
    let installed = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' haproxy libvirt-daemon-system qemu-system-x86 2>/dev/null | grep -c ' installed'";
    stage.at("bm1", installed).ends(1).shows("0");

    let until = ["--until", "balancer", inventory.as_str()];
    stage.ocp2(&[&["up"], &until[..]].concat()).succeeds().says("packages: install");
    stage.at("bm1", installed).succeeds().shows("3");
    // Ours runs, the package's own service does not.
    stage.at("bm1", "systemctl is-active ocp2-ocp-balancer").succeeds();
    stage.at("bm1", "systemctl is-active haproxy").ends(3);
    let again = stage.ocp2(&[&["up", "-o", "json"], &until[..]].concat()).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");

    let removed = Drift::new("apt-get remove -y -q haproxy", "packages", "install haproxy");
    removed.is_named_and_mended_alone(&stage, &until);
    // The balancer ran on without its program's file, and is no other process now.
    stage.at("bm1", "systemctl is-active ocp2-ocp-balancer && ! systemctl is-active -q haproxy").succeeds();
    let purged = Drift::new("dpkg --purge --force-depends qemu-utils", "packages", "install qemu-utils");
    purged.is_named_and_mended_alone(&stage, &until);

    stage.ocp2(&["down", "--yes", "--packages", &inventory]).succeeds();
    stage.at("bm1", installed).ends(1).shows("0");
}
