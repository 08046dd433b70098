//! Changes made by hand: named by `plan`, mended by `up`, and nothing else touched.

use crate::stage::stage;

/// Source that breaks one thing on bm1, the resource `plan` then names, and how the change reads.
const BREAKS: &[(&str, &str, &str)] = &[
    ("ip link set dev br-vm mtu 1300", "bridge br-vm", "mtu 1300 → 1400"),
    ("ip link set dev vxlan0 nomaster", "vxlan vxlan0", "bridge nothing → br-vm"),
    ("bridge fdb del 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.12", "peer 192.0.2.12 of vxlan0", "add"),
    ("bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.99", "peer 192.0.2.99 of vxlan0", "remove"),
    ("echo 1 > /proc/sys/net/ipv4/conf/br-vm/rp_filter", "setting net.ipv4.conf.br-vm.rp_filter", "1 → 2"),
    (
        "nft add rule inet ocp2_ocp forward counter",
        "nftables table inet ocp2_ocp",
        "mend what was changed by hand",
    ),
    ("nft delete table inet ocp2_ocp", "nftables table inet ocp2_ocp", "load"),
    ("echo '# hello' >> /etc/ocp2/ocp/haproxy.cfg", "file /etc/ocp2/ocp/haproxy.cfg", "content"),
    ("chmod 666 /etc/ocp2/ocp/hosts", "file /etc/ocp2/ocp/hosts", "mode 666 → 644"),
    ("systemctl stop ocp2-ocp-dns", "unit ocp2-ocp-dns.service", "state inactive → active"),
    (
        "systemctl disable -q ocp2-ocp-balancer",
        "unit ocp2-ocp-balancer.service",
        "enabled disabled → enabled",
    ),
    ("virsh -q autostart --disable ocp-worker1", "domain ocp-worker1", "autostart off → on"),
    ("virsh -q suspend ocp-worker1", "domain ocp-worker1", "paused → running"),
    ("virsh -q pool-destroy ocp2-ocp", "pool ocp2-ocp", "start"),
];

#[test]
fn every_change_by_hand_is_named_and_mended_alone() {
    let stage = stage();
    let inventory = stage.cluster();
    for (source, resource, summary) in BREAKS {
        stage.at("bm1", source).succeeds();
        let plan = stage.ocp2(&["plan", "--check", "-o", "json", &inventory]).ends(8).json();
        let changes = plan["changes"].as_array().unwrap();
        assert_eq!(changes.len(), 1, "after {source}: {plan:#}");
        assert_eq!(changes[0]["host"], "bm1");
        assert_eq!(changes[0]["resource"], *resource, "after {source}");
        assert_eq!(changes[0]["summary"], *summary, "after {source}");
        let up = stage.ocp2(&["up", &inventory, "-o", "json"]).succeeds().json();
        assert_eq!(up["changed"], 1, "after {source}: {up}");
        stage.ocp2(&["plan", "--check", &inventory]).succeeds();
    }
}
