//! When a cluster has begun: from the moment one of its VMs has booted. From then on the installer's inputs are
//! frozen, for they are in the image that the VMs booted from.
//!
//! The mark is written once the VMs of a host are started, so that a start that fails freezes nothing. A run
//! that ends in between leaves VMs that run, and these count as much as the mark; the next run writes it.

use crate::{
    bringup::Place,
    cluster::Cluster,
    resource::{Facts, File, hypervisor::DomainState},
};

/// Tells whether the cluster has begun, as its hosts show.
#[must_use]
pub fn is_begun(cluster: &Cluster, hosts: &[&Facts]) -> bool {
    let place = Place::of(cluster);
    hosts.iter().any(|facts| has_begun(&place, facts))
}

/// Tells whether a VM of the cluster has booted, as far as one host shows.
pub(super) fn has_begun(place: &Place, facts: &Facts) -> bool {
    facts.files.contains_key(&place.begun()) || has_a_vm_on(place, facts)
}

/// Returns the record of the image that the VMs of a host have booted from; `None` where none has booted, or
/// there is no such record.
pub(super) fn booted_from<'a>(place: &Place, facts: &'a Facts) -> Option<&'a str> {
    match facts.files.get(&place.begun()) {
        Some(mark) => mark.text.as_deref(),
        // Nothing makes another image while a VM is on.
        None if has_a_vm_on(place, facts) => facts.text(&place.image()),
        None => None,
    }
}

/// Returns the mark of a host whose VMs are started, where it has none yet: what they have booted from.
pub(super) fn mark(cluster: &Cluster, host: usize, facts: &Facts) -> Option<File> {
    let place = Place::of(cluster);
    // A host without VMs has started none.
    let is_due = !facts.files.contains_key(&place.begun()) && cluster.machines_on(host).next().is_some();
    is_due.then(|| File::new(place.begun(), facts.text(&place.image()).unwrap_or_default()))
}

/// Tells whether a VM of the cluster is on.
fn has_a_vm_on(place: &Place, facts: &Facts) -> bool {
    let mut domains = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
    domains.any(|domain| {
        domain.state != DomainState::Off && domain.cluster().as_deref() == Some(place.cluster())
    })
}
