//! What the record says, and when it is believed.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

use ocp2::{
    bringup::{self, Leave, Phase, Place, Removal, STORY, image_folder},
    cluster::Cluster,
    resource::{Change, Facts, FileSeen, Kind, Owned, Resource, UnitSeen, writing_down},
};

use super::{POOL, in_the_pool, populated, with_record, written};
use crate::{
    inventories,
    story::{cluster, file, record},
};

/// Returns the changes that make everything on a host, from nothing.
fn all_changes(cluster: &Cluster, host: usize) -> Vec<Change> {
    let loaded = UnitSeen { load: "loaded".into(), ..UnitSeen::default() };
    let units = ["NetworkManager.service", "firewalld.service"].map(|name| (name.to_owned(), loaded.clone()));
    let facts = Facts {
        units: units.into(),
        settings: [("net.ipv4.ip_forward".to_owned(), "0".to_owned())].into(),
        firewalls: ocp2::resource::Firewall::ALL.into(),
        labels: [(cluster.machines.pool.display().to_string(), String::new())].into(),
        ..Facts::default()
    };
    let wanted = STORY.iter().flat_map(|phase| phase.wanted(cluster, host, &facts).unwrap());
    let nothing = Facts { labels: facts.labels.clone(), ..Facts::default() };
    let mut changes: Vec<Change> = wanted.flat_map(|wanted| wanted.changes(&nothing).unwrap()).collect();
    changes.push(image_folder(cluster, host));
    changes
}

#[test]
fn whatever_is_made_says_so_and_may_stand_in_the_record() {
    for name in ["two-hosts", "upi"] {
        let cluster = inventories::cluster(&inventories::path(name));
        for host in 0..cluster.hosts.len() {
            let changes = all_changes(&cluster, host);
            let makes: BTreeSet<Owned> = changes.iter().flat_map(|change| change.makes.clone()).collect();
            let lines: BTreeSet<String> = makes.iter().map(ToString::to_string).collect();
            for change in changes.iter().filter(|change| change.summary.starts_with("create")) {
                let (kind, named) = change.resource.split_once(' ').unwrap();
                let line = match kind {
                    "bridge" | "vxlan" => format!("link {named}"),
                    "volume" => format!("volume {}/{named}", cluster.machines.pool.display()),
                    _ => change.resource.clone(),
                };
                assert!(lines.contains(&line), "{name}: nobody writes down {line}: {lines:#?}");
            }
            for kind in [Kind::Domain, Kind::Folder, Kind::Pool, Kind::Table, Kind::Unit] {
                assert!(makes.iter().any(|owned| owned.kind == kind), "{name}: no {kind:?}");
            }
            assert!(lines.contains("file /run/sysctl.d/ocp2-ocp.forwarding.conf"), "{name}: {lines:#?}");
            let image = bringup::image_path(&cluster);
            assert!(lines.contains(&format!("file {image}")), "{name}: {lines:#?}");
            let lines: Vec<String> = makes.iter().map(ToString::to_string).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let mut facts = Facts::default();
            facts.files.insert(Place::of(&cluster).owned(), record(&lines));
            assert_eq!(bringup::unfit(&cluster, "bm1", &facts), None, "ocp2 refuses its own record");
        }
    }
}

#[test]
fn a_record_grows_by_what_is_made_and_by_the_folders_that_are_not_there() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("data")).unwrap();
    let make = |owned: &[Owned]| {
        vec![Change::shell("x".into(), "make", ocp2::command::Script::new()).making(owned.to_vec())]
    };
    let folder = Owned::new(Kind::Folder, "/data/a/b/ocp");
    let first = make(&[Owned::new(Kind::Link, "vxlan0"), folder.clone(), Owned::new(Kind::Link, "br-vm")]);
    let source = writing_down("ocp", &first, &Facts::default()).source().to_owned();
    let all =
        "ocp2-owned 1\nfolder /data/a\nfolder /data/a/b\nfolder /data/a/b/ocp\nlink br-vm\nlink vxlan0\n";
    assert_eq!(written(root.path(), &source), (true, all.to_owned()));
    let mode = fs::metadata(root.path().join("ocp2/ocp/owned")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Again, after the folders were made: nothing is lost, and nothing is there twice.
    fs::create_dir_all(root.path().join("data/a/b/ocp")).unwrap();
    assert_eq!(written(root.path(), &source), (true, all.to_owned()));
    // Somebody else's folder is never written down.
    let other = make(&[Owned::new(Kind::Folder, "/data/a"), Owned::new(Kind::Pool, "ocp2-ocp")]);
    let other = writing_down("ocp", &other, &Facts::default()).source().to_owned();
    fs::remove_file(root.path().join("ocp2/ocp/owned")).unwrap();
    assert_eq!(written(root.path(), &other), (true, "ocp2-owned 1\npool ocp2-ocp\n".to_owned()));
    // What is known to be there costs no script.
    let mut facts = Facts::default();
    facts.files.insert("/var/lib/ocp2/ocp/owned".into(), file(all));
    assert_eq!(writing_down("ocp", &first, &facts).source(), "");
    // Another ocp2's is not touched.
    fs::write(root.path().join("ocp2/ocp/owned"), "ocp2-owned 2\nthing x\n").unwrap();
    let (done, said) = written(root.path(), &source);
    assert!(
        !done && said.contains("is of another ocp2") && said.ends_with("ocp2-owned 2\nthing x\n"),
        "{said}"
    );
}

fn adopted(facts: &Facts) -> Vec<Change> {
    let wanted = Phase::Hosts.wanted(&cluster(), 0, facts).unwrap();
    let record = wanted.iter().filter(|resource| matches!(resource, Resource::Record(_)));
    record.flat_map(|record| record.changes(facts).unwrap()).collect()
}

#[test]
fn a_host_of_an_earlier_version_gets_a_record_of_what_is_certain() {
    let changes = adopted(&populated());
    let [change] = &changes[..] else { panic!("{changes:#?}") };
    assert_eq!(change.resource, "record /var/lib/ocp2/ocp/owned");
    assert_eq!(
        change.summary,
        "write down what is ours: 1 domain, 3 files, 1 link, 1 pool, 1 table, 1 unit, 1 volume"
    );
    let lines: Vec<String> = change.makes.iter().map(ToString::to_string).collect();
    let expected = [
        "domain ocp-master0",
        "file /etc/ocp2/ocp/haproxy.cfg",
        "file /etc/systemd/system/ocp2-ocp-dns.service",
        "file /var/lib/libvirt/images/ocp/ocp-agent.iso",
        "link br-vm",
        "pool ocp2-ocp",
        "table ocp2_ocp",
        "unit ocp2-ocp-dns.service",
        "volume /var/lib/libvirt/images/ocp/ocp-master0.img",
    ];
    assert_eq!(lines, expected);
    // Where there is a record, and where nothing of ocp2's is, there is nothing to write down.
    assert!(adopted(&with_record(record(&[]))).is_empty());
    let mut foreign = populated();
    foreign.hypervisor.as_mut().unwrap().domains.remove(0);
    foreign.listing.retain(|path, _| !path.starts_with("/var/lib/ocp2"));
    assert!(adopted(&foreign).is_empty());
    assert!(adopted(&Facts::default()).is_empty());
}

#[test]
fn a_record_that_may_be_forged_is_a_finding_and_nothing_is_done_on_its_word() {
    let forged = [
        "volume ../../etc/passwd",
        "volume /",
        "folder /",
        "volume /etc/passwd",
        "volume /var/lib/libvirt/images/ocp/../../../../../etc/passwd",
        "volume /var/lib/libvirt/images/ocp/billing-db.qcow2",
        "volume /var/lib/libvirt/images/ocp/ocp-master0.img/../x.img",
        "file /etc/passwd",
        "file /var/lib/libvirt/images/ocp/billing-db.qcow2",
        "folder /var/lib/libvirt/images/ocp/inside",
        "folder /home",
        "unit ssh.service",
        "pool default",
        "table filter",
        "domain mine",
    ];
    let found = |facts: &Facts| bringup::unfit(&cluster(), "bm1", facts);
    let nothing = |facts: &Facts| {
        let (goes, _) = in_the_pool(facts, Removal::default());
        assert_eq!(goes, [""; 0]);
        let leave = bringup::leave(&cluster(), 0, facts, Leave { vms: true, disks: true });
        assert!(leave.iter().all(|change| !change.resource.starts_with("volume")), "{leave:#?}");
        assert_eq!(bringup::kept_disks(&cluster(), 0, facts), []);
    };
    let disk = format!("volume {POOL}/ocp-worker9.img");
    for line in forged {
        let facts = with_record(record(&[&disk, line]));
        let finding = found(&facts).unwrap_or_else(|| panic!("{line} is believed"));
        assert!(finding.what.contains("/var/lib/ocp2/ocp/owned, is not believed"), "{finding:?}");
        nothing(&facts);
    }
    let link = with_record(FileSeen { mode: 0o777, ..record(&[&disk]) });
    assert!(found(&link).unwrap().what.contains("symbolic link"));
    nothing(&link);
    let newer = with_record(FileSeen { mode: 0o600, ..file("ocp2-owned 2\n") });
    let finding = found(&newer).unwrap();
    assert!(finding.what.contains(r#"first line is "ocp2-owned 2""#), "{finding:?}");
    assert_eq!(finding.fix, "use the ocp2 that brought this cluster up, or a later one");
    nothing(&newer);
    assert_eq!(found(&with_record(record(&[&disk]))), None);
    assert_eq!(found(&populated()), None);
}
