//! Phase `hosts`: packages and services that everything else stands on.

use crate::{
    bringup::Place,
    cluster::Cluster,
    resource::{Facts, KvmProof, Manager, Package, Resource, Unit},
};

const APT: &[&str] = &[
    "ca-certificates",
    "curl",
    "dnsmasq-base",
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

pub(super) fn wanted(cluster: &Cluster, facts: &Facts) -> Vec<Resource> {
    let place = Place::of(cluster);
    let manager = facts.system.manager.unwrap_or(Manager::Apt);
    let names = match manager {
        Manager::Apt => APT,
        Manager::Dnf => DNF,
    };
    let package = Package {
        manager,
        names: names.iter().map(|&name| name.to_owned()).collect(),
        quiet: vec!["haproxy.service".into(), "dnsmasq.service".into()],
        record: place.var("before/packages"),
    };
    let mut wanted = vec![Resource::Package(package)];
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

/// Returns the proof of KVM as it is kept on a host.
#[must_use]
pub fn kvm_proof(place: &Place) -> KvmProof {
    KvmProof { path: place.var("kvm") }
}
