//! What has to pass on a host, whoever filters there.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::{cluster::Cluster, resource::Facts};

/// TCP ports of the balancer that the outside reaches.
pub(super) const PUBLIC: [u16; 3] = [80, 443, 6443];
/// TCP ports on the bridge, the balancer's first; 22623 hands out machine configurations.
/// By the last one images go from host to host; nobody listens there at other times.
pub(super) const BRIDGE: [u16; 5] = [80, 443, 6443, 22623, RELAY_PORT];

/// TCP port on the bridge where a host gives an image to the next one.
pub const RELAY_PORT: u16 = 22625;

/// The traffic of one host.
#[derive(Debug, Serialize)]
pub(super) struct Traffic {
    /// The cluster.
    pub cluster: String,
    /// The VMs' bridge.
    pub bridge: String,
    /// Their network.
    #[serde(skip)]
    pub network: Ipv4Net,
    /// Our address on it.
    pub address: Ipv4Addr,
    /// Devices by which VMs leave: the default route's and the underlay's. Not all
    /// there are, for a VM has no business in a neighbour's containers.
    pub outward: BTreeSet<String>,
    /// Who sends tunnel packets.
    pub peers: Vec<Peer>,
    /// The tunnel's port.
    pub port: u16,
    /// Where the balancer listens for the outside.
    pub public: Option<IpAddr>,
    /// Family of `public`, as firewalld calls it.
    pub public_family: &'static str,
    /// The ports there.
    pub public_ports: [u16; 3],
    /// The ports on the bridge.
    pub bridge_ports: [u16; 5],
}

/// Another host.
#[derive(Debug, Serialize)]
pub(super) struct Peer {
    /// Its address as seen from here.
    pub address: IpAddr,
    /// Our address it sends to.
    pub local: IpAddr,
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
}

impl Traffic {
    /// Returns the traffic of one host.
    pub fn of(cluster: &Cluster, host: usize, facts: &Facts) -> Self {
        let (network, this) = (&cluster.network, &cluster.hosts[host]);
        let others = cluster.hosts.iter().enumerate().filter(|(index, _)| *index != host);
        let peer = |address: IpAddr| Peer { address, local: this.underlay.address, family: family(address) };
        let routes = facts.routes.iter().map(|route| route.dev.clone()).filter(|dev| !dev.is_empty());
        let outward =
            if network.nat { routes.chain(this.underlay.device.clone()).collect() } else { BTreeSet::new() };
        Self {
            cluster: cluster.name.clone(),
            bridge: network.bridge.clone(),
            network: network.machine,
            address: this.address,
            outward,
            peers: others.map(|(_, other)| peer(other.underlay.peer_address)).collect(),
            port: network.vxlan.port,
            public: this.underlay.public,
            public_family: this.underlay.public.map_or("ipv4", family),
            public_ports: PUBLIC,
            bridge_ports: BRIDGE,
        }
    }
}

/// Returns ports as iptables and ufw take several.
pub(super) fn list(ports: &[u16]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ipv4" } else { "ipv6" }
}
