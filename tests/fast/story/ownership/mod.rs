//! What is ours on a host: written down before it is made, and what is not written down stays.

mod record;
mod removal;

use std::{fs, path::Path, process::Command};

use ocp2::{
    bringup::{self, Place, Removal},
    resource::{
        Change, Facts, FileSeen,
        hypervisor::{DomainState, PoolSeen, Seen, VolumeSeen},
    },
};

use super::{cluster, domain, file, link};

const POOL: &str = "/var/lib/libvirt/images/ocp";

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
