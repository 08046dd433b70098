//! What holds of every cluster that is resolved, whatever the inventory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fake;

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ocp2::{
    cluster::{
        Addressing, Cluster, Method, Role, Settled, Trace, Underlay, VirtType, assume, overhead, resolve,
        resolve_around, unseen,
    },
    inventory::Loaded,
};
use proptest::{prelude::*, sample::select};

/// An inventory to be.
#[derive(Debug, Clone)]
struct Wanted {
    hosts: usize,
    masters: usize,
    workers: usize,
    /// Last byte of an address asked for, and for which of the nodes.
    address: Option<(usize, u8)>,
    /// Host asked for, and for which of the nodes.
    host: Option<(usize, usize)>,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (
        1..6_usize,
        select(vec![3_usize, 4, 5]),
        0..20_usize,
        any::<Option<(usize, u8)>>(),
        any::<Option<(usize, usize)>>(),
    )
        .prop_map(|(hosts, masters, workers, address, host)| Wanted {
            hosts,
            masters,
            workers,
            address: address.map(|(node, last)| (node % (masters + workers), last.clamp(1, 254))),
            host: host.map(|(node, host)| (node % (masters + workers), host % hosts)),
        })
}

impl Wanted {
    fn text(&self) -> String {
        let mut text =
            "apiVersion: ocp2/v1\ncluster: {name: ocp, baseDomain: example.com, version: 4.18.30, \
                        pullSecretFile: pull-secret.json, sshKeyFile: key.pub}\nhosts:\n"
                .to_owned();
        for host in 0..self.hosts {
            writeln!(text, "  - {{name: bm{host}, ssh: root@10.0.0.{}, nic: eno1}}", host + 1).unwrap();
        }
        text.push_str("nodes:\n");
        for (group, first, count) in [("master", 0, self.masters), ("worker", self.masters, self.workers)] {
            writeln!(text, "  {group}s:\n    count: {count}\n    items:").unwrap();
            for node in 0..count {
                let address = self.address.filter(|(of, _)| *of == first + node);
                let host = self.host.filter(|(of, _)| *of == first + node);
                if address.is_none() && host.is_none() {
                    continue;
                }
                let ip = address.map_or(String::new(), |(_, last)| format!(", ip: 192.168.139.{last}"));
                let host = host.map_or(String::new(), |(_, host)| format!(", host: bm{host}"));
                writeln!(text, "      - {{name: {group}{node}{ip}{host}}}").unwrap();
            }
        }
        text
    }

    fn loaded(&self) -> Loaded {
        fake::load(&self.text())
            .unwrap_or_else(|error| panic!("{}\n{:?}", self.text(), miette::Report::new(error)))
    }

    fn cluster(&self) -> Cluster {
        let loaded = self.loaded();
        resolve(&loaded, &assume(&loaded.inventory).underlays).unwrap().cluster
    }

    /// Resolves it where all of `before` is there already.
    fn after(&self, before: &Cluster) -> Result<Cluster, String> {
        around(&self.loaded(), &settled(before))
    }
}

/// Returns what the hosts of a cluster show when all its VMs exist.
fn settled(cluster: &Cluster) -> Settled {
    let trace = |node: &ocp2::cluster::Node| {
        let host = &cluster.hosts[node.host].name;
        let trace = Trace {
            vms: vec![host.clone()],
            disks: vec![host.clone()],
            placed: Some(host.clone()),
            address: Some(node.address),
        };
        (node.name.clone(), trace)
    };
    Settled {
        hosts: cluster.hosts.iter().map(|host| (host.name.clone(), host.address)).collect(),
        nodes: cluster.nodes.iter().map(trace).collect(),
        begun: true,
    }
}

fn around(loaded: &Loaded, settled: &Settled) -> Result<Cluster, String> {
    match resolve_around(loaded, &assume(&loaded.inventory).underlays, settled) {
        Ok(resolved) => Ok(resolved.cluster),
        Err(problems) => Err(problems.list().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// Returns who is where: each node with its host and address, then each host with its own.
fn whereabouts(cluster: &Cluster) -> Vec<String> {
    let host = |index: usize| &cluster.hosts[index].name;
    let nodes =
        cluster.nodes.iter().map(|node| format!("{} {} {}", node.name, host(node.host), node.address));
    let mut all: Vec<String> =
        nodes.chain(cluster.hosts.iter().map(|host| format!("{} {}", host.name, host.address))).collect();
    all.sort();
    all
}

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

fn seen(mtus: &[u16], v6: bool) -> BTreeMap<String, Underlay> {
    let underlay = |(host, mtu): (usize, &u16)| {
        let last = u8::try_from(host + 1).unwrap();
        let address = if v6 {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()))
        } else {
            IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
        };
        let underlay = Underlay {
            device: Some("eno1".to_owned()),
            address,
            peer_address: address,
            mtu: *mtu,
            public: Some(address),
            resolvers: vec![Ipv4Addr::new(9, 9, 9, 9).into()],
            nmstate: false,
            kvm: false,
        };
        (format!("bm{host}"), underlay)
    };
    mtus.iter().enumerate().map(underlay).collect()
}

const PLAIN: Wanted = Wanted { hosts: 2, masters: 3, workers: 3, address: None, host: None };

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

/// The inventory without one of its hosts, in the text's order or the other way round.
fn without(wanted: &Wanted, gone: usize) -> Loaded {
    let line = format!("  - {{name: bm{gone}, ssh: root@10.0.0.{}, nic: eno1}}\n", gone + 1);
    let text = wanted.text();
    assert!(text.contains(&line), "{text}");
    fake::load(&text.replace(&line, "")).unwrap()
}

#[test]
fn a_third_host_takes_no_vm_from_the_two_and_gets_the_next_one() {
    let before = PLAIN.cluster();
    let grown = Wanted { hosts: 3, workers: 4, ..PLAIN };
    // Nobody has to tell it: derived afresh, master2 would be on the third host.
    assert_eq!(grown.cluster().nodes[2].host, 2);
    let after = grown.after(&before).unwrap();
    let hosts: Vec<usize> = after.nodes.iter().map(|node| node.host).collect();
    assert_eq!(hosts, [0, 1, 0, 1, 0, 1, 2]);
}

#[test]
fn a_host_that_leaves_takes_no_address_along_and_its_nodes_have_to_be_decided_on() {
    let three = Wanted { hosts: 3, ..PLAIN };
    let before = three.cluster();
    let mut settled = settled(&before);
    // As the two that are left see it: they remember what was on the third.
    for trace in settled.nodes.values_mut().filter(|trace| trace.vms == ["bm1"]) {
        trace.vms.clear();
        trace.disks.clear();
    }
    let loaded = without(&three, 1);
    let refused = around(&loaded, &settled).unwrap_err();
    assert_eq!(
        refused,
        "nodes.masters.items: master1 was made on bm1, which the inventory does not have any more\n\
         nodes.workers.items: worker1 was made on bm1, which the inventory does not have any more"
    );
    // Told where to make them anew, the others keep place and address.
    let text =
        three.text().replace("    items:\n  workers", "    items: [{name: master1, host: bm2}]\n  workers");
    let text = text.replace("  - {name: bm1, ssh: root@10.0.0.2, nic: eno1}\n", "");
    let text = format!("{} [{{name: worker1, host: bm0}}]\n", text.trim_end());
    let after = around(&fake::load(&text).unwrap(), &settled).unwrap();
    let whereabouts = whereabouts(&after);
    for one in [
        "bm0 192.168.139.1",
        "bm2 192.168.139.3",
        "master0 bm0 192.168.139.10",
        "master1 bm2 192.168.139.11",
        "master2 bm2 192.168.139.12",
    ] {
        assert!(whereabouts.contains(&one.to_owned()), "{one}: {whereabouts:?}");
    }
}

#[test]
fn the_inventory_cannot_move_a_vm_nor_a_disk() {
    let before = PLAIN.cluster();
    let asked = Wanted { host: Some((2, 1)), ..PLAIN };
    let refused = asked.after(&before).unwrap_err();
    assert_eq!(refused, "nodes.masters.items[0].host: master2 is on bm0, and a VM is never moved");

    let mut settled = settled(&before);
    let trace = settled.nodes.get_mut("master2").unwrap();
    trace.vms.clear();
    let refused = around(&asked.loaded(), &settled).unwrap_err();
    assert_eq!(refused, "nodes.masters.items[0].host: the disk of master2 is on bm0");
    // Neither VM nor disk is left: it may go where the inventory says.
    settled.nodes.get_mut("master2").unwrap().disks.clear();
    assert_eq!(around(&asked.loaded(), &settled).unwrap().nodes[2].host, 1);
    assert_eq!(around(&PLAIN.loaded(), &settled).unwrap().nodes[2].host, 0);

    settled.nodes.get_mut("master2").unwrap().vms = vec!["bm0".to_owned(), "bm1".to_owned()];
    let refused = around(&PLAIN.loaded(), &settled).unwrap_err();
    assert!(refused.contains("master2 is there more than once: on bm0 and bm1"), "{refused}");
}

#[test]
fn the_host_with_the_installers_files_stays_the_first() {
    let settled = settled(&PLAIN.cluster());
    let text = PLAIN.text();
    let (first, second) = (
        "  - {name: bm0, ssh: root@10.0.0.1, nic: eno1}\n",
        "  - {name: bm1, ssh: root@10.0.0.2, nic: eno1}\n",
    );
    let turned = text.replace(&format!("{first}{second}"), &format!("{second}{first}"));
    let loaded = fake::load(&turned).unwrap();
    let refused = around(&loaded, &settled).unwrap_err();
    assert_eq!(refused, "hosts[0].name: bm1 comes first now, but bm0 has the installer's files");
    // Before the installation any order will do, and addresses stay with their hosts.
    let cluster = around(&loaded, &Settled { begun: false, ..settled }).unwrap();
    assert_eq!(cluster.hosts[0].address, Ipv4Addr::new(192, 168, 139, 2));
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
