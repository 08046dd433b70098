//! From when on the installer's inputs are frozen: from a VM's first boot, and not from the attempt at one.

use crate::{
    fleet::{host, inventory, nodes},
    stage::apart,
};

/// A hook of libvirt's that lets no VM start.
const NO_START: &str = "mkdir -p /etc/libvirt/hooks && cd /etc/libvirt/hooks && \
    printf '#!/bin/sh\\n[ \"$2\" != prepare ] || { echo not today >&2; exit 1; }\\n' > qemu && chmod 755 qemu && \
    systemctl restart libvirtd";

#[test]
fn a_first_start_that_fails_freezes_nothing_and_one_that_succeeds_does() {
    let stage = apart("first");
    let hosts = [host(&stage, 1)];
    let before = inventory(&stage, "ocp", &hosts, &nodes(1, 0));
    let rest = format!("network: {{ntp: [192.0.2.123]}}\n{}", nodes(1, 0));
    let now = inventory(&stage, "ocp", &hosts, &rest);
    let up = |inventory: &str| stage.ocp2(&["up", "--until", "machines", inventory]);
    let plan = |inventory: &str| stage.ocp2(&["plan", "--until", "machines", inventory]);
    let frozen = "changed after the installation has begun";

    stage.at("bm1", NO_START).succeeds();
    up(&before).ends(5).says("not today");
    stage
        .at("bm1", "test ! -e /var/lib/ocp2/ocp/begun && virsh -q domstate ocp-master0")
        .succeeds()
        .shows("shut off");
    stage.at("bm1", "rm /etc/libvirt/hooks/qemu && systemctl restart libvirtd").succeeds();
    let changed = plan(&now).succeeds();
    assert!(!changed.stdout.contains(frozen), "{}", changed.stdout);
    up(&now).succeeds();
    stage
        .at("bm1", "grep -q 192.0.2.123 /var/lib/ocp2/ocp/inputs && test -s /var/lib/ocp2/ocp/begun")
        .succeeds();
    stage.ocp2(&["plan", "--check", "--until", "machines", &now]).succeeds();

    // It has booted now.
    plan(&before).succeeds().shows(frozen);
    // A run that was cut off between the start and the mark has left a VM that runs.
    stage.at("bm1", "rm /var/lib/ocp2/ocp/begun").succeeds();
    plan(&before).succeeds().shows(frozen);
    let again =
        stage.ocp2(&["up", "--until", "machines", "-o", "json", &before]).succeeds().says(frozen).json();
    assert_eq!(again["changed"], 1, "{again}");
    stage.at("bm1", "cd /var/lib/ocp2/ocp && cmp begun image.json && grep -q 192.0.2.123 inputs").succeeds();
}
