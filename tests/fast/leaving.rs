//! VMs that left the inventory: who may go, who may not, and what stays.

use std::collections::BTreeMap;

use ocp2::{
    bringup::{Leave, Removal, kept_disks, leave, leaving, own_domain, preflight, removal},
    cluster::Cluster,
    resource::{
        Action, Change, Facts, FileSeen,
        hypervisor::{Call, DomainSeen, DomainState, Seen, VolumeSeen},
    },
};

use crate::inventories;

/// Six VMs over two hosts: of the workers, bm1 has worker1, bm2 worker0 and worker2.
fn cluster() -> Cluster {
    inventories::cluster(&inventories::path("two-hosts"))
}

fn domain(node: &str, role: &str, state: DomainState) -> DomainSeen {
    let xml = include_str!("changes/captured/domain.xml")
        .replace("ocp-master0", &format!("ocp-{node}"))
        .replace("node=\"master0\" role=\"master\"", &format!("node=\"{node}\" role=\"{role}\""));
    DomainSeen { name: format!("ocp-{node}"), uuid: String::new(), state, autostart: true, xml, live: None }
}

fn volume(name: &str) -> VolumeSeen {
    VolumeSeen {
        pool: "ocp2-ocp".into(),
        name: name.into(),
        path: format!("/var/lib/libvirt/images/ocp/{name}"),
        capacity: 1 << 30,
    }
}

/// Returns the record of a host whose disks of such names were made for the cluster.
fn record(names: &[&str]) -> BTreeMap<String, FileSeen> {
    let disks = names.iter().filter(|name| name.starts_with("ocp-"));
    let line = |(name, kind): (&&str, &str)| format!("{kind} /var/lib/libvirt/images/ocp/{name}\n");
    let kind = |name: &str| if name.contains(".img") { "volume" } else { "file" };
    let lines: String = disks.map(|name| line((name, kind(name)))).collect();
    let text = Some(format!("ocp2-owned 1\n{lines}"));
    let seen = FileSeen { mode: 0o600, owner: "root:root".into(), sha256: String::new(), text };
    [("/var/lib/ocp2/ocp/owned".to_owned(), seen)].into()
}

fn host(domains: Vec<DomainSeen>, volumes: &[&str]) -> Facts {
    let files = record(volumes);
    let volumes = volumes.iter().map(|name| volume(name)).collect();
    Facts { hypervisor: Some(Seen { domains, volumes, ..Seen::default() }), files, ..Facts::default() }
}

fn lines(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{}: {}", change.resource, change.summary)).collect()
}

/// bm2 with its own VMs and a worker more, and the disk of one that left before.
fn shrunken() -> Facts {
    let running = DomainState::Running;
    let domains = vec![
        domain("master1", "master", running),
        domain("worker0", "worker", running),
        domain("worker2", "worker", running),
        domain("worker3", "worker", running),
    ];
    let disks = [
        "ocp-agent.iso",
        "ocp-master1.img",
        "ocp-worker2.img",
        "ocp-worker3.img",
        "ocp-worker9.img",
        "mine.img",
    ];
    host(domains, &disks)
}

#[test]
fn a_worker_that_left_goes_in_order_and_its_disk_stays() {
    let (cluster, facts) = (cluster(), shrunken());
    assert_eq!(leaving(&cluster, &facts), ["ocp-worker3"]);
    let changes = leave(&cluster, 1, &facts, Leave { vms: true, disks: false });
    let expected = [
        "domain ocp-worker3: power it off, it is no longer in the inventory (120 s, then its power is cut)",
        "domain ocp-worker3: cut its power",
        "domain ocp-worker3: undefine",
        "domain ocp-worker3: delete its logs",
    ];
    assert_eq!(lines(&changes), expected);
    let Action::Shell(script) = &changes[0].action else { panic!("{changes:?}") };
    assert!(script.source().contains("virsh -q shutdown ocp-worker3"), "{}", script.source());
    // One that is off already needs no patience.
    let off = host(vec![domain("worker3", "worker", DomainState::Off)], &[]);
    assert_eq!(lines(&leave(&cluster, 1, &off, Leave { vms: true, disks: true })), expected[2..]);
}

#[test]
fn disks_go_only_where_that_is_said_and_only_those_of_no_vm() {
    let (cluster, facts) = (cluster(), shrunken());
    let nothing = leave(&cluster, 1, &facts, Leave::default());
    assert!(nothing.is_empty(), "{nothing:?}");
    let deleted = |leave: Leave| -> Vec<String> {
        let changes = ocp2::bringup::leave(&cluster, 1, &facts, leave);
        let volume = |change: Change| match change.action {
            Action::Hypervisor(Call::DeleteVolume { volume, .. }) => Some(volume),
            _ => None,
        };
        changes.into_iter().filter_map(volume).collect()
    };
    // The VM stays, and so does its disk.
    assert_eq!(deleted(Leave { vms: false, disks: true }), ["ocp-worker9.img"]);
    assert_eq!(deleted(Leave { vms: true, disks: true }), ["ocp-worker3.img", "ocp-worker9.img"]);
    let kept: Vec<String> = kept_disks(&cluster, 1, &facts).into_iter().map(|disk| disk.path).collect();
    assert_eq!(kept, ["/var/lib/libvirt/images/ocp/ocp-worker9.img"]);
}

#[test]
fn a_pool_that_does_not_run_keeps_its_disks_all_the_same() {
    let cluster = cluster();
    let files = record(&["ocp-worker2.img", "ocp-worker9.img", "ocp-agent.iso"]);
    let mut facts = Facts { files, ..Facts::default() };
    for file in ["ocp-worker2.img", "ocp-worker9.img", "ocp-worker10.img", "ocp-agent.iso"] {
        facts.listing.insert(format!("/var/lib/libvirt/images/ocp/{file}"), 1);
    }
    let kept: Vec<String> = kept_disks(&cluster, 1, &facts).into_iter().map(|disk| disk.path).collect();
    assert_eq!(kept, ["/var/lib/libvirt/images/ocp/ocp-worker9.img"]);
}

#[test]
fn down_takes_an_image_that_is_still_on_its_way() {
    let cluster = cluster();
    let mut facts = Facts { files: record(&["ocp-agent.iso"]), ..Facts::default() };
    let image = "/var/lib/libvirt/images/ocp/ocp-agent.iso";
    let ours = ["", ".part", ".part.3", ".0123456789ab.part"].map(|way| format!("{image}{way}"));
    let others = [".bak", ".sha256", "o"].map(|way| format!("{image}{way}"));
    facts.listing.extend(ours.iter().chain(&others).map(|path| (path.clone(), 1)));
    let changes = removal(&cluster, &facts, Removal::default());
    let mut deleted: Vec<&str> =
        changes.iter().filter_map(|change| change.resource.strip_prefix("file ")).collect();
    deleted.retain(|path| path.starts_with(image));
    deleted.sort_unstable();
    let mut expected: Vec<&str> = ours.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(deleted, expected);
}

fn found(facts: &Facts, host: usize) -> Vec<(String, String)> {
    let findings = preflight(&cluster(), host, facts, 0).into_iter();
    findings.filter(|it| it.what.starts_with("VM ")).map(|it| (it.what, it.fix)).collect()
}

#[test]
fn a_master_that_left_is_refused_with_the_reason() {
    let facts = host(vec![domain("master3", "master", DomainState::Running)], &["ocp-master3.img"]);
    let changes = leave(&cluster(), 1, &facts, Leave { vms: true, disks: false });
    assert!(changes.is_empty(), "{changes:?}");
    let found = found(&facts, 1);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "VM ocp-master3 is a master that is no longer in the inventory");
    assert!(found[0].1.contains("etcd counts it as a member"), "{found:?}");
}

#[test]
fn a_vm_on_another_host_than_the_inventory_says_is_refused_and_not_made_twice() {
    let facts = host(vec![domain("worker0", "worker", DomainState::Running)], &["ocp-worker0.img"]);
    assert_eq!(found(&facts, 1), []);
    let found = found(&facts, 0);
    assert_eq!(found[0].0, "VM ocp-worker0 is here, but the inventory places it on bm2");
    assert!(found[0].1.contains("say `host: bm1` for worker0 in nodes.workers.items"), "{found:?}");
    assert!(leaving(&cluster(), &facts).is_empty());
}

#[test]
fn another_clusters_vms_and_the_owners_are_none_of_ours() {
    let mut other = domain("worker7", "worker", DomainState::Running);
    other.xml = other.xml.replace("cluster=\"ocp\"", "cluster=\"other\"");
    let mut own = domain("worker8", "worker", DomainState::Running);
    own.xml = own.xml.replace("ocp2:machine", "own:thing");
    let facts = host(vec![other, own], &[]);
    assert!(leaving(&cluster(), &facts).is_empty());
    assert_eq!(found(&facts, 1), []);
}

#[test]
fn a_vm_that_its_owner_extended_is_ours_all_the_same() {
    let mut extended = domain("worker3", "worker", DomainState::Off);
    let added = "<interface type='user'/><hostdev mode='subsystem' type='pci'/><disk type='block'/>";
    extended.xml = extended.xml.replace("<devices>", &format!("<devices>{added}")).replace(
        "<metadata>",
        "<metadata><other:machine xmlns:other='urn:other' cluster='theirs' role='master'/>",
    );
    assert_eq!(extended.cluster().as_deref(), Some("ocp"));
    assert_eq!(leaving(&cluster(), &host(vec![extended], &[])), ["ocp-worker3"]);
}

#[test]
fn a_vm_is_switched_only_where_it_carries_the_clusters_mark() {
    let cluster = cluster();
    let node = cluster.nodes.iter().find(|node| node.name == "master0").unwrap();
    let own = domain("master0", "master", DomainState::Running);
    let with = |from: &str, to: &str| {
        assert!(own.xml.contains(from), "{}", own.xml);
        host(vec![DomainSeen { xml: own.xml.replace(from, to), ..own.clone() }], &[])
    };

    let facts = host(vec![own.clone()], &[]);
    assert_eq!(own_domain(&cluster, node, &facts).unwrap().unwrap().name, "ocp-master0");
    assert!(own_domain(&cluster, node, &host(vec![], &[])).unwrap().is_none());

    let refused = own_domain(&cluster, node, &with("cluster=\"ocp\"", "cluster=\"other\"")).unwrap_err();
    assert!(refused.what.contains("ocp-master0 is of the cluster other"), "{refused:?}");
    let refused = own_domain(&cluster, node, &with("metadata>", "title>")).unwrap_err();
    assert!(refused.what.contains("ocp-master0 is not ocp2's"), "{refused:?}");

    let silent = Facts { unknown: [("libvirt", "it hangs".to_owned())].into(), ..facts };
    let refused = own_domain(&cluster, node, &silent).unwrap_err();
    assert!(refused.what.contains("could not be asked: it hangs"), "{refused:?}");
}
