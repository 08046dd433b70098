//! What must be true of a host before anything is changed on it.

use std::collections::BTreeSet;

use crate::{
    bringup::{
        Place, ignition_path, image_path, kvm_proof, leaving, machines::disk_path, neighbours,
        ownership::Ownership,
    },
    cluster::Cluster,
    resource::Facts,
};

/// Memory a host keeps for itself, MiB.
const RESERVE_MIB: u64 = 1024;

/// Most that a host's clock may differ from the workstation's, seconds.
///
/// The installer's own validation compares nodes with the service and allows
/// four minutes; etcd complains at one second between masters. VMs take their
/// first time from their host.
const SKEW_SECONDS: u64 = 30;

/// The first systemd that starts a failed one-shot again (`Restart=on-failure`), as the overlay's at boot is.
const SYSTEMD: u32 = 244;

/// How many names of files are told at once.
const NAMES_SHOWN: usize = 5;

/// Something wrong with a host, with the reason and the fix.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The host.
    pub host: String,
    /// What is wrong, and what it should be.
    pub what: String,
    /// What the user can do.
    pub fix: String,
}

/// Lists what keeps a host from its part; `asked` is the workstation's clock, seconds since the epoch, when it was asked.
#[must_use]
pub fn preflight(cluster: &Cluster, host: usize, facts: &Facts, asked: i64) -> Vec<Finding> {
    let this = &cluster.hosts[host];
    let system = &facts.system;
    let mut findings = Vec::new();
    let mut find = |what: String, fix: &str| {
        findings.push(Finding { host: this.name.clone(), what, fix: fix.to_owned() });
    };
    if facts.files.contains_key(&Place::of(cluster).leaving()) {
        find(
            "`ocp2 down` has begun to remove the cluster here, and did not come to its end".into(),
            "run `ocp2 down` again first: what is left of the cluster does not fit together any more",
        );
    }
    match system.systemd {
        None => find("systemd does not run here".into(), "use a host whose system starts with systemd"),
        Some(version) if version < SYSTEMD => find(
            format!("{} has systemd {version}, and ocp2's units need {SYSTEMD}", system.name),
            "use a newer release: RHEL 9 or a rebuild, Debian 11, Ubuntu 20.04, or later",
        ),
        Some(_) => {}
    }
    if system.manager.is_none() {
        find(
            format!("{} has neither apt-get nor dnf", system.name),
            "use Debian, Ubuntu, Fedora, RHEL or a rebuild",
        );
    }
    if system.architecture != "x86_64" {
        find(format!("the machine is {}, not x86_64", system.architecture), "use an x86_64 server");
    }
    if !system.overlay_links {
        find(
            "the kernel cannot make a bridge and a VXLAN link".into(),
            "load or install the kernel's modules bridge and vxlan (on Debian: the linux-image, not -cloud, package)",
        );
    }
    let skew = system.now.saturating_sub(asked);
    if skew.unsigned_abs() > SKEW_SECONDS {
        find(
            format!(
                "the clock is {} s {} the workstation's",
                skew.unsigned_abs(),
                if skew > 0 { "ahead of" } else { "behind" }
            ),
            "let chrony or systemd-timesyncd run on the host (or set this workstation's clock)",
        );
    }
    let memory: u64 = cluster.machines_on(host).map(|node| node.memory_mib).sum();
    if memory + RESERVE_MIB > system.memory_mib {
        find(
            format!(
                "its VMs need {memory} MiB of memory and the host 1024 MiB for itself, but it has {} MiB in all",
                system.memory_mib
            ),
            "make nodes.*.memory smaller, place fewer VMs on this host, or add a host",
        );
    }
    let pool = cluster.machines.pool.display().to_string();
    let missing = |node: &&crate::cluster::Node| {
        !facts.listing.contains_key(&format!("{pool}/{}.img", cluster.domain_name(node)))
    };
    let disk: u64 = cluster.machines_on(host).filter(missing).map(|node| node.disk_gib * 1024).sum();
    if let Some((_, available)) = facts.system.space.get(&pool)
        && disk > *available
    {
        find(
            format!("the disks of its VMs need {disk} MiB in {pool}, but {available} MiB are free there"),
            "make nodes.*.disk smaller, set machines.pool to a larger file system, or place fewer VMs on this host",
        );
    }
    if cluster.machines.prove_kvm && kvm_proof(&Place::of(cluster)).outcome(facts) == Some(false) {
        find(
            "KVM guests do not run here: a guest of one sector hung or failed under /dev/kvm".into(),
            "turn virtualisation on in the firmware, or set machines.virtType: qemu for a rehearsal without acceleration",
        );
    }
    findings.extend(neighbours::findings(cluster, host, facts));
    findings.extend(leaving::findings(cluster, host, facts));
    findings.extend(strangers(cluster, host, facts).map(|what| Finding {
        host: this.name.clone(),
        what,
        fix: "set machines.pool to a folder of its own, or move these away: ocp2 keeps a whole folder for its VMs".into(),
    }));
    findings
}

/// Says what lies in the pool's folder that is not this cluster's.
///
/// Once libvirt keeps the folder for us, others may put there what they like: it is left alone, unless it is
/// in the place of a disk or an image of ours, which would then be theirs.
fn strangers(cluster: &Cluster, host: usize, facts: &Facts) -> Option<String> {
    let place = Place::of(cluster);
    let pool = cluster.machines.pool.display().to_string();
    let owned = Ownership::of(cluster, facts);
    let is_strange = |name: &&str| {
        let path = format!("{pool}/{name}");
        *name != "lost+found" && !owned.has_volume(&path) && !owned.has_artefact(&path)
    };
    let is_kept = facts.hypervisor.iter().flat_map(|seen| &seen.pools).any(|seen| seen.name == place.pool());
    let machines = cluster.machines_on(host);
    let places = machines.flat_map(|node| [disk_path(cluster, node), ignition_path(cluster, node)]);
    let places: BTreeSet<String> = places.chain([image_path(cluster)]).collect();
    let names: Vec<&str> = if is_kept {
        let taken = places.iter().filter(|path| facts.listing.contains_key(*path));
        taken.filter_map(|path| path.rsplit('/').next()).filter(is_strange).collect()
    } else {
        facts.folders.get(&pool)?.iter().map(String::as_str).filter(is_strange).collect()
    };
    if names.is_empty() {
        return None;
    }
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).copied().collect();
    let more = if names.len() > shown.len() { ", and more" } else { "" };
    Some(format!("{pool} holds what is not this cluster's: {}{more}", shown.join(", ")))
}
