//! What ocp2 does to a kernel, done to one: boot script, changes, drift, and taking it all down.
//!
//! A host of every inventory gets a machine of its own (see [`crate::programs::Machine`]). The real probe
//! tells what is there, as it does over SSH.

mod advertised;
mod boot;
mod strangers;
mod undoing;
mod unknown;
mod walls;

use std::collections::BTreeSet;

use ocp2::{
    bringup,
    resource::{Change, Facts, Resource, Scope},
};

use crate::{
    inventories,
    wanted::{Wanted, on_a_host_of_each, source},
};

/// Tells whether a resource can be had where neither systemd nor libvirt runs.
fn needs_only_a_kernel(resource: &Resource) -> bool {
    matches!(
        resource,
        Resource::File(_)
            | Resource::Bridge(_)
            | Resource::Vxlan(_)
            | Resource::Peers(_)
            | Resource::Setting(_)
            | Resource::NftTable(_)
    )
}

#[test]
fn after_the_changes_the_probe_finds_nothing_to_change() {
    on_a_host_of_each(|wanted| {
        let questions = bringup::questions(&wanted.cluster, wanted.host).unwrap();
        let probe = questions.script(Scope::Whole);
        let done = wanted
            .machine_with_files()
            .step("before", probe.source())
            .step("changes", &wanted.source(needs_only_a_kernel))
            .step("after", probe.source())
            .run();
        assert_eq!(done.outcome("changes").status, 0, "{:#?}", done.outcome("changes"));
        let facts = |step| Facts::read(&done.outcome(step).stdout).unwrap();
        let (before, after) = (facts("before"), facts("after"));
        let chosen = || wanted.resources.iter().filter(|resource| needs_only_a_kernel(resource));
        let changes = |facts| chosen().flat_map(move |resource| resource.changes(facts).unwrap());
        // The files are there before; what the kernel has is not.
        assert!(changes(&before).count() > 5, "{before:#?}");
        let left: Vec<Change> = changes(&after).collect();
        assert!(left.is_empty(), "{left:#?}\n{after:#?}");
    });
}

/// What a tired administrator might do, and what the plan calls it.
const DRIFT: &[(&str, &str)] = &[
    ("ip link set dev br-vm mtu 1500", "bridge br-vm: mtu 1500 → 1400"),
    (
        "ip link set dev vxlan0 nomaster mtu 1450",
        "vxlan vxlan0: bridge nothing → br-vm, mtu 1450 → 1400, learning off → on",
    ),
    ("ip link set dev vxlan0 type vxlan id 39 nolearning", ""),
    ("bridge fdb delete 00:00:00:00:00:00 dev vxlan0 dst 192.168.0.24", "peer 192.168.0.24 of vxlan0: add"),
    (
        "bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.168.0.99",
        "peer 192.168.0.99 of vxlan0: remove",
    ),
    ("echo 0 > /proc/sys/net/ipv4/ip_forward", "setting net.ipv4.ip_forward: 0 → 1"),
    ("echo 1 > /proc/sys/net/ipv4/conf/vxlan0/rp_filter", "setting net.ipv4.conf.vxlan0.rp_filter: 1 → 2"),
    ("nft flush chain inet ocp2_ocp forward", "nftables table inet ocp2_ocp: mend what was changed by hand"),
    ("echo '# mine' >> /etc/ocp2/ocp/haproxy.cfg", "file /etc/ocp2/ocp/haproxy.cfg: content"),
    ("chmod 600 /etc/ocp2/ocp/hosts", "file /etc/ocp2/ocp/hosts: mode 600 → 644"),
    ("rm /etc/ocp2/ocp/guests.sh", "file /etc/ocp2/ocp/guests.sh: create"),
];

#[test]
fn what_is_changed_by_hand_is_named_and_mended() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let probe = bringup::questions(&cluster, 0).unwrap().script(Scope::Whole);
    let drift: Vec<&str> = DRIFT.iter().map(|(command, _)| *command).collect();
    let drifted = || {
        wanted
            .machine_with_files()
            .step("changes", &wanted.source(needs_only_a_kernel))
            .step("drift", &drift.join("\n"))
            .step("drifted", probe.source())
    };
    let changes = |answer: &str| -> Vec<Change> {
        let facts = Facts::read(answer).unwrap();
        let resources = wanted.resources.iter().filter(|resource| needs_only_a_kernel(resource));
        resources.flat_map(|resource| resource.changes(&facts).unwrap()).collect()
    };
    let done = drifted().run();
    assert_eq!(done.outcome("drift").quiet("the drift"), "");
    let found = changes(&done.outcome("drifted").stdout);
    let named: BTreeSet<String> =
        found.iter().map(|change| format!("{}: {}", change.resource, change.summary)).collect();
    let expected = DRIFT.iter().map(|(_, name)| (*name).to_owned()).filter(|name| !name.is_empty());
    assert_eq!(named, expected.collect());

    let mending: String = found.iter().map(source).collect();
    let done = drifted().step("mending", &mending).step("mended", probe.source()).run();
    assert_eq!(done.outcome("mending").status, 0, "{:#?}", done.outcome("mending"));
    let left = changes(&done.outcome("mended").stdout);
    assert!(left.is_empty(), "{left:#?}");
}
