//! Addresses by DHCP: each host serves its own VMs and no other's.

use crate::stage::stage;

#[test]
fn vms_get_lease_and_gateway_from_their_own_host_only() {
    let stage = stage();
    // A compact cluster beside the first one, so that the first one stays.
    let dhcp = [("vni: 80}", "vni: 80}, addressing: dhcp"), ("workers: {count: 3", "workers: {count: 0")];
    let inventory = stage.beside("dyn", 5, &dhcp);
    stage.ocp2(&["up", &inventory]).succeeds();
    for (host, vm, gateway) in [
        ("bm1", "192.168.203.10", "192.168.203.1"),
        ("bm2", "192.168.203.11", "192.168.203.2"),
        ("bm1", "192.168.203.12", "192.168.203.1"),
    ] {
        stage.inside(host, vm, "ip route show default").succeeds().shows(&format!("via {gateway} "));
        stage.inside(host, vm, "cat /etc/resolv.conf").succeeds().shows(gateway);
        stage.inside(host, vm, "ip -o link").succeeds().shows("mtu 1400");
    }
    for (host, own, others) in [("bm1", 2, "192.168.203.11"), ("bm2", 1, "192.168.203.10")] {
        let leases = stage.at(host, "cat /var/lib/ocp2/dyn/dnsmasq.leases").succeeds().stdout;
        assert_eq!(
            leases.lines().filter(|line| line.contains("192.168.203.")).count(),
            own,
            "{host}:\n{leases}"
        );
        assert!(!leases.contains(others), "{host}:\n{leases}");
    }
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}
