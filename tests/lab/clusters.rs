//! Two clusters on the same two hosts: neither notices what becomes of the other.

use crate::{
    fleet::{host_by, inventory, nodes, one_network},
    footprint::{footprint, same},
    stage::apart,
};

const HOSTS: [u8; 2] = [1, 2];

/// What the second cluster has of its own, and what is taken where it has not.
const OWN: [(&str, &str, &str); 3] = [
    ("bridge: br-two", "bridge: br-vm", "bridge br-vm is already there"),
    ("device: vxlan2, vni: 77", "device: vxlan2, vni: 39", "VNI 39 on UDP port 4789 is already there"),
    (
        "machineNetwork: 192.168.200.0/24",
        "machineNetwork: 192.168.139.0/24",
        "network 192.168.139.0/24 is already there",
    ),
];

#[test]
fn one_of_two_clusters_is_taken_down_and_the_other_does_not_notice() {
    let stage = apart("pair");
    let hosts = |rest: &str| {
        let rest = format!("nic: ens34f0{rest}");
        HOSTS.map(|n| host_by(&stage, n, &format!("address: 192.0.2.1{n}, user: root"), &rest))
    };
    let before = footprint(&stage, false);
    let one = inventory(&stage, "one", &hosts(""), &nodes(3, 0));
    let until_balancer = |inventory: &str| stage.ocp2(&["up", "--until", "balancer", inventory]);
    until_balancer(&one).succeeds();

    let network = format!("network: {{{}, {}, vxlan: {{{}}}}}\n", OWN[0].0, OWN[2].0, OWN[1].0);
    let second = |network: &str, public: &str| {
        inventory(&stage, "two", &hosts(public), &format!("{network}{}", nodes(3, 0)))
    };
    for (own, taken, said) in OWN {
        let clashing = second(&network.replace(own, taken), ", public: none");
        until_balancer(&clashing).ends(3).says(said);
    }
    until_balancer(&second(&network, "")).ends(3).says("tcp port 6443 on 192.0.2.11 is already there");
    let two = second(&network, ", public: none");
    until_balancer(&two).succeeds();
    one_network(&stage, &HOSTS, ("br-vm", "192.168.139"), 1400);
    one_network(&stage, &HOSTS, ("br-two", "192.168.200"), 1400);
    for inventory in [&one, &two] {
        stage.ocp2(&["plan", "--check", "--until", "balancer", inventory]).succeeds();
    }

    // The first one changed the hosts' settings; the second needs them on.
    stage.ocp2(&["down", "--yes", "--packages", &one]).succeeds();
    one_network(&stage, &HOSTS, ("br-two", "192.168.200"), 1400);
    stage.ocp2(&["plan", "--check", "--until", "balancer", &two]).succeeds().shows("Nothing to change");
    stage.at("bm1", "test $(cat /proc/sys/net/ipv4/ip_forward) = 1").succeeds();
    stage.ocp2(&["down", "--yes", &two]).succeeds();
    same(&before, &footprint(&stage, false), "after both are gone");
}
