//! What is on the hosts already stays where it is.

use std::net::Ipv4Addr;

use ocp2::{
    cluster::{Cluster, Settled, Trace, assume, resolve_around},
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
