//! What works, and what its user should know before relying on it.

use super::{Cluster, Role};
use crate::inventory::Warning;

/// etcd stops where more than half of the masters are gone with one host.
pub(super) fn quorum(cluster: &Cluster) -> Option<Warning> {
    let masters = cluster.role(Role::Master).count();
    let on = |host: usize| cluster.nodes_on(host).filter(|node| node.role == Role::Master).count();
    let heavy = (0..cluster.hosts.len()).find(|&host| masters > 1 && masters - on(host) <= masters / 2)?;
    let advice = if cluster.hosts.len() < 3 { "; a third host would let any one fail" } else { "" };
    let message = format!(
        "{} runs {} of {masters} masters: without it the cluster has no quorum{advice}",
        cluster.hosts[heavy].name,
        on(heavy)
    );
    Some(Warning { field: "hosts".to_owned(), message })
}
