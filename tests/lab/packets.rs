//! Full-size packets: what the article's TLS handshakes hung for.

use std::time::Duration;

use crate::stage::stage;

/// A worker on bm2 talks to a master on bm1 and the other way round.
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

#[test]
fn with_the_mtu_raised_by_hand_handshakes_hang_and_up_mends_it() {
    let stage = stage();
    let inventory = stage.cluster();
    // What the article had first: every link at the NIC's own 1500, and no room for the tunnel's header.
    let raise = |mtu: u32| {
        for host in ["bm1", "bm2"] {
            let source = format!(
                "ip link set dev br-vm mtu {mtu}; ip link set dev vxlan0 mtu {mtu}; \
                 for t in /sys/class/net/vnet*; do ip link set dev ${{t##*/}} mtu {mtu}; done"
            );
            stage.at(host, &source).succeeds();
        }
        for (host, address) in [("bm1", "192.168.139.10"), ("bm2", "192.168.139.11")] {
            let nic =
                stage.inside(host, address, "ls /sys/class/net | grep -v lo | head -n1").succeeds().stdout;
            stage.inside(host, address, &format!("ip link set dev {} mtu {mtu}", nic.trim())).succeeds();
        }
    };
    // The lab's wire carries fragments, the Internet's firewalls do not: drop them as those do.
    let wire = "nft add table inet wire; nft add chain inet wire in '{ type filter hook prerouting priority -450; }'; \
                nft add rule inet wire in ip frag-off \\& 0x3fff != 0 drop";
    for host in ["bm1", "bm2"] {
        stage.at(host, wire).succeeds();
    }
    raise(1500);
    let hung = stage.inside("bm1", "192.168.139.10", "standin-tls 192.168.139.11 6443");
    let lost = stage.inside("bm1", "192.168.139.10", "standin-ping --df --size 1500 192.168.139.11");
    let small = stage.inside("bm1", "192.168.139.10", "standin-ping --size 64 192.168.139.11");
    stage.ocp2(&["plan", "--check", &inventory]).ends(8).shows("mtu 1500 → 1400");

    raise(1400);
    stage.ocp2(&["up", &inventory]).succeeds();
    for host in ["bm1", "bm2"] {
        stage.at(host, "nft delete table inet wire").succeeds();
    }
    assert_ne!(hung.status, 0, "the handshake did not hang: {hung:?}");
    assert_ne!(lost.status, 0, "a full-size packet passed: {lost:?}");
    small.succeeds();
    stage.eventually(Duration::from_secs(10), || {
        stage.inside("bm1", "192.168.139.10", "standin-tls 192.168.139.11 6443")
    });
}

#[test]
fn an_inventory_that_asks_for_too_large_an_mtu_is_refused() {
    let stage = stage();
    let inventory = stage.inventory("large-mtu.yaml", &[("\nnodes:", "\nnetwork: {mtu: 1500}\nnodes:")]);
    stage.ocp2(&["plan", &inventory]).ends(3).says("1450");
}
