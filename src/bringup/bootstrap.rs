//! The UPI method's temporary VM: when it has to be there, and what is left of it afterwards.

use crate::{
    bringup::{
        Place, ignition_path,
        machines::{disk_name, disk_path},
    },
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
pub(super) fn retired(cluster: &Cluster, host: usize) -> Option<Retired> {
    let node = cluster.bootstrap.as_ref().filter(|node| cluster.bootstrapped && node.host == host)?;
    Some(Retired {
        domain: cluster.domain_name(node),
        cluster: cluster.name.clone(),
        pool: Place::of(cluster).pool(),
        volume: disk_name(cluster, node),
        disk: disk_path(cluster, node),
        files: vec![ignition_path(cluster, node)],
    })
}
