//! Full-size packets: what the article's TLS handshakes hung for.

use std::time::Duration;

use crate::stage::{eventually, stage};

/// A master on bm1 talks to one on bm2, and the other way round.
const PAIRS: [(&str, &str, &str); 2] =
    [("bm1", "192.168.139.10", "192.168.139.11"), ("bm2", "192.168.139.11", "192.168.139.10")];

#[test]
fn a_ping_of_the_exact_mtu_and_a_large_handshake_cross_the_tunnel() {
    let stage = stage();
    stage.cluster();
    for (host, from, to) in PAIRS {
        stage.inside(host, from, &format!("standin-ping --df --size 1400 {to}")).succeeds();
        // One byte more is refused by the VM's own NIC.
        let large = stage.inside(host, from, &format!("standin-ping --df --size 1401 {to}"));
        assert_ne!(large.status, 0, "{large:?}");
        let chain = stage.inside(host, from, &format!("standin-tls {to} 6443")).succeeds().stdout;
        let bytes: usize = chain.split("bytes=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!(bytes >= 6000, "{chain}");
    }
}

/// The article's second attempt: full-size packets on a tunnel that has no room for its header.
#[test]
fn with_the_mtu_raised_by_hand_handshakes_hang_and_up_mends_it() {
    let stage = stage();
    let inventory = stage.cluster();
    let vms = [("bm1", "ocp-master0", "192.168.139.10"), ("bm2", "ocp-master1", "192.168.139.11")];
    let restart = |host: &str, domain: &str, address: &str| {
        stage.at(host, &format!("virsh -q destroy {domain}; virsh -q start {domain}")).succeeds();
        eventually(Duration::from_secs(90), || {
            stage.at(host, &format!("curl -sSf -m 5 http://{address}:9999/"))
        });
    };
    // The article's packets came out of OVN's own tunnel, which has no use for "fragmentation
    // needed": the sender never hears of it. Here the bridge keeps that message from the VM.
    let hush = "nft add table bridge hush; \
                nft add chain bridge hush forward '{ type filter hook forward priority 0; }'; \
                nft add rule bridge hush forward icmp type destination-unreachable drop";
    for (host, domain, address) in vms {
        stage.at(host, hush).succeeds();
        let source = format!(
            "set -e; virsh dumpxml --inactive {domain} | sed \"s/mtu size='1400'/mtu size='1500'/\" > /run/large.xml; \
             virsh -q define /run/large.xml; rm /run/large.xml; \
             for l in br-vm vxlan0; do ip link set dev $l mtu 1500; done"
        );
        stage.at(host, &source).succeeds();
        restart(host, domain, address);
        stage
            .inside(host, address, "ip link set dev $(ls /sys/class/net | grep -v lo | head -n1) mtu 1500")
            .succeeds();
    }
    let hung = stage.inside("bm1", "192.168.139.10", "standin-tls 192.168.139.11 6443");
    let lost = stage.inside("bm1", "192.168.139.10", "standin-ping --df --size 1500 192.168.139.11");
    let small = stage.inside("bm1", "192.168.139.10", "standin-ping --size 64 192.168.139.11");
    let plan = stage.ocp2(&["plan", "--check", &inventory]).ends(8);
    for difference in [
        "bridge br-vm: mtu 1500 → 1400",
        "vxlan vxlan0: mtu 1500 → 1400",
        "domain ocp-master0: nic0 mtu 1500 → 1400",
    ] {
        assert!(plan.stdout.contains(difference), "{difference} is not in\n{}", plan.stdout);
    }

    stage.ocp2(&["up", &inventory]).succeeds();
    for (host, domain, address) in vms {
        restart(host, domain, address);
        stage.at(host, "nft delete table bridge hush").succeeds();
    }
    assert_ne!(hung.status, 0, "the handshake did not hang: {hung:?}");
    assert_ne!(lost.status, 0, "a full-size packet passed: {lost:?}");
    small.succeeds();
    eventually(Duration::from_secs(30), || {
        stage.inside("bm1", "192.168.139.10", "standin-tls 192.168.139.11 6443")
    });
}

#[test]
fn an_inventory_that_asks_for_too_large_an_mtu_is_refused() {
    let stage = stage();
    let inventory = stage.inventory("large-mtu.yaml", &[("\nnodes:", "\nnetwork: {mtu: 1500}\nnodes:")]);
    stage.ocp2(&["plan", &inventory]).ends(3).says("1450");
}
