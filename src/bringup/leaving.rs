//! VMs that left the inventory: found by their metadata, removed only where the user says so.
//!
//! A worker may leave; its disk stays unless that is said, too. A master may
//! not: etcd counts it as a member, and knows nothing of what is done here.

use crate::{
    bringup::{Finding, Place, machines::disk_path, ownership::Ownership, storage},
    cluster::{Cluster, Node},
    command::{Command, Script, quote},
    resource::{
        Change, Facts,
        hypervisor::{DomainSeen, DomainState},
    },
};

/// Seconds a VM that leaves has to power off by itself.
const POWER_OFF_SECONDS: u32 = 120;

/// What may be removed of VMs that left the inventory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leave {
    /// The VMs.
    pub vms: bool,
    /// Disks that are of no VM any more.
    pub disks: bool,
}

/// A disk that was made for the cluster and is of no VM.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptDisk {
    /// Its file on the host.
    pub path: String,
    /// Virtual size, bytes.
    pub size: u64,
}

/// Returns the workers on a host that are no longer in the inventory, by the names of their domains.
#[must_use]
pub fn leaving(cluster: &Cluster, facts: &Facts) -> Vec<String> {
    leavers(cluster, facts).map(|domain| domain.name.clone()).collect()
}

/// Returns the changes that remove from a host what left, as far as that may be.
#[must_use]
pub fn leave(cluster: &Cluster, host: usize, facts: &Facts, leave: Leave) -> Vec<Change> {
    let mut changes = Vec::new();
    if leave.vms {
        changes.extend(leavers(cluster, facts).flat_map(remove));
    }
    if leave.disks {
        // The disk of a VM that stays is not without one.
        let disks = if leave.vms { disks(cluster, host, facts) } else { kept_disks(cluster, host, facts) };
        let place = Place::of(cluster);
        changes.extend(disks.iter().map(|disk| storage::delete_own_disk(&place, facts, &disk.path)));
    }
    changes
}

/// Lists the disks that stayed when their VMs left.
#[must_use]
pub fn kept_disks(cluster: &Cluster, host: usize, facts: &Facts) -> Vec<KeptDisk> {
    let used: Vec<String> = leavers(cluster, facts).map(|domain| format!("{}.img", domain.name)).collect();
    let of_no_vm = |disk: &KeptDisk| !used.iter().any(|name| disk.path.ends_with(&format!("/{name}")));
    disks(cluster, host, facts).into_iter().filter(of_no_vm).collect()
}

/// Lists what keeps `up` from its work: masters that left, and VMs that would have to move.
pub(super) fn findings(cluster: &Cluster, host: usize, facts: &Facts) -> Vec<Finding> {
    let this = &cluster.hosts[host].name;
    let find = |what: String, fix: String| Finding { host: this.clone(), what, fix };
    let ours = ours(cluster, facts);
    let wrong = ours.filter_map(|domain| match node(cluster, domain) {
        Some(node) if node.host != host => Some(find(
            format!(
                "VM {} is here, but the inventory places it on {}",
                domain.name, cluster.hosts[node.host].name
            ),
            format!(
                "say `host: {this}` for {} in nodes.{}s.items: ocp2 moves no VM from host to host",
                node.name,
                node.role.as_str()
            ),
        )),
        Some(_) => None,
        None if is_worker(domain) => None,
        None => Some(find(
            format!("VM {} is a master that is no longer in the inventory", domain.name),
            "put it back into nodes.masters: etcd counts it as a member, so that ocp2 removes a master only \
             together with its cluster (`ocp2 down`)"
                .into(),
        )),
    });
    wrong.collect()
}

/// Returns the domains of the cluster's nodes on a host. The bootstrap VM is none: it goes by itself.
fn ours<'a>(cluster: &Cluster, facts: &'a Facts) -> impl Iterator<Item = &'a DomainSeen> {
    let all = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
    let bootstrap = cluster.bootstrap.as_ref().map(|node| cluster.domain_name(node));
    all.filter(move |domain| {
        domain.cluster().as_deref() == Some(&cluster.name) && bootstrap.as_ref() != Some(&domain.name)
    })
}

fn leavers<'a>(cluster: &Cluster, facts: &'a Facts) -> impl Iterator<Item = &'a DomainSeen> {
    ours(cluster, facts).filter(|domain| node(cluster, domain).is_none() && is_worker(domain))
}

fn node<'a>(cluster: &'a Cluster, domain: &DomainSeen) -> Option<&'a Node> {
    cluster.nodes.iter().find(|node| cluster.domain_name(node) == domain.name)
}

fn is_worker(domain: &DomainSeen) -> bool {
    domain.role().as_deref() == Some("worker")
}

fn remove(seen: &DomainSeen) -> Vec<Change> {
    let resource = format!("domain {}", seen.name);
    let mut steps = Vec::new();
    if seen.state == DomainState::Running {
        let summary = format!(
            "power it off, it is no longer in the inventory ({POWER_OFF_SECONDS} s, then its power is cut)"
        );
        steps.push(Change::shell(resource, &summary, power_off(&seen.name)));
    }
    steps.extend(seen.removal());
    steps
}

/// Returns the source that asks a VM to power off and waits for it.
fn power_off(domain: &str) -> Script {
    let name = quote(domain);
    Script::new()
        .line("export LC_ALL=C")
        .line(format_args!("runs() {{ [ \"$(virsh -q domstate {name} 2>/dev/null)\" = running ]; }}"))
        .line(format_args!("{} || true", Command::new("virsh").args(["-q", "shutdown", domain])))
        .line(format_args!("for i in $(seq {POWER_OFF_SECONDS}); do runs || break; sleep 1; done"))
}

/// Lists the disks of this cluster's that are of no VM of the inventory's on this host.
fn disks(cluster: &Cluster, host: usize, facts: &Facts) -> Vec<KeptDisk> {
    let pool = Place::of(cluster).pool();
    let told = facts.hypervisor.iter().flat_map(|seen| &seen.volumes).filter(|volume| volume.pool == pool);
    let mut disks: Vec<KeptDisk> =
        told.map(|volume| KeptDisk { path: volume.path.clone(), size: volume.capacity }).collect();
    // libvirt tells nothing of the volumes of a pool that does not run.
    for (path, size) in &facts.listing {
        if !disks.iter().any(|disk| disk.path == *path) {
            disks.push(KeptDisk { path: path.clone(), size: *size });
        }
    }
    let known = cluster.nodes_on(host).chain(&cluster.bootstrap);
    let wanted: Vec<String> = known.map(|node| disk_path(cluster, node)).collect();
    let owned = Ownership::of(cluster, facts);
    disks.retain(|disk| owned.has_volume(&disk.path) && !wanted.contains(&disk.path));
    disks
}
