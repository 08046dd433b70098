//! Phase `hosts`: packages and services that everything else stands on.

use crate::{
    bringup::{Place, ownership},
    cluster::Cluster,
    resource::{Facts, KvmProof, Label, Manager, Package, Resource, Unit},
};

const APT: &[&str] = &[
    "ca-certificates",
    "curl",
    "dnsmasq-base",
    "gpgv",
    "haproxy",
    "iproute2",
    "libvirt-clients",
    "libvirt-daemon-system",
    "nftables",
    "openssl",
    "qemu-system-x86",
    "qemu-utils",
];

const DNF: &[&str] = &[
    "ca-certificates",
    "curl",
    "dnsmasq",
    "gnupg2",
    "haproxy",
    "iproute",
    "libvirt-client",
    "libvirt-daemon-driver-qemu",
    "libvirt-daemon-driver-storage-core",
    "nftables",
    "nmstate",
    "openssl",
    "qemu-img",
    "qemu-kvm",
];

/// Brings `semanage`.
const SEMANAGE: &str = "policycoreutils-python-utils";

/// The folder that SELinux's policy labels for disks of VMs by itself.
const LABELLED: &str = "/var/lib/libvirt/images";

pub(super) fn wanted(cluster: &Cluster, facts: &Facts) -> Vec<Resource> {
    let place = Place::of(cluster);
    let manager = facts.system.manager.unwrap_or(Manager::Apt);
    let names = match manager {
        Manager::Apt => APT,
        Manager::Dnf => DNF,
    };
    let mut names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let label = label(cluster, &place).filter(|_| facts.system.selinux);
    if label.is_some() {
        names.push(SEMANAGE.into());
    }
    let package = Package {
        manager,
        names,
        quiet: vec!["haproxy.service".into(), "dnsmasq.service".into()],
        record: place.var("before/packages"),
    };
    let mut wanted: Vec<Resource> = ownership::missing_record(cluster, facts).into_iter().collect();
    wanted.push(Resource::Package(package));
    wanted.extend(label.map(Resource::Label));
    let before = place.var("before/units");
    // Enabled as a service and not only by its socket, for guests are
    // autostarted by the daemon's start and by nothing else.
    let daemons: &[&str] = match manager {
        Manager::Apt => &["libvirtd.service"],
        Manager::Dnf => &["virtqemud.service", "virtstoraged.socket", "virtlogd.socket"],
    };
    wanted.extend(daemons.iter().map(|name| Resource::Unit(Unit::foreign(name, &before))));
    if cluster.machines.prove_kvm {
        wanted.push(Resource::KvmProof(kvm_proof(&place)));
    }
    wanted
}

/// Returns the label of the pool's folder, where it is not below libvirt's own.
fn label(cluster: &Cluster, place: &Place) -> Option<Label> {
    let path = &cluster.machines.pool;
    let label = || Label { path: path.display().to_string(), record: place.var("before/label") };
    (!path.starts_with(LABELLED)).then(label)
}

/// Returns the proof of KVM as it is kept on a host.
#[must_use]
pub fn kvm_proof(place: &Place) -> KvmProof {
    KvmProof { path: place.var("kvm") }
}
