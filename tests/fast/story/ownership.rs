//! What is ours on a host: written down before it is made, and what is not written down stays.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use ocp2::{
    bringup::{self, Leave, Phase, Place, Removal, STORY, image_folder},
    cluster::Cluster,
    resource::{
        Change, Facts, FileSeen, Kind, Owned, Resource, UnitSeen,
        hypervisor::{DomainState, PoolSeen, Seen, VolumeSeen},
        record_text, writing_down,
    },
};

use super::{cluster, domain, file, link, record};
use crate::inventories;

const POOL: &str = "/var/lib/libvirt/images/ocp";

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

/// Runs the source that writes the record below another folder than /var/lib; returns what it says and the record.
fn written(root: &Path, source: &str) -> (bool, String) {
    let root = root.display().to_string();
    let source = source.replace("/var/lib/", &format!("{root}/")).replace("/data/", &format!("{root}/data/"));
    let source = format!("set -eu -o pipefail\n{source}");
    let done = Command::new("bash").args(["--norc", "-c", &source]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let text = fs::read_to_string(format!("{root}/ocp2/ocp/owned")).unwrap_or_default();
    (done.status.success(), said + &text.replace(&root, ""))
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

fn with_record(seen: FileSeen) -> Facts {
    let mut facts = populated();
    facts.files.insert("/var/lib/ocp2/ocp/owned".into(), seen);
    facts
}

/// A host that an earlier version has brought up: no record, one VM, and things that only look like ours.
fn populated() -> Facts {
    let volume = |name: &str| VolumeSeen {
        pool: "ocp2-ocp".into(),
        name: name.into(),
        path: format!("{POOL}/{name}"),
        capacity: 1,
    };
    let listed =
        ["ocp-master0.img", "ocp-billing.img", "ocp-agent.iso", "ocp-agent.iso.part", "ocp-notes.ign"];
    let mut listing: Vec<String> = listed.iter().map(|name| format!("{POOL}/{name}")).collect();
    listing.extend(["/var/lib/ocp2/ocp/begun".to_owned(), Place::of(&cluster()).unit_file("dns")]);
    let pool = PoolSeen { name: "ocp2-ocp".into(), active: true, autostart: true, xml: String::new() };
    let mut master0 = domain("ocp-master0", Some("ocp"), DomainState::Off);
    assert!(master0.xml.contains(&format!("{POOL}/ocp-master0.img")), "{}", master0.xml);
    master0.live = None;
    let mut bridge = link("br-vm", Some("bridge"), 1400, &[]);
    bridge.alias = Some("ocp2:ocp".into());
    Facts {
        links: vec![bridge, link("vxlan7", Some("vxlan"), 1400, &[])],
        listing: listing.into_iter().map(|path| (path, 1)).collect(),
        files: [("/etc/ocp2/ocp/haproxy.cfg".to_owned(), file(""))].into(),
        nft_tables: [("ocp2_ocp".to_owned(), String::new())].into(),
        hypervisor: Some(Seen {
            pools: vec![pool],
            volumes: ["ocp-master0.img", "ocp-billing.img", "billing-db.qcow2"].map(volume).into(),
            domains: vec![master0, domain("mine", None, DomainState::Running)],
        }),
        ..Facts::default()
    }
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

/// Returns what `down` does in the pool's folder.
fn in_the_pool(facts: &Facts, options: Removal) -> (Vec<String>, Vec<String>) {
    let changes = bringup::removal(&cluster(), facts, options);
    let is_there = |change: &&Change| {
        change.resource.starts_with("volume") || change.resource.contains("/var/lib/libvirt/images")
    };
    let (left, goes): (Vec<&Change>, Vec<&Change>) =
        changes.iter().filter(is_there).partition(|c| c.is_manual());
    let named = |changes: Vec<&Change>| changes.iter().map(|change| change.resource.clone()).collect();
    (named(goes), named(left))
}

#[test]
fn down_takes_what_is_certain_where_there_is_no_record_and_leaves_the_rest() {
    let (goes, left) = in_the_pool(&populated(), Removal::default());
    let iso = format!("file {POOL}/ocp-agent.iso");
    assert_eq!(goes, ["volume ocp-master0.img".to_owned(), iso.clone(), format!("{iso}.part")]);
    assert_eq!(left, ["ocp-billing.img", "ocp-notes.ign"].map(|name| format!("file {POOL}/{name}")));
}

#[test]
fn down_takes_what_the_record_names_and_leaves_the_rest() {
    let volume = format!("volume {POOL}/ocp-master0.img");
    let folders = ["folder /var/lib/libvirt/images/ocp", "folder /var/lib/libvirt/images"];
    let mut facts = with_record(record(&[folders[0], folders[1], &volume]));
    let (goes, left) = in_the_pool(&facts, Removal::default());
    assert_eq!(goes, ["volume ocp-master0.img", folders[0]]);
    let files = ["ocp-billing.img", "ocp-agent.iso", "ocp-agent.iso.part", "ocp-notes.ign"];
    assert_eq!(left, files.map(|name| format!("file {POOL}/{name}")));
    let changes = bringup::removal(&cluster(), &facts, Removal::default());
    let folder = changes.iter().find(|change| change.resource == folders[0]).unwrap();
    let ocp2::resource::Action::Shell(script) = &folder.action else { panic!("{folder:?}") };
    // What was made for it above goes after it, and only while it is empty.
    assert!(script.source().starts_with(&format!("rmdir {POOL} /var/lib/libvirt/images 2>")), "{script:?}");
    // With something of others in it the folder stays, and `down` says what it holds.
    facts.folders.insert(POOL.into(), ["ocp-master0.img", "billing-db.qcow2"].map(str::to_owned).into());
    let changes = bringup::removal(&cluster(), &facts, Removal::default());
    let folder = changes.iter().find(|change| change.resource == folders[0]).unwrap();
    assert!(folder.is_manual() && folder.summary.ends_with(": billing-db.qcow2"), "{folder:?}");
    // A folder that was there before is never touched.
    let (goes, _) = in_the_pool(&with_record(record(&[&volume])), Removal::default());
    assert_eq!(goes, ["volume ocp-master0.img"]);
}

#[test]
fn kept_disks_are_remembered_and_a_later_down_deletes_them() {
    let volume = format!("volume {POOL}/ocp-master0.img");
    let facts = with_record(record(&["link br-vm", "folder /var/lib/libvirt/images/ocp", &volume]));
    let keep = Removal { keep_volumes: true, packages: false };
    let changes = bringup::removal(&cluster(), &facts, keep);
    let ocp2::resource::Action::Shell(script) = &changes.last().unwrap().action else { panic!() };
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("ocp2/ocp/before")).unwrap();
    fs::write(root.path().join("ocp2/ocp/begun"), "").unwrap();
    let source = script.source().replace("systemctl", "true");
    let left = format!("ocp2-owned 1\nfolder {}\n{volume}\n", POOL.replace("/var/lib", ""));
    assert_eq!(written(root.path(), &source), (true, left.replace("/var/lib", "")));
    let names: Vec<_> =
        fs::read_dir(root.path().join("ocp2/ocp")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["owned"]);

    // What is left is known: nothing to do for the same `down`, the disk for one without --keep-volumes.
    let kept = [Owned::new(Kind::Folder, POOL), Owned::new(Kind::Volume, format!("{POOL}/ocp-master0.img"))];
    let facts = Facts {
        listing: [
            format!("{POOL}/ocp-master0.img"),
            "/var/lib/ocp2/ocp/owned".into(),
            "/var/lib/ocp2/ocp/".into(),
        ]
        .map(|path| (path, 1))
        .into(),
        files: [(
            "/var/lib/ocp2/ocp/owned".to_owned(),
            FileSeen { mode: 0o600, ..file(&record_text(&kept.into())) },
        )]
        .into(),
        ..Facts::default()
    };
    let again = bringup::removal(&cluster(), &facts, keep);
    assert!(again.is_empty(), "{again:#?}");
    let changes = bringup::removal(&cluster(), &facts, Removal::default());
    let gone: Vec<&str> = changes.iter().map(|change| change.resource.as_str()).collect();
    assert_eq!(gone, [&*volume, "folder /var/lib/libvirt/images/ocp", "folder /var/lib/ocp2/ocp/"]);
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

#[test]
fn disks_go_with_their_vms_only_where_the_record_names_them() {
    let facts = populated();
    let leave = |facts: &Facts| bringup::leave(&cluster(), 0, facts, Leave { vms: true, disks: true });
    assert!(leave(&facts).is_empty(), "{:#?}", leave(&facts));
    let billing = with_record(record(&["volume /var/lib/libvirt/images/ocp/ocp-billing.img"]));
    let changes = leave(&billing);
    assert_eq!(
        changes.iter().map(|change| change.resource.as_str()).collect::<Vec<_>>(),
        ["volume ocp-billing.img"]
    );
}

#[test]
fn a_host_is_marked_before_anything_goes_and_an_up_is_refused_until_all_is_gone() {
    let cluster = cluster();
    let facts = populated();
    let changes = bringup::departure(&cluster, &facts);
    let named: Vec<&str> = changes.iter().map(|change| change.resource.as_str()).collect();
    assert_eq!(named, ["record /var/lib/ocp2/ocp/owned", "file /var/lib/ocp2/ocp/leaving"]);
    // Both are one record's lines: what can be derived now is there before half of it is gone.
    let source = writing_down("ocp", &changes, &facts).source().to_owned();
    assert!(source.contains("'volume /var/lib/libvirt/images/ocp/ocp-master0.img'"), "{source}");
    let mut marked = with_record(record(&[]));
    marked.files.insert("/var/lib/ocp2/ocp/leaving".into(), file(""));
    assert!(bringup::departure(&cluster, &marked).is_empty());
    let refused = |facts: &Facts| {
        let findings = bringup::preflight(&cluster, 0, facts, 0);
        findings.iter().any(|finding| finding.what.starts_with("`ocp2 down` has begun"))
    };
    assert!(refused(&marked) && !refused(&facts));
}
