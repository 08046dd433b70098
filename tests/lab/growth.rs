//! A host more, a host less: VMs stay where they are, and run on.

use std::time::Duration;

use crate::{
    fleet::{SMALL, host, inventory, nodes, one_network, peers},
    stage::{Stage, apart_with, eventually},
};

/// What would show that something was restarted: domains' ids, services' processes, the tunnel's index.
fn at_work(stage: &Stage) -> Vec<String> {
    let source = "virsh -q list --all; ip -o link show vxlan0 | cut -d: -f1; \
                  systemctl show -p MainPID,ActiveEnterTimestampMonotonic ocp2-ocp-dns ocp2-ocp-balancer";
    ["bm1", "bm2"].iter().map(|host| stage.at(host, source).succeeds().stdout).collect()
}

/// Returns each VM's host, by its name.
fn placed(stage: &Stage, inventory: &str) -> Vec<String> {
    let vms = stage.ocp2(&["vms", "list", "-o", "json", inventory]).succeeds().json();
    let text = |vm: &serde_json::Value, key: &str| vm[key].as_str().unwrap().to_owned();
    let shown =
        |vm| format!("{} {} {} {}", text(vm, "name"), text(vm, "host"), text(vm, "ip"), text(vm, "state"));
    vms.as_array().unwrap().iter().map(shown).collect()
}

const ON_TWO: [&str; 3] = [
    "master0 bm1 192.168.139.10 running",
    "master1 bm2 192.168.139.11 running",
    "master2 bm1 192.168.139.12 running",
];

#[test]
fn hosts_join_and_leave_and_no_vm_moves() {
    let stage = apart_with("grow", &["--hosts", "3"]);
    let hosts = [1, 2, 3].map(|n| host(&stage, n));
    let until = |inventory: &str| stage.ocp2(&["up", "--until", "machines", inventory]);
    let two = inventory(&stage, "ocp", &hosts[..2], &nodes(3, 0));
    until(&two).succeeds();
    assert_eq!(placed(&stage, &two), ON_TWO);
    let before = at_work(&stage);

    // Derived afresh, master2 would be the third host's.
    let three = inventory(&stage, "ocp", &hosts, &nodes(3, 0));
    let plan = stage.ocp2(&["plan", "--until", "machines", "-o", "json", &three]).succeeds().json();
    let domains = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["resource"].as_str().unwrap().starts_with("domain"));
    assert_eq!(domains.count(), 0, "{plan:#}");
    until(&three).succeeds();
    assert_eq!(placed(&stage, &three), ON_TWO);
    assert_eq!(at_work(&stage), before, "something on the two hosts was restarted");
    for (this, others) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
        assert_eq!(peers(&stage, this, "vxlan0"), others.map(|other| format!("192.0.2.1{other}")));
    }
    one_network(&stage, &[1, 2, 3], ("br-vm", "192.168.139"), 1400);
    let ping = "standin-ping --df --size 1400 192.168.139.3";
    eventually(Duration::from_secs(300), || stage.inside("bm2", "192.168.139.11", ping));
    stage.ocp2(&["plan", "--check", "--until", "machines", &three]).succeeds();

    let moved = format!(
        "nodes: {{masters: {{{SMALL}, items: [{{name: master2, host: bm3}}]}}, workers: {{count: 0}}}}"
    );
    let moved = inventory(&stage, "ocp", &hosts, &moved);
    until(&moved).ends(3).says("master2 is on bm1, and").says("say `host: bm1`");

    // A new node goes to the new host, where nothing is yet.
    let more = inventory(&stage, "ocp", &hosts, &nodes(3, 1));
    until(&more).succeeds();
    let with_worker = placed(&stage, &more);
    assert_eq!(with_worker[..3], ON_TWO);
    assert_eq!(with_worker[3], "worker0 bm3 192.168.139.13 running");
    assert_eq!(at_work(&stage), before, "something on the two hosts was restarted");

    // Without the new host its node has no home, and is not silently made anew.
    let without = inventory(&stage, "ocp", &hosts[..2], &nodes(3, 1));
    until(&without).ends(3).says("worker0 was made on bm3");
    assert_eq!(at_work(&stage), before);
    let without = inventory(&stage, "ocp", &hosts[..2], &nodes(3, 0));
    until(&without).succeeds().says("bm3 was a host of this cluster").says("ocp2 down");
    assert_eq!(placed(&stage, &without), ON_TWO);
    assert_eq!(at_work(&stage), before, "something on the two hosts was restarted");
    assert_eq!(peers(&stage, 1, "vxlan0"), ["192.0.2.12"]);
    let rules = stage.at("bm1", "nft list table inet ocp2_ocp").succeeds().stdout;
    assert!(rules.contains("192.0.2.12") && !rules.contains("192.0.2.13"), "{rules}");
    one_network(&stage, &[1, 2], ("br-vm", "192.168.139"), 1400);
    let again = stage.ocp2(&["plan", "--check", "--until", "machines", &without]).succeeds();
    assert!(!again.stderr.contains("bm3"), "{}", again.stderr);

    // What is left on the third host goes as the warning said.
    let left = inventory(&stage, "ocp", &hosts[2..], &nodes(3, 0));
    stage.ocp2(&["down", "--yes", &left]).succeeds().shows("is gone");
    stage.at("bm3", "test ! -e /sys/class/net/br-vm && test -z \"$(virsh -q list --all)\"").succeeds();

    // From nothing, three masters take a host each.
    stage.ocp2(&["down", "--yes", &without]).succeeds();
    let fresh = inventory(&stage, "ocp", &hosts, &nodes(3, 0));
    until(&fresh).succeeds();
    assert_eq!(placed(&stage, &fresh), [ON_TWO[0], ON_TWO[1], "master2 bm3 192.168.139.12 running"]);
}
