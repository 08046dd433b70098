//! The UPI method's temporary VM: when it has to be there, and what is left of it afterwards.

use crate::{
    bringup::{Place, ignition_path, machines::disk_path, ownership::Ownership, storage},
    cluster::Cluster,
    resource::{Facts, Retired},
};

/// Takes the bootstrap VM out of the cluster once the first host remembers that it is needed no more.
///
/// Everything follows from that: the balancers, the names and the VMs are then
/// wanted without it, in the order of the story, so that no balancer still asks
/// it when its VM goes; an interrupted run carries on from wherever it was.
pub fn retire(cluster: &mut Cluster, first: &Facts) {
    cluster.bootstrapped = first.files.contains_key(&Place::of(cluster).milestone("bootstrap"));
}

/// Returns what may be left of the bootstrap VM on a host that needs it no more.
pub(super) fn retired(cluster: &Cluster, host: usize, facts: &Facts) -> Option<Retired> {
    let node = cluster.bootstrap.as_ref().filter(|node| cluster.bootstrapped && node.host == host)?;
    let (place, owned) = (Place::of(cluster), Ownership::of(cluster, facts));
    // What is not certainly ours, or somebody else's VM uses, stays for `down` to say so.
    let (disk, ignition) = (disk_path(cluster, node), ignition_path(cluster, node));
    let goes = owned.has_volume(&disk) && storage::left_to_its_user(&place, facts, &disk).is_none();
    Some(Retired {
        domain: cluster.domain_name(node),
        cluster: cluster.name.clone(),
        pool: place.pool(),
        disk: goes.then_some(disk),
        files: owned.has_artefact(&ignition).then_some(ignition).into_iter().collect(),
    })
}
