//! The resolved cluster, as every other room reads it.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use ipnet::Ipv4Net;

use super::{Install, Method};
use crate::{address::Mac, inventory::Role};

/// What a host knows of its own place on the underlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Underlay {
    /// NIC that carries the tunnel; unknown offline where the inventory gives only addresses.
    pub device: Option<String>,
    /// Address the tunnel is bound to on the host (VXLAN `local`).
    pub address: IpAddr,
    /// Address the other hosts send to; differs from `address` behind 1:1 NAT.
    pub peer_address: IpAddr,
    /// MTU of the NIC, bytes.
    pub mtu: u16,
    /// All addresses of the host.
    pub addresses: Vec<IpAddr>,
    /// Where the balancer listens; `None`: nowhere but on the bridge.
    pub public: Option<IpAddr>,
    /// The host's own upstream DNS servers.
    pub resolvers: Vec<IpAddr>,
    /// The host can run, or its packages can bring, `nmstatectl`.
    pub nmstate: bool,
    /// The host has proved that it runs KVM guests.
    pub kvm: bool,
}

/// A whole cluster, resolved.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// `metadata.name` of install-config.
    pub name: String,
    /// `baseDomain` of install-config.
    pub base_domain: String,
    /// Release (`4.18.30`) or channel (`stable-4.18`).
    pub version: String,
    /// The overlay and the cluster's three networks.
    pub network: Network,
    /// Hosts in inventory order; the first one runs the installer.
    pub hosts: Vec<Host>,
    /// Masters first, each kind in its own order.
    pub nodes: Vec<Node>,
    /// The UPI method's temporary VM, which plays the control plane until there is one.
    pub bootstrap: Option<Node>,
    /// The control plane runs by itself: the bootstrap VM is wanted no more.
    pub bootstrapped: bool,
    /// How domains are made.
    pub machines: Machines,
    /// How OpenShift is installed.
    pub install: Install,
    /// `architecture` of install-config's machine pools; `None`: the release's own.
    pub architecture: Option<String>,
    /// `publish` of install-config; `None`: the installer's default.
    pub publish: Option<String>,
    /// Only FIPS 140 validated cryptography.
    pub fips: bool,
    /// `capabilities` of install-config; `None`: the release's default.
    pub capabilities: Option<Capabilities>,
}

/// Which of OpenShift's optional components are installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The set to start from.
    pub baseline: String,
    /// Components beside those of the set.
    pub additional: Vec<String>,
}

/// The overlay and the cluster's networks.
#[derive(Debug, Clone)]
pub struct Network {
    /// The VMs' network, on the bridge.
    pub machine: Ipv4Net,
    /// The pods' network.
    pub cluster: Ipv4Net,
    /// Prefix length of each node's part of `cluster`.
    pub host_prefix: u8,
    /// The services' network.
    pub service: Ipv4Net,
    /// `networkType` of install-config.
    pub network_type: String,
    /// Name of the bridge on every host.
    pub bridge: String,
    /// The tunnel between the hosts.
    pub vxlan: VxlanSettings,
    /// MTU of VM NIC, tap, bridge and tunnel alike, bytes.
    pub mtu: u16,
    /// VMs reach the outside through their own host.
    pub nat: bool,
    /// How the VMs get their addresses.
    pub addressing: Addressing,
    /// Additional NTP sources for the nodes.
    pub ntp: Vec<String>,
}

/// The tunnel's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VxlanSettings {
    /// Name of the link.
    pub device: String,
    /// VXLAN network identifier, 24 bits.
    pub vni: u32,
    /// UDP port (IANA: 4789).
    pub port: u16,
}

/// How the VMs get their addresses, decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// From `networkConfig` in agent-config (needs nmstatectl where the installer runs).
    Static,
    /// From the host's own dnsmasq, pinned by MAC.
    Dhcp,
}

/// One physical server.
#[derive(Debug, Clone)]
pub struct Host {
    /// Name in the inventory.
    pub name: String,
    /// Its place on the underlay.
    pub underlay: Underlay,
    /// Its address on the bridge: gateway, resolver and balancer of its own VMs.
    pub address: Ipv4Addr,
    /// MAC of the bridge.
    pub bridge_mac: Mac,
    /// MAC of the VXLAN link.
    pub vxlan_mac: Mac,
    /// Upstream DNS servers its dnsmasq forwards to.
    pub forwarders: Vec<IpAddr>,
    /// Domain type of its VMs.
    pub virt_type: VirtType,
}

/// Acceleration of the VMs of one host, decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VirtType {
    /// Hardware virtualisation.
    Kvm,
    /// QEMU's own emulation; for rehearsals only.
    Qemu,
}

/// One VM.
#[derive(Debug, Clone)]
pub struct Node {
    /// Short name, `master0`.
    pub name: String,
    /// Control plane or compute.
    pub role: Role,
    /// Index into [`Cluster::hosts`].
    pub host: usize,
    /// Address on the machine network.
    pub address: Ipv4Addr,
    /// MAC of its NIC.
    pub mac: Mac,
    /// Domain UUID, in the usual text form.
    pub uuid: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory, MiB.
    pub memory_mib: u64,
    /// Disk, GiB.
    pub disk_gib: u64,
}

/// How domains are made.
#[derive(Debug, Clone)]
pub struct Machines {
    /// Folder of the storage pool on every host.
    pub pool: PathBuf,
    /// Hosts have to prove that they run KVM guests.
    pub prove_kvm: bool,
}

impl Cluster {
    /// Returns `NAME.BASEDOMAIN`.
    #[must_use]
    pub fn domain(&self) -> String {
        format!("{}.{}", self.name, self.base_domain)
    }

    /// Returns the channel, where the version is one (`stable-4.18`) and no release.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        (!self.version.starts_with(|first: char| first.is_ascii_digit())).then_some(self.version.as_str())
    }

    /// Returns a node's host name, `master0.ocp.example.com`.
    #[must_use]
    pub fn hostname(&self, node: &Node) -> String {
        format!("{}.{}", node.name, self.domain())
    }

    /// Returns a node's libvirt domain name, `ocp-master0`.
    #[must_use]
    pub fn domain_name(&self, node: &Node) -> String {
        format!("{}-{}", self.name, node.name)
    }

    /// Returns the nodes placed on one host.
    pub fn nodes_on(&self, host: usize) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.host == host)
    }

    /// Returns all VMs of one host: its nodes, and the bootstrap VM while it is wanted there.
    pub fn machines_on(&self, host: usize) -> impl Iterator<Item = &Node> {
        self.nodes_on(host).chain(self.bootstrap_vm().filter(move |node| node.host == host))
    }

    /// Returns all VMs of the cluster, the bootstrap VM last.
    pub fn machines(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().chain(self.bootstrap_vm())
    }

    /// Returns the bootstrap VM, as long as it is wanted.
    #[must_use]
    pub fn bootstrap_vm(&self) -> Option<&Node> {
        self.bootstrap.as_ref().filter(|_| !self.bootstrapped)
    }

    /// Returns what a VM is in the cluster: `master`, `worker` or `bootstrap`.
    #[must_use]
    pub fn part(&self, node: &Node) -> &'static str {
        match &self.bootstrap {
            Some(bootstrap) if bootstrap.uuid == node.uuid => "bootstrap",
            _ => node.role.as_str(),
        }
    }

    /// Tells whether VMs are made from a disk image and their ignition.
    #[must_use]
    pub fn is_upi(&self) -> bool {
        matches!(self.install.method, Method::Upi(_))
    }

    /// Returns the nodes of one role.
    pub fn role(&self, role: Role) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(move |node| node.role == role)
    }

    /// Returns the rendezvous node: the first master.
    ///
    /// # Panics
    /// Never: resolving refuses a cluster without masters.
    #[must_use]
    pub fn rendezvous(&self) -> &Node {
        &self.nodes[0]
    }
}

impl Host {
    /// Returns where the outside reaches its balancer; behind 1:1 NAT that is not where it listens.
    #[must_use]
    pub fn published(&self) -> Option<IpAddr> {
        let Underlay { address, peer_address, public, .. } = &self.underlay;
        public.map(|public| if public == *address { *peer_address } else { public })
    }
}

impl Addressing {
    /// Returns the inventory's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Dhcp => "dhcp",
        }
    }
}

impl VirtType {
    /// Returns libvirt's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Qemu => "qemu",
        }
    }
}
