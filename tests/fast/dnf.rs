//! What is sent to a host of the dnf family, with SELinux and firewalld as they are there by default.
//!
//! No such host is part of the lab: what is sent is kept as a snapshot, and read by people.

use std::{fmt::Write as _, path::PathBuf};

use ocp2::{
    bringup::{self, Phase, Place, Removal},
    cluster::Cluster,
    resource::{Action, Change, Facts, FileSeen, Firewall, Manager, Resource, System, UnitSeen},
};

use crate::{inventories, programs::run};

/// RHEL and its rebuilds, and Fedora, as `os-release` has them.
const SYSTEMS: [(&str, &str); 3] = [
    ("rhel", "Red Hat Enterprise Linux 9.6 (Plow)"),
    ("rocky", "Rocky Linux 10.0 (Red Quartz)"),
    ("fedora", "Fedora Linux 42 (Server Edition)"),
];

/// A pool that SELinux's policy knows nothing of.
const POOL: &str = "/data/vms";

fn cluster() -> Cluster {
    let mut cluster = inventories::cluster(&inventories::path("two-hosts"));
    cluster.machines.pool = PathBuf::from(POOL);
    cluster
}

/// Returns a host as it is installed: SELinux enforces, firewalld runs, nothing of ours is there.
fn host(id: &str, name: &str) -> Facts {
    let active = UnitSeen { load: "loaded".into(), active: "active".into(), file: "enabled".into() };
    Facts {
        system: System {
            id: id.into(),
            name: name.into(),
            manager: Some(Manager::Dnf),
            selinux: true,
            ..System::default()
        },
        booleans: [("haproxy_connect_any".to_owned(), false)].into(),
        labels: [(POOL.to_owned(), "default_t".to_owned())].into(),
        firewalls: [Firewall::Firewalld].into(),
        units: [
            ("firewalld.service".to_owned(), active.clone()),
            ("NetworkManager.service".to_owned(), active),
        ]
        .into(),
        ..Facts::default()
    }
}

fn changes(cluster: &Cluster, facts: &Facts, phase: Phase) -> Vec<Change> {
    let wanted = phase.wanted(cluster, 0, facts).unwrap();
    // Files and links are the same on every distribution, and shown elsewhere.
    let chosen = wanted.iter().filter(|resource| {
        matches!(
            resource,
            Resource::Package(_)
                | Resource::Boolean(_)
                | Resource::Label(_)
                | Resource::Unit(_)
                | Resource::Entries(_)
                | Resource::KvmProof(_)
        )
    });
    chosen.flat_map(|resource| resource.changes(facts).unwrap()).collect()
}

fn shown(changes: &[Change]) -> String {
    changes.iter().fold(String::new(), |mut text, change| {
        let Action::Shell(script) = &change.action else { panic!("{change:?}") };
        assert_eq!(run("bash", &["-n"], script.source()).quiet("bash"), "");
        writeln!(text, "# {}: {}\n{}", change.resource, change.summary, script.source()).unwrap();
        text
    })
}

#[test]
fn every_system_of_the_family_is_sent_the_same() {
    let cluster = cluster();
    let sent = SYSTEMS.map(|(id, name)| {
        let facts = host(id, name);
        let phases = [Phase::Hosts, Phase::Overlay, Phase::Nat, Phase::Names, Phase::Balancer];
        let all = phases.iter().flat_map(|phase| changes(&cluster, &facts, *phase));
        shown(&all.collect::<Vec<_>>())
    });
    assert!(sent.iter().all(|text| *text == sent[0]), "{sent:#?}");
    assert!(!sent[0].contains("apt-get install"), "{}", sent[0]);
    insta::with_settings!({
        prepend_module_to_snapshot => false, snapshot_path => "snapshots/dnf", omit_expression => true,
    }, { insta::assert_snapshot!("up", sent[0]) });
}

#[test]
fn what_selinux_had_is_put_back() {
    let cluster = cluster();
    let place = Place::of(&cluster);
    let mut facts = host("rhel", "Red Hat Enterprise Linux 9.6 (Plow)");
    for kept in ["before/booleans/", "before/booleans/haproxy_connect_any", "before/label"] {
        facts.listing.insert(place.var(kept), 1);
    }
    let record = FileSeen {
        mode: 0o644,
        owner: "root:root".into(),
        sha256: String::new(),
        text: Some("haproxy nmstate\n".into()),
    };
    facts.files.insert(place.var("before/packages"), record);
    facts.packages = ["haproxy", "nmstate"]
        .map(|name| (name.to_owned(), ocp2::resource::PackageSeen { version: "1".into() }))
        .into();
    let removed = bringup::removal(&cluster, &facts, Removal { keep_volumes: false, packages: true });
    insta::with_settings!({
        prepend_module_to_snapshot => false, snapshot_path => "snapshots/dnf", omit_expression => true,
    }, { insta::assert_snapshot!("down", shown(&removed)) });
}

#[test]
fn a_pool_below_libvirts_own_folder_is_labelled_already() {
    let mut cluster = cluster();
    cluster.machines.pool = PathBuf::from("/var/lib/libvirt/images/ocp");
    let wanted =
        Phase::Hosts.wanted(&cluster, 0, &host("rhel", "Red Hat Enterprise Linux 9.6 (Plow)")).unwrap();
    for resource in wanted {
        match resource {
            Resource::Label(label) => panic!("{label:?}"),
            Resource::Package(package) => {
                assert!(!package.names.iter().any(|name| name.starts_with("policy")));
            }
            _ => {}
        }
    }
}
