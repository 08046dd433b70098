//! More than two hosts: every one floods to every other, and one that is gone for good keeps nobody from leaving.

use std::thread;

use crate::{
    fleet::{host, inventory, nodes, one_network, peers},
    footprint::LISTING,
    stage::{Stage, apart_with},
};

const HOSTS: [u8; 5] = [1, 2, 3, 4, 5];

fn on_all<T: Send>(work: impl Fn(String) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let work = &work;
        let all: Vec<_> = HOSTS.iter().map(|n| scope.spawn(move || work(format!("bm{n}")))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn listings(stage: &Stage) -> Vec<String> {
    on_all(|host| stage.at(&host, LISTING).succeeds().stdout)
}

#[test]
fn five_hosts_are_one_network_and_are_left_one_by_one() {
    let stage = apart_with("five", &["--hosts", "5"]);
    // As clones of one image: what makes their links differ cannot be the machine's identity.
    on_all(|host| stage.at(&host, "echo 0123456789abcdef0123456789abcdef > /etc/machine-id").succeeds());
    let before = listings(&stage);
    let inventory = inventory(&stage, "ocp", &HOSTS.map(|n| host(&stage, n)), &nodes(3, 2));
    stage.ocp2(&["up", "--until", "balancer", &inventory]).succeeds();

    for this in HOSTS {
        let others = HOSTS.iter().filter(|other| **other != this);
        let expected: Vec<String> = others.map(|other| format!("192.0.2.1{other}")).collect();
        assert_eq!(peers(&stage, this, "vxlan0"), expected, "bm{this}");
    }
    one_network(&stage, &HOSTS, ("br-vm", "192.168.139"), 1400);
    let told = on_all(|host| stage.at(&host, "cat /sys/class/net/{br-vm,vxlan0}/address").succeeds().stdout);
    let mut macs: Vec<&str> = told.iter().flat_map(|told| told.lines()).collect();
    macs.sort_unstable();
    macs.dedup();
    assert_eq!(macs.len(), 2 * HOSTS.len(), "two links have one MAC: {told:?}");
    stage.ocp2(&["plan", "--check", "--until", "balancer", &inventory]).succeeds().shows("Nothing to change");

    // bm5 is gone; bm4 is half made, as after a run that was cut off and a hand that helped.
    stage.at("bm5", "ip link set dev ens34f0 down").succeeds();
    stage.at("bm4", "ip link delete dev vxlan0; rm -r /etc/ocp2/ocp; systemctl stop ocp2-ocp-dns").succeeds();
    let there = |host: &str| stage.at(host, "test -e /sys/class/net/br-vm").status == 0;
    stage.ocp2(&["down", "--yes", &inventory]).ends(4).says("bm5: cannot reach");
    assert!(there("bm1"), "something was removed although a host could not be reached");
    stage.ocp2(&["down", "--yes", "--skip-host", "bm6", &inventory]).ends(2).says("no host bm6");
    let down = stage.ocp2(&["down", "--yes", "--skip-host", "bm5", "-o", "json", &inventory]).succeeds();
    assert_eq!(down.json()["skipped"], serde_json::json!(["bm5"]));
    down.says("bm5 was skipped");
    assert!(there("bm5"));

    // It was not gone for good after all.
    stage.at("bm5", "ip link set dev ens34f0 up; ip route add default via 192.0.2.1").succeeds();
    stage.ocp2(&["down", "--yes", &inventory]).succeeds().shows("is gone");
    for (host, (before, after)) in before.iter().zip(listings(&stage)).enumerate() {
        let left: Vec<&str> = after.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
        let gone: Vec<&str> = before.lines().filter(|line| !after.lines().any(|new| new == *line)).collect();
        assert!(left.is_empty() && gone.is_empty(), "bm{}: left {left:#?}, gone {gone:#?}", host + 1);
    }
}
