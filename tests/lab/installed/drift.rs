//! What a hand may change on a host of a cluster that runs.

use crate::{drift::Drift, stage::stage};

const DRIFTS: &[Drift] = &[
    Drift::new("ip link set dev br-vm mtu 1300", "bridge br-vm", "mtu 1300 → 1400"),
    Drift::new("ip link set dev br-vm down", "bridge br-vm", "link down → up"),
    Drift::new(
        "ip address delete 192.168.139.1/24 dev br-vm",
        "bridge br-vm",
        "address nothing → 192.168.139.1/24",
    ),
    Drift::new("ip link set dev vxlan0 nomaster", "vxlan vxlan0", "bridge nothing → br-vm"),
    Drift::new(
        "bridge fdb del 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.12",
        "peer 192.0.2.12 of vxlan0",
        "add",
    ),
    Drift::new(
        "bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.0.2.99",
        "peer 192.0.2.99 of vxlan0",
        "remove",
    ),
    Drift::new(
        "echo 1 > /proc/sys/net/ipv4/conf/br-vm/rp_filter",
        "setting net.ipv4.conf.br-vm.rp_filter",
        "1 → 2",
    ),
    Drift::new(
        "nft add rule inet ocp2_ocp forward counter",
        "nftables table inet ocp2_ocp",
        "mend what was changed by hand",
    ),
    Drift::new("nft delete table inet ocp2_ocp", "nftables table inet ocp2_ocp", "load"),
    Drift::new("echo '# hello' >> /etc/ocp2/ocp/haproxy.cfg", "file /etc/ocp2/ocp/haproxy.cfg", "content"),
    Drift::new("chmod 666 /etc/ocp2/ocp/hosts", "file /etc/ocp2/ocp/hosts", "mode 666 → 644"),
    Drift::new("systemctl stop ocp2-ocp-dns", "unit ocp2-ocp-dns.service", "state inactive → active"),
    Drift::new(
        "systemctl disable -q ocp2-ocp-balancer",
        "unit ocp2-ocp-balancer.service",
        "enabled disabled → enabled",
    ),
    Drift::new("virsh -q autostart --disable ocp-worker1", "domain ocp-worker1", "autostart off → on"),
    Drift::new("virsh -q suspend ocp-worker1", "domain ocp-worker1", "paused → running"),
    Drift::new("virsh -q pool-destroy ocp2-ocp", "pool ocp2-ocp", "start"),
    Drift::new(
        "truncate -s 1000MiB /var/lib/libvirt/images/ocp/ocp-worker1.img && virsh -q pool-refresh ocp2-ocp",
        "volume ocp-worker1.img",
        "size 1048576000 bytes → 1 GiB",
    ),
];

#[test]
fn every_change_by_hand_is_named_and_mended_alone() {
    let stage = stage();
    let inventory = stage.cluster();
    for drift in DRIFTS {
        drift.is_named_and_mended_alone(&stage, &[&inventory]);
    }
}
