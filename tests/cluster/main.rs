//! What holds of every cluster that is resolved, whatever the inventory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../fake/mod.rs"]
mod fake;
mod settled;
mod wanted;

use std::{
    collections::{BTreeMap, HashSet},
    net::{IpAddr, Ipv4Addr},
};

use ocp2::cluster::{Addressing, Cluster, Method, Role, VirtType, assume, overhead, resolve, unseen};
use proptest::prelude::*;

use self::{
    settled::whereabouts,
    wanted::{PLAIN, Wanted, seen, wanted},
};

proptest! {
    #[test]
    fn nobody_shares_what_is_ones_own(wanted in wanted()) {
        let cluster = wanted.cluster();
        let net = cluster.network.machine;
        let mut addresses = HashSet::new();
        let mut macs = HashSet::new();
        let mut uuids = HashSet::new();
        for host in &cluster.hosts {
            prop_assert!(addresses.insert(host.address), "{}", host.address);
            prop_assert!(macs.insert(host.bridge_mac) && macs.insert(host.vxlan_mac));
        }
        for node in &cluster.nodes {
            prop_assert!(addresses.insert(node.address), "{}", node.address);
            prop_assert!(macs.insert(node.mac) && uuids.insert(node.uuid.clone()), "{}", node.name);
            prop_assert!(node.host < cluster.hosts.len());
        }
        for address in addresses {
            prop_assert!(net.contains(&address) && address != net.network() && address != net.broadcast());
        }
        prop_assert!(macs.iter().all(|mac| !mac.is_multicast()));
        prop_assert_eq!(cluster.nodes.len(), wanted.masters + wanted.workers);
        prop_assert_eq!(cluster.rendezvous().role, Role::Master);
    }

    #[test]
    fn what_is_asked_for_is_given(wanted in wanted()) {
        let cluster = wanted.cluster();
        if let Some((node, last)) = wanted.address {
            prop_assert_eq!(cluster.nodes[node].address, Ipv4Addr::new(192, 168, 139, last));
        }
        if let Some((node, host)) = wanted.host {
            prop_assert_eq!(cluster.nodes[node].host, host);
        }
    }

    #[test]
    fn an_address_asked_for_moves_at_most_one_other(wanted in wanted()) {
        let plain = Wanted { address: None, ..wanted.clone() }.cluster();
        let cluster = wanted.cluster();
        let moved = |(one, other): &(Ipv4Addr, Ipv4Addr)| one != other;
        let nodes = plain.nodes.iter().zip(&cluster.nodes).map(|(one, other)| (one.address, other.address));
        let hosts = plain.hosts.iter().zip(&cluster.hosts).map(|(one, other)| (one.address, other.address));
        prop_assert!(nodes.chain(hosts).filter(moved).count() <= 2);
    }

    #[test]
    fn the_hosts_share_the_load(wanted in wanted()) {
        let cluster = Wanted { host: None, ..wanted }.cluster();
        let spread = |count: &dyn Fn(usize) -> usize| {
            let counts: Vec<usize> = (0..cluster.hosts.len()).map(count).collect();
            counts.iter().max().unwrap() - counts.iter().min().unwrap()
        };
        for role in [Role::Master, Role::Worker] {
            prop_assert!(spread(&|host| cluster.nodes_on(host).filter(|node| node.role == role).count()) <= 1);
        }
        prop_assert!(spread(&|host| cluster.nodes_on(host).count()) <= 1);
    }

    #[test]
    fn one_more_worker_changes_no_other_node(wanted in wanted()) {
        let before = wanted.cluster();
        let after = Wanted { workers: wanted.workers + 1, ..wanted }.cluster();
        for (before, after) in before.nodes.iter().zip(&after.nodes) {
            prop_assert_eq!(format!("{before:?}"), format!("{after:?}"));
        }
        prop_assert_eq!(format!("{:?}", before.hosts), format!("{:?}", after.hosts));
    }

    #[test]
    fn more_hosts_and_nodes_move_nobody_that_is_there(wanted in wanted(), hosts in 0..8_usize, workers in 0..3_usize) {
        let before = wanted.cluster();
        let grown = Wanted { hosts: wanted.hosts + hosts, workers: wanted.workers + workers, ..wanted };
        let after = whereabouts(&grown.after(&before).unwrap());
        for one in whereabouts(&before) {
            prop_assert!(after.contains(&one), "{one} moved: {after:?}");
        }
        // It is settled then, too: nobody has another's address.
        prop_assert_eq!(after.len(), grown.hosts + grown.masters + grown.workers);
        let again = grown.after(&grown.after(&before).unwrap()).unwrap();
        prop_assert_eq!(whereabouts(&again), after);
    }

    #[test]
    fn the_vms_mtu_fits_every_underlay(mtus in prop::collection::vec(1400..9217_u16, 2..5), v6: bool) {
        let wanted = Wanted { hosts: mtus.len(), masters: 3, workers: 0, address: None, host: None };
        let seen = seen(&mtus, v6);
        let mtu = resolve(&wanted.loaded(), &seen).unwrap().cluster.network.mtu;
        for underlay in seen.values() {
            prop_assert!(mtu + overhead(underlay.address).max(100) <= underlay.mtu);
        }
        prop_assert_eq!(mtu, mtus.iter().min().unwrap() - 100);
    }
}

fn resolved(text: &str, mtus: &[u16]) -> Result<Cluster, String> {
    let loaded = fake::load(text).unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error)));
    match resolve(&loaded, &seen(mtus, false)) {
        Ok(resolved) => Ok(resolved.cluster),
        Err(problems) => Err(problems.list().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

#[test]
fn two_hosts_three_masters_three_workers_as_the_design_says() {
    let loaded = fake::shipped("two-hosts");
    let cluster = resolve(&loaded, &assume(&loaded.inventory).underlays).unwrap().cluster;
    let placed: Vec<_> =
        cluster.nodes.iter().map(|node| format!("{} {} {}", node.name, node.address, node.host)).collect();
    assert_eq!(
        placed,
        [
            "master0 12.12.139.10 0",
            "master1 12.12.139.11 1",
            "master2 12.12.139.12 0",
            "worker0 12.12.139.13 1",
            "worker1 12.12.139.14 0",
            "worker2 12.12.139.15 1",
        ]
    );
    assert_eq!(cluster.hosts[1].address, Ipv4Addr::new(12, 12, 139, 2));
    assert_eq!(cluster.network.mtu, 1400);
}

#[test]
fn the_largest_mtu_is_the_underlay_less_the_overhead() {
    let text = |mtu: u16| format!("{}network: {{mtu: {mtu}}}\n", PLAIN.text());
    assert_eq!(resolved(&text(1450), &[1500, 1500]).unwrap().network.mtu, 1450);
    let refused = resolved(&text(1451), &[9000, 1500]).unwrap_err();
    assert!(refused.starts_with("network.mtu: 1451 does not fit: bm1's underlay carries 1500"), "{refused}");
}

#[test]
fn what_the_inventory_says_of_a_host_wins_over_what_was_seen() {
    let text = PLAIN.text().replacen(
        "nic: eno1",
        "nic: eno1, underlay: {address: 10.1.0.1, peerAddress: 203.0.113.1, mtu: 1450}, public: none",
        1,
    );
    let cluster = resolved(&text, &[1500, 1500]).unwrap();
    let first = &cluster.hosts[0].underlay;
    assert_eq!(
        (first.address.to_string().as_str(), first.peer_address.to_string().as_str()),
        ("10.1.0.1", "203.0.113.1")
    );
    assert_eq!((first.mtu, first.public, cluster.network.mtu), (1450, None, 1350));
    assert_eq!(cluster.hosts[1].underlay.public, Some(Ipv4Addr::new(10, 0, 0, 2).into()));
}

#[test]
fn what_only_the_hosts_show_is_refused_too() {
    let text = format!(
        "{}network: {{machineNetwork: 10.0.0.0/24}}\n",
        PLAIN.text().replace("root@10.0.0.", "root@bm")
    );
    let refused = resolved(&text, &[1500, 1500]).unwrap_err();
    assert!(refused.contains("10.0.0.1 is inside the machine network, 10.0.0.0/24"), "{refused}");

    let text = format!("{}network: {{addressing: static}}\n", PLAIN.text());
    let refused = resolved(&text, &[1500, 1500]).unwrap_err();
    assert!(refused.contains("nmstatectl"), "{refused}");

    let text = format!("{}network: {{forwarders: [192.168.139.2]}}\n", PLAIN.text());
    let refused = resolved(&text, &[1500, 1500]).unwrap_err();
    assert!(refused.contains("bm1's own resolver"), "{refused}");
}

#[test]
fn auto_follows_what_the_hosts_can() {
    let cluster = resolved(&PLAIN.text(), &[1500, 1500]).unwrap();
    assert_eq!(cluster.network.addressing, Addressing::Dhcp);
    assert_eq!(cluster.hosts[0].virt_type, VirtType::Qemu);
    assert_eq!(cluster.hosts[0].forwarders, [IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9))]);
    // Offline the best is assumed.
    assert_eq!(PLAIN.cluster().network.addressing, Addressing::Static);
    assert_eq!(PLAIN.cluster().hosts[0].virt_type, VirtType::Kvm);
    // Somebody else's ISO knows none of our addresses.
    let iso = resolved(
        &format!("{}install: {{iso: \"https://example.com/a.iso\"}}\n", PLAIN.text()),
        &[1500, 1500],
    )
    .unwrap();
    assert_eq!(iso.install.method, Method::Iso("https://example.com/a.iso".to_owned()));
    assert_eq!(iso.network.addressing, Addressing::Dhcp);
}

#[test]
fn offline_everything_assumed_is_said() {
    let loaded = fake::load(&PLAIN.text().replacen("root@10.0.0.1", "root@bm0.example.com", 1)).unwrap();
    let assumed = assume(&loaded.inventory);
    let notes: Vec<String> = assumed.notes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"), @r#"
    hosts[0].underlay.address: 192.0.2.1 stands in for bm0: "bm0.example.com" is a name, not an address
    hosts[0].underlay.mtu: assumed 1500 for bm0
    hosts[1].underlay.address: assumed 10.0.0.2 for bm1, the address SSH uses
    hosts[1].underlay.mtu: assumed 1500 for bm1
    "#);
    // A host that was not reached is assumed the same way, and said.
    let seen = BTreeMap::from([("bm1".to_owned(), seen(&[1500, 1500], false).remove("bm1").unwrap())]);
    let warnings = resolve(&loaded, &seen).unwrap().warnings;
    assert!(warnings.iter().any(|warning| warning.field == "hosts[0].underlay.address"), "{warnings:?}");
}

#[test]
fn two_hosts_are_warned_about_their_quorum_and_three_are_not() {
    let warned = |hosts| {
        let loaded = Wanted { hosts, ..PLAIN }.loaded();
        let warnings = resolve(&loaded, &assume(&loaded.inventory).underlays).unwrap().warnings;
        warnings.iter().any(|warning| warning.message.contains("quorum"))
    };
    assert!(warned(1) && warned(2) && !warned(3) && !warned(5));
}

#[test]
fn one_ssh_address_with_two_ports_is_nobodys_own() {
    let text = PLAIN
        .text()
        .replace("root@10.0.0.1,", "root@10.0.0.9:2201,")
        .replace("root@10.0.0.2,", "root@10.0.0.9:2202,");
    let loaded = fake::load(&text).unwrap();
    let resolved = resolve(&loaded, &BTreeMap::new()).unwrap();
    assert_ne!(resolved.cluster.hosts[0].underlay.address, resolved.cluster.hosts[1].underlay.address);
    let notes: Vec<String> = resolved.warnings.iter().map(ToString::to_string).collect();
    assert!(notes.iter().any(|note| note.contains("SSH reaches other hosts by 10.0.0.9, too")), "{notes:?}");
}

#[test]
fn hosts_can_be_asked_before_their_mtu_is_known() {
    let loaded = fake::load(&format!("{}network: {{mtu: 8900}}\n", PLAIN.text())).unwrap();
    assert!(resolve(&loaded, &BTreeMap::new()).is_err());
    assert_eq!(resolve(&loaded, &unseen(&loaded.inventory)).unwrap().cluster.network.mtu, 8900);
}
