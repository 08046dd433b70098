//! The boot image's end: once OpenShift is installed, no VM needs it.

use crate::{
    bringup::Place,
    cluster::{Cluster, Method},
    engine::Fleet,
    install::Error,
    resource::{Facts, File},
};

/// Returns the hosts whose VMs still have the boot image in their drives.
#[must_use]
pub fn with_boot_image(cluster: &Cluster, facts: &[&Facts]) -> Vec<usize> {
    // With an ISO of the user's own, ocp2 does not know when it has done its work.
    if !matches!(cluster.install.method, Method::Agent) {
        return Vec::new();
    }
    let path = Place::of(cluster).ejected();
    (0..facts.len()).filter(|&host| !facts[host].files.contains_key(&path)).collect()
}

/// Remembers on every host that its VMs need the boot image no more; phase `machines` then wants it gone.
///
/// # Errors
/// Returns the failures of all hosts that failed.
pub async fn release_boot_image(fleet: &mut Fleet, cluster: &Cluster) -> Result<usize, Error> {
    fleet.refresh().await?;
    let facts: Vec<&Facts> = fleet.members().iter().map(|member| &member.facts).collect();
    let hosts = with_boot_image(cluster, &facts);
    if hosts.is_empty() {
        return Ok(0);
    }
    fleet.lock().await?;
    let mut changes = vec![Vec::new(); fleet.members().len()];
    for host in &hosts {
        changes[*host] = File::new(Place::of(cluster).ejected(), "").changes(&Facts::default());
    }
    fleet.apply(changes).await?;
    fleet.refresh().await?;
    Ok(hosts.len())
}
