//! Phase `machines`: pool, disks and VMs, and their orderly end at shutdown.

use serde::Serialize;

use crate::{
    bringup::{Place, begun, bootstrap, record},
    cluster::{Cluster, Node, Role},
    render,
    resource::{Domain, Facts, File, Pool, Resource, Unit, Volume},
};

/// Seconds a group of VMs has to power off when the host shuts down.
const STOP_SECONDS: u32 = 120;

pub(super) fn wanted(cluster: &Cluster, host: usize, facts: &Facts) -> Result<Vec<Resource>, render::Error> {
    let place = Place::of(cluster);
    let mut wanted = vec![
        Resource::File(record::decided(cluster)),
        Resource::File(record::nodes(cluster)),
        Resource::Pool(pool(cluster, &place)?),
    ];
    let late = facts.files.contains_key(&place.ejected());
    for node in cluster.machines_on(host) {
        wanted.push(Resource::Volume(volume(cluster, node, &place, late)?));
    }
    wanted.extend(guests(cluster, host, &place)?);
    for node in cluster.machines_on(host) {
        wanted.push(Resource::Domain(Box::new(domain_with(cluster, node, !late)?)));
    }
    wanted.extend(begun::mark(cluster, host, facts).map(Resource::File));
    wanted.extend(bootstrap::retired(cluster, host, facts).map(Resource::Retired));
    Ok(wanted)
}

/// Returns where the boot image is on every host: an ISO, or the disk image that disks are made from.
#[must_use]
pub fn image_path(cluster: &Cluster) -> String {
    let [iso, disk] = image_names(cluster);
    format!("{}/{}", cluster.machines.pool.display(), if cluster.is_upi() { disk } else { iso })
}

/// Returns where the ISO is that VMs boot from, on every host, if the method has one.
fn iso_path(cluster: &Cluster) -> String {
    let [iso, _] = image_names(cluster);
    format!("{}/{iso}", cluster.machines.pool.display())
}

/// Returns the names of boot images, by whatever method: an ISO, and a disk image.
pub(super) fn image_names(cluster: &Cluster) -> [String; 2] {
    ["agent.iso", "rhcos.qcow2"].map(|name| format!("{}-{name}", cluster.name))
}

/// Returns where the ignition of a VM is on its host.
///
/// It holds secrets: root alone reads it, and QEMU by libvirt's leave, which is
/// libvirt's to give and take (owner, SELinux label and AppArmor rule of what
/// `<sysinfo type='fwcfg'>` names, as with a disk). It stays as long as the
/// domain, for QEMU wants to read it at every start.
#[must_use]
pub fn ignition_path(cluster: &Cluster, node: &Node) -> String {
    format!("{}/{}.ign", cluster.machines.pool.display(), cluster.domain_name(node))
}

pub(super) fn disk_name(cluster: &Cluster, node: &Node) -> String {
    format!("{}.img", cluster.domain_name(node))
}

/// Returns where a node's disk is on its host.
pub(super) fn disk_path(cluster: &Cluster, node: &Node) -> String {
    format!("{}/{}", cluster.machines.pool.display(), disk_name(cluster, node))
}

fn pool(cluster: &Cluster, place: &Place) -> Result<Pool, render::Error> {
    #[derive(Serialize)]
    struct Values<'a> {
        name: &'a str,
        path: &'a str,
    }
    let (name, path) = (place.pool(), cluster.machines.pool.display().to_string());
    let xml = render::fill("pool.xml.j2", Values { name: &name, path: &path })?;
    Ok(Pool { name, path, xml })
}

fn volume(cluster: &Cluster, node: &Node, place: &Place, late: bool) -> Result<Volume, render::Error> {
    #[derive(Serialize)]
    struct Values<'a> {
        name: &'a str,
        capacity: u64,
    }
    let (name, capacity) = (disk_name(cluster, node), node.disk_gib << 30);
    let xml = render::fill("volume.xml.j2", Values { name: &name, capacity })?;
    let path = disk_path(cluster, node);
    let (pool, domain) = (place.pool(), cluster.domain_name(node));
    let from = cluster.is_upi().then(|| image_path(cluster));
    Ok(Volume { pool, name, path, capacity, from, xml, domain, late })
}

/// Returns the domain of a node, as it is until the cluster is installed.
///
/// # Errors
/// Returns an error where the template cannot be filled.
pub fn domain(cluster: &Cluster, node: &Node) -> Result<Domain, render::Error> {
    domain_with(cluster, node, true)
}

/// Returns the domain of a node; `in_drive`: the boot image is in its CD drive, if it has one.
fn domain_with(cluster: &Cluster, node: &Node, in_drive: bool) -> Result<Domain, render::Error> {
    #[derive(Serialize)]
    struct Values<'a> {
        kind: &'static str,
        name: &'a str,
        uuid: &'a str,
        cluster: &'a str,
        node: &'a str,
        role: &'static str,
        memory_mib: u64,
        vcpus: u32,
        disk: String,
        iso: Option<String>,
        ignition: Option<String>,
        mac: String,
        bridge: &'a str,
        mtu: u16,
    }
    let name = cluster.domain_name(node);
    let values = Values {
        kind: cluster.hosts[node.host].virt_type.as_str(),
        name: &name,
        uuid: &node.uuid,
        cluster: &cluster.name,
        node: &node.name,
        role: cluster.part(node),
        memory_mib: node.memory_mib,
        vcpus: node.vcpus,
        disk: disk_path(cluster, node),
        iso: (in_drive && !cluster.is_upi()).then(|| iso_path(cluster)),
        ignition: cluster.is_upi().then(|| ignition_path(cluster, node)),
        mac: node.mac.to_string(),
        bridge: &cluster.network.bridge,
        mtu: cluster.network.mtu,
    };
    let xml = render::fill("domain.xml.j2", values)?;
    Ok(Domain { name, cluster: cluster.name.clone(), medium: iso_path(cluster), xml })
}

/// Returns the unit that ends this host's guests in order at shutdown.
///
/// It is never restarted: its stop is the guests' stop.
fn guests(cluster: &Cluster, host: usize, place: &Place) -> Result<Vec<Resource>, render::Error> {
    #[derive(Serialize)]
    struct Script<'a> {
        cluster: &'a str,
        seconds: u32,
        groups: Vec<Vec<String>>,
    }
    #[derive(Serialize)]
    struct UnitFile<'a> {
        cluster: &'a str,
        script: &'a str,
        stop_seconds: u32,
    }
    let group =
        |role| cluster.nodes_on(host).filter(|n| n.role == role).map(|n| cluster.domain_name(n)).collect();
    let bootstrap = cluster.bootstrap_vm().into_iter().filter(|node| node.host == host);
    let bootstrap = bootstrap.map(|node| cluster.domain_name(node)).collect();
    let groups: Vec<Vec<String>> = vec![group(Role::Worker), group(Role::Master), bootstrap];
    let groups: Vec<Vec<String>> = groups.into_iter().filter(|group| !group.is_empty()).collect();
    let stop_seconds = STOP_SECONDS * u32::try_from(groups.len()).unwrap_or(2) + 30;
    let values = Script { cluster: &cluster.name, seconds: STOP_SECONDS, groups };
    let script = File::new(place.etc("guests.sh"), render::fill("guests.sh.j2", values)?).executable();
    let values = UnitFile { cluster: &cluster.name, script: &script.path, stop_seconds };
    let unit = File::new(place.unit_file("guests"), render::fill("guests.service.j2", values)?);
    let name = place.unit("guests");
    let reload = format!("if systemctl is-active --quiet {name}; then systemctl daemon-reload; fi");
    Ok(vec![
        Resource::File(script),
        Resource::File(unit.then(reload)),
        Resource::Unit(Unit { name, runs: None, before: None, follows: false }),
    ])
}
