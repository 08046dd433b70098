//! What goes: only what the record names, and only what nobody else refers to.

use std::fs;

use ocp2::{
    bringup::{self, Leave, Removal},
    resource::{Facts, FileSeen, Kind, Owned, record_text, writing_down},
};

use super::{POOL, in_the_pool, populated, with_record, written};
use crate::story::{cluster, file, record};

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
