//! The domain of a node: found by its name, ours only by its mark.

use crate::{
    bringup::Finding,
    cluster::{Cluster, Node},
    resource::{Facts, hypervisor::DomainSeen},
};

/// Returns a node's domain on its host; `None` where there is none yet.
///
/// # Errors
/// Returns a finding where libvirt did not say, or where the domain of that name is not this cluster's.
pub fn own_domain<'a>(
    cluster: &Cluster,
    node: &Node,
    facts: &'a Facts,
) -> Result<Option<&'a DomainSeen>, Finding> {
    let host = &cluster.hosts[node.host].name;
    let find = |what: String, fix: String| Finding { host: host.clone(), what, fix };
    if let Some(reason) = facts.unknown.get("libvirt") {
        return Err(find(
            format!("whether {} is there is unknown, for libvirt could not be asked: {reason}", node.name),
            "see to it that `virsh -c qemu:///system list --all` answers there".into(),
        ));
    }
    let name = cluster.domain_name(node);
    let mut domains = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
    let Some(domain) = domains.find(|domain| domain.name == name) else { return Ok(None) };
    if let Some(reason) = domain.unreadable() {
        return Err(find(
            format!("whose the VM {name} is is unknown, for its description cannot be read: {reason}"),
            format!("see `virsh dumpxml {name}` there: ocp2 switches no VM that it cannot read"),
        ));
    }
    match domain.cluster() {
        Some(marked) if marked == cluster.name => Ok(Some(domain)),
        marked => {
            let owner = marked.map_or("not ocp2's".into(), |other| format!("of the cluster {other}"));
            Err(find(
                format!("the VM {name} is {owner}: it is not switched on or off"),
                format!(
                    "rename it (virsh domrename), or call this cluster something else than {}",
                    cluster.name
                ),
            ))
        }
    }
}
