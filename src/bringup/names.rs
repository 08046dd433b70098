//! Phase `names`: the cluster's DNS, one server per host, for the VMs of all of them.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use crate::{
    address::Mac,
    bringup::{
        Place,
        daemon::{daemon, listens},
    },
    cluster::{Addressing, Cluster},
    command::Command,
    render,
    resource::{File, Listener, Resource},
};

#[derive(Serialize)]
struct Settings<'a> {
    cluster: &'a str,
    address: Ipv4Addr,
    forwarders: &'a [IpAddr],
    domain: String,
    reverse_zones: Vec<String>,
    hosts_file: String,
    dhcp: bool,
    network: Ipv4Addr,
    netmask: Ipv4Addr,
    dhcp_file: String,
    lease_file: String,
    mtu: u16,
}

#[derive(Serialize)]
struct Records<'a> {
    cluster: &'a str,
    domain: String,
    address: Ipv4Addr,
    nodes: Vec<Record<'a>>,
}

#[derive(Serialize)]
struct Record<'a> {
    name: &'a str,
    hostname: String,
    address: Ipv4Addr,
    mac: Mac,
}

pub(super) fn wanted(cluster: &Cluster, host: usize) -> Result<Vec<Resource>, render::Error> {
    let place = Place::of(cluster);
    let this = &cluster.hosts[host];
    let config = config(cluster, host, &place)?;
    let records = Records {
        cluster: &cluster.name,
        domain: cluster.domain(),
        address: this.address,
        nodes: cluster.machines().map(|node| record(cluster, node)).collect(),
    };
    let hosts = File::new(place.etc("hosts"), render::fill("hosts.j2", &records)?);
    let own =
        Records { nodes: cluster.machines_on(host).map(|node| record(cluster, node)).collect(), ..records };
    let dhcp = File::new(place.etc("dhcp-hosts"), render::fill("dhcp-hosts.j2", &own)?);
    // For programs on this host that must resolve the cluster's names (the installer), and only for them.
    let resolver = format!("# Made by ocp2 for cluster {}.\nnameserver {}\n", cluster.name, this.address);
    let resolver = File::new(place.etc("resolv.conf"), resolver);

    let served = ["udp", "tcp"].map(|protocol| format!("{protocol}/{}:53", this.address));
    let [unit_file, unit] = daemon(cluster, "dns", &config, &[&config], &[&hosts, &dhcp], &served)?;
    let name = place.unit("dns");
    let address = IpAddr::V4(this.address);
    let mut sockets = vec![("udp", address, 53), ("tcp", address, 53)];
    if serves_addresses(cluster) {
        sockets.push(("udp", address, 67));
    }
    Ok(vec![
        Resource::Listener(Listener { unit: name, sockets }),
        Resource::File(hosts),
        Resource::File(dhcp),
        Resource::File(config),
        Resource::File(resolver),
        listens(cluster)?,
        unit_file,
        unit,
    ])
}

fn config(cluster: &Cluster, host: usize, place: &Place) -> Result<File, render::Error> {
    let (network, this) = (&cluster.network, &cluster.hosts[host]);
    let values = Settings {
        cluster: &cluster.name,
        address: this.address,
        forwarders: &this.forwarders,
        domain: cluster.domain(),
        reverse_zones: reverse_zones(cluster),
        hosts_file: place.etc("hosts"),
        dhcp: serves_addresses(cluster),
        network: network.machine.network(),
        netmask: network.machine.netmask(),
        dhcp_file: place.etc("dhcp-hosts"),
        lease_file: place.var("dnsmasq.leases"),
        mtu: network.mtu,
    };
    let content = render::fill("dnsmasq.conf.j2", values)?;
    Ok(File::new(place.etc("dnsmasq.conf"), content)
        .checked_by(Command::new("dnsmasq").args(["--test", "-C"])))
}

/// Tells whether VMs ask for their addresses, if only once.
///
/// A VM that is made from the RHCOS disk image fetches its configuration before
/// it has one: its initramfs asks by DHCP, and only an edited image or a boot
/// menu could tell it otherwise. With static addressing that configuration then
/// holds the same address, and the lease is asked for no more.
fn serves_addresses(cluster: &Cluster) -> bool {
    cluster.network.addressing == Addressing::Dhcp || cluster.is_upi()
}

fn record<'a>(cluster: &Cluster, node: &'a crate::cluster::Node) -> Record<'a> {
    Record { name: &node.name, hostname: cluster.hostname(node), address: node.address, mac: node.mac }
}

/// Returns the reverse zones of the machine network: in-addr.arpa has a label per octet.
fn reverse_zones(cluster: &Cluster) -> Vec<String> {
    let network = cluster.network.machine;
    let labels = network.prefix_len().div_ceil(8).clamp(1, 3);
    // Networks between /24 and /32 share a zone; a /20 has sixteen of them.
    let subnets = network.subnets((labels * 8).max(network.prefix_len())).into_iter().flatten();
    let zone = |address: Ipv4Addr| {
        let octets = address.octets();
        let labels: Vec<String> =
            octets[..usize::from(labels)].iter().rev().map(ToString::to_string).collect();
        format!("{}.in-addr.arpa", labels.join("."))
    };
    let mut zones: Vec<String> = subnets.map(|subnet| zone(subnet.network())).collect();
    zones.dedup();
    zones
}
