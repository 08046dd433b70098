//! `network:` — the overlay and the cluster's own networks.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    span::Located,
    value::{Cidr, Mtu},
};

/// The overlay and the cluster's own networks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NetworkSettings {
    /// The VMs' network, on the bridge.
    pub machine_network: Located<Cidr>,
    /// The pods' network.
    pub cluster_network: ClusterNetwork,
    /// The services' network.
    pub service_network: Located<Cidr>,
    /// The cluster's network plugin; `OVNKubernetes` is the only one the release brings.
    pub network_type: Located<String>,
    /// Name of the bridge on every host, at most 15 characters.
    pub bridge: Located<String>,
    /// The tunnel between the hosts.
    pub vxlan: Vxlan,
    /// MTU of the VMs' NICs: `auto` is the smallest underlay MTU less 100.
    pub mtu: Located<Mtu>,
    /// The VMs reach the outside through their own host.
    pub nat: bool,
    /// How the VMs get their addresses.
    pub addressing: Located<Addressing>,
    /// Upstream DNS servers; default: each host's own.
    pub forwarders: Vec<Located<IpAddr>>,
    /// NTP servers of the nodes, names or addresses; default: those of the release.
    pub ntp: Vec<Located<String>>,
    /// Encryption of the tunnel.
    pub encryption: Located<Encryption>,
}

/// The pods' network.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterNetwork {
    /// The whole network.
    pub cidr: Located<Cidr>,
    /// Prefix length of each node's part of it.
    pub host_prefix: Located<u8>,
}

/// The tunnel between the hosts.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Vxlan {
    /// Name of the link, at most 15 characters.
    pub device: Located<String>,
    /// VXLAN network identifier, 1 to 16777215.
    pub vni: Located<u32>,
    /// UDP port.
    pub port: Located<u16>,
}

/// How the VMs get their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Addressing {
    /// `static` where the first host has or can get nmstatectl.
    Auto,
    /// From agent-config.
    Static,
    /// From each host's own dnsmasq.
    Dhcp,
}

/// Encryption of the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Encryption {
    /// The tunnel is readable for whoever is on the way.
    None,
    /// Not in this version.
    Wireguard,
}

const fn cidr(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Located<Cidr> {
    Located::unwritten(Cidr(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)))
}

/// The installer's own defaults, except for the machine network (openshift/installer pkg/types/defaults).
impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            machine_network: cidr(192, 168, 139, 0, 24),
            cluster_network: ClusterNetwork::default(),
            service_network: cidr(172, 30, 0, 0, 16),
            network_type: Located::unwritten("OVNKubernetes".to_owned()),
            bridge: Located::unwritten("br-vm".to_owned()),
            vxlan: Vxlan::default(),
            mtu: Located::unwritten(Mtu::Auto),
            nat: true,
            addressing: Located::unwritten(Addressing::Auto),
            forwarders: Vec::new(),
            ntp: Vec::new(),
            encryption: Located::unwritten(Encryption::None),
        }
    }
}

impl Default for ClusterNetwork {
    fn default() -> Self {
        Self { cidr: cidr(10, 128, 0, 0, 14), host_prefix: Located::unwritten(23) }
    }
}

impl Default for Vxlan {
    fn default() -> Self {
        Self {
            device: Located::unwritten("vxlan0".to_owned()),
            vni: Located::unwritten(39),
            port: Located::unwritten(4789),
        }
    }
}
