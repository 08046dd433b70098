//! What is on the hosts already stays where it is.

use std::net::Ipv4Addr;

use ocp2::{
    cluster::{Addressing, Cluster, Decided, Settled, Trace, Underlay, VirtType, assume, resolve_around},
    inventory::Loaded,
};

use crate::{
    fake,
    wanted::{PLAIN, Wanted},
};

/// Returns what the hosts of a cluster show when all its VMs exist.
pub fn settled(cluster: &Cluster) -> Settled {
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
        records: Vec::new(),
    }
}

pub fn around(loaded: &Loaded, settled: &Settled) -> Result<Cluster, String> {
    match resolve_around(loaded, &assume(&loaded.inventory).underlays, settled) {
        Ok(resolved) => Ok(resolved.cluster),
        Err(problems) => Err(problems.list().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// Returns who is where: each node with its host and address, then each host with its own.
pub fn whereabouts(cluster: &Cluster) -> Vec<String> {
    let host = |index: usize| &cluster.hosts[index].name;
    let nodes =
        cluster.nodes.iter().map(|node| format!("{} {} {}", node.name, host(node.host), node.address));
    let mut all: Vec<String> =
        nodes.chain(cluster.hosts.iter().map(|host| format!("{} {}", host.name, host.address))).collect();
    all.sort();
    all
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

/// Resolves the plain inventory, edited, on hosts whose underlays are as `change` makes them.
fn resolved(
    (from, to): (&str, &str),
    records: &[(&str, &str)],
    change: impl Fn(&str, &mut Underlay),
) -> Result<Cluster, String> {
    let text = PLAIN.text();
    assert!(text.contains(from), "{text}");
    let loaded = fake::load(&text.replacen(from, to, 1)).unwrap();
    let mut seen = assume(&loaded.inventory).underlays;
    for (name, underlay) in &mut seen {
        change(name, underlay);
    }
    let record = |(name, text): &(&str, &str)| ((*name).to_owned(), Decided::read(text));
    let settled =
        Settled { begun: true, records: records.iter().map(record).collect(), ..Settled::default() };
    match resolve_around(&loaded, &seen, &settled) {
        Ok(resolved) => Ok(resolved.cluster),
        Err(problems) => Err(problems.list().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

const RECORD: &str = "ocp2-settled 1\nmtu 1400\naddressing dhcp\nhost bm0 qemu 10.0.0.1\nhost bm1 kvm none\n";
const SAME: (&str, &str) = ("nodes:", "nodes:");

#[test]
fn what_was_decided_at_the_first_boot_is_not_decided_again() {
    let both = [("bm0", RECORD), ("bm1", RECORD)];
    // Since then: nmstatectl came, KVM proved itself, the lines got wider, a route moved.
    let later = |name: &str, underlay: &mut Underlay| {
        underlay.mtu = 9000;
        underlay.nmstate = true;
        underlay.kvm = true;
        if name == "bm0" {
            underlay.public = Some([10, 9, 9, 9].into());
        }
    };
    let cluster = resolved(SAME, &both, later).unwrap();
    assert_eq!((cluster.network.mtu, cluster.network.addressing), (1400, Addressing::Dhcp));
    let hosts: Vec<_> = cluster.hosts.iter().map(|host| (host.virt_type, host.underlay.public)).collect();
    assert_eq!(hosts, [(VirtType::Qemu, Some([10, 0, 0, 1].into())), (VirtType::Kvm, None)]);
    // A host without a record, as one that joins, changes nothing of it.
    assert_eq!(resolved(SAME, &both[..1], later).unwrap().network.mtu, 1400);
    // What is written is what is read.
    assert_eq!(Decided::read(&Decided::of(&cluster).text()).unwrap(), Decided::read(RECORD).unwrap());
    // What the inventory says counts more.
    let said = resolved(("nodes:", "network: {mtu: 1390}\nmachines: {virtType: kvm}\nnodes:"), &both, later)
        .unwrap();
    assert_eq!((said.network.mtu, said.hosts[0].virt_type), (1390, VirtType::Kvm));
    let said = resolved(("nic: eno1}", "nic: eno1, public: none}"), &both, later).unwrap();
    assert_eq!(said.hosts[0].underlay.public, None);
}

#[test]
fn what_no_longer_fits_what_was_decided_is_a_problem_with_both_values() {
    let narrow = |name: &str, underlay: &mut Underlay| {
        if name == "bm1" {
            underlay.mtu = 1420;
        }
    };
    let problem = resolved(SAME, &[("bm0", RECORD)], narrow).unwrap_err();
    assert!(
        problem.contains("an MTU of 1400, and bm1's underlay carries 1420, which leaves 1370"),
        "{problem}"
    );
    let moved = |_: &str, underlay: &mut Underlay| underlay.addresses = vec![[10, 9, 9, 9].into()];
    let problem = resolved(SAME, &[("bm0", RECORD)], moved).unwrap_err();
    assert!(problem.contains("bm0 was to be reached at 10.0.0.1, which it has no more"), "{problem}");
}

#[test]
fn records_that_disagree_or_come_from_a_later_ocp2_are_problems() {
    let nothing = |_: &str, _: &mut Underlay| ();
    let other = RECORD.replace("mtu 1400", "mtu 1350");
    let records = [("bm0", RECORD), ("bm1", other.as_str())];
    let problem = resolved(SAME, &records, nothing).unwrap_err();
    assert!(problem.contains("bm0 and bm1 remember another MTU: 1400 and 1350"), "{problem}");
    // The way out that it names.
    assert!(resolved(("nodes:", "network: {mtu: 1400}\nnodes:"), &records, nothing).is_ok());
    let later = RECORD.replace("ocp2-settled 1", "ocp2-settled 2");
    let problem = resolved(SAME, &[("bm1", &later)], nothing).unwrap_err();
    assert!(problem.contains("a later ocp2 has written it"), "{problem}");
    for damaged in
        ["", "mtu 1400\n", "ocp2-settled 1\nmtu x\n", "ocp2-settled 1\nhost a b c\n", "ocp2-settled 1\n\n"]
    {
        assert!(resolved(SAME, &[("bm1", damaged)], nothing).is_err(), "{damaged:?}");
    }
}

#[test]
fn a_vm_that_is_there_and_has_never_booted_decides_nothing() {
    let loaded = fake::load(&PLAIN.text()).unwrap();
    let record = Decided::read("ocp2-settled 1\nmtu 1350\naddressing dhcp\n");
    let settled = Settled { records: vec![("bm0".to_owned(), record)], ..settled(&PLAIN.cluster()) };
    assert!(settled.nodes.values().all(|trace| !trace.vms.is_empty()));
    assert_eq!(around(&loaded, &settled).unwrap().network.mtu, 1350);
    assert_eq!(around(&loaded, &Settled { begun: false, ..settled }).unwrap().network.mtu, 1400);
}
