//! What `plan` and `up` say and do about VMs that left the inventory.

use serde::Serialize;

use crate::{
    bringup::{self, KeptDisk, Leave},
    cli::site::Site,
    cluster::Cluster,
    engine::Member,
    resource::Change,
};

/// The disk of a VM that left the inventory; it is no difference, and shown so that it is not forgotten.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptJson {
    host: String,
    #[serde(flatten)]
    disk: KeptDisk,
}

/// Returns the VMs that left the inventory, each with its host.
pub(super) fn leavers(site: &Site, cluster: &Cluster) -> Vec<String> {
    let members = site.fleet.members().iter();
    let on = |member: &Member| {
        let names = bringup::leaving(cluster, &member.facts);
        names.into_iter().map(|name| format!("{name} on {}", member.session.name())).collect::<Vec<_>>()
    };
    members.flat_map(on).collect()
}

/// Returns the changes that remove what left the inventory, one list per host.
pub(super) fn changes(site: &Site, cluster: &Cluster, leave: Leave) -> Vec<Vec<Change>> {
    let members = site.fleet.members().iter().enumerate();
    let of = |(host, member): (usize, &Member)| bringup::leave(cluster, host, &member.facts, leave);
    members.map(of).collect()
}

/// Lists the disks that stayed when their VMs left the inventory.
pub(super) fn kept(site: &Site, cluster: &Cluster) -> Vec<KeptJson> {
    let members = site.fleet.members().iter().enumerate();
    let on = |(host, member): (usize, &Member)| {
        let name = member.session.name().to_owned();
        let disks = bringup::kept_disks(cluster, host, &member.facts).into_iter();
        disks.map(move |disk| KeptJson { host: name.clone(), disk }).collect::<Vec<_>>()
    };
    members.flat_map(on).collect()
}

/// Says which disks were kept, and how to be rid of them.
pub(super) fn shown(kept: &[KeptJson]) -> String {
    let line = |kept: &KeptJson| format!("  {} on {}\n", kept.disk.path, kept.host);
    let lines: String = kept.iter().map(line).collect();
    if lines.is_empty() {
        return lines;
    }
    format!("\nDisks kept of VMs that left the inventory (`ocp2 up --delete-volumes` deletes them):\n{lines}")
}
