//! install-config.yaml and agent-config.yaml, the two files `openshift-install agent` reads.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::{
    address::Mac,
    cluster::{Addressing, Cluster, Node, Role, TrustBundlePolicy},
    render::{self, Error},
    secret::Secret,
};

/// Name of a VM's NIC: virtio at bus 1, slot 0 of a q35 machine, as systemd names it.
pub const INTERFACE: &str = "enp1s0";

/// Disk of a VM the installer writes to: the only virtio one.
pub const DISK: &str = "/dev/vda";

/// What stands for a secret where one would be seen.
const MASK: &str = "•••";

/// Renders install-config.yaml.
///
/// # Errors
/// Where the template asks for what there is not.
pub fn install_config(cluster: &Cluster, pull_secret: &Secret) -> Result<Secret, Error> {
    let expose = |secret: &Secret| secret.expose().to_owned();
    render_install_config(cluster, one_line(pull_secret), expose).map(Secret::new)
}

/// Renders install-config.yaml with a mask in place of every secret, for eyes.
///
/// # Errors
/// Where the template asks for what there is not.
pub fn install_config_masked(cluster: &Cluster) -> Result<String, Error> {
    render_install_config(cluster, MASK.to_owned(), |_| MASK.to_owned())
}

/// Renders agent-config.yaml.
///
/// # Errors
/// Where the template asks for what there is not.
pub fn agent_config(cluster: &Cluster) -> Result<String, Error> {
    let node = |node: &Node| AgentNode {
        hostname: cluster.hostname(node),
        role: node.role.as_str(),
        interface: INTERFACE,
        mac: node.mac,
        disk: DISK,
        network: (cluster.network.addressing == Addressing::Static).then(|| AgentNetwork {
            ip: node.address,
            prefix: cluster.network.machine.prefix_len(),
            // A VM's way out, its resolver and its balancer are its own host's.
            gateway: cluster.hosts[node.host].address,
            mtu: cluster.network.mtu,
        }),
    };
    let values = AgentConfig {
        name: &cluster.name,
        rendezvous: cluster.rendezvous().address,
        ntp: &cluster.network.ntp,
        nodes: cluster.nodes.iter().map(node).collect(),
    };
    render::fill("agent-config.yaml.j2", values)
}

/// Tells whether work is scheduled on masters: only where there are no workers.
#[must_use]
pub fn masters_schedulable(cluster: &Cluster) -> bool {
    cluster.role(Role::Worker).next().is_none()
}

fn render_install_config(
    cluster: &Cluster,
    pull_secret: String,
    shown: impl Fn(&Secret) -> String,
) -> Result<String, Error> {
    let install = &cluster.install;
    let values = InstallConfig {
        name: &cluster.name,
        base_domain: &cluster.base_domain,
        masters: cluster.role(Role::Master).count(),
        workers: cluster.role(Role::Worker).count(),
        network_type: &cluster.network.network_type,
        machine_network: cluster.network.machine.to_string(),
        cluster_network: cluster.network.cluster.to_string(),
        host_prefix: cluster.network.host_prefix,
        service_network: cluster.network.service.to_string(),
        architecture: cluster.architecture.as_deref(),
        publish: cluster.publish.as_deref(),
        fips: cluster.fips,
        capabilities: cluster.capabilities.as_ref().map(|capabilities| CapabilitiesValues {
            baseline: &capabilities.baseline,
            additional: &capabilities.additional,
        }),
        proxy: install.proxy.as_ref().map(|proxy| ProxyValues {
            http: proxy.http.as_ref().map(&shown),
            https: proxy.https.as_ref().map(&shown),
            no_proxy: proxy.no_proxy.as_deref(),
        }),
        image_digest_sources: install
            .image_digest_sources
            .iter()
            .map(|entry| MirrorValues { source: &entry.source, mirrors: &entry.mirrors })
            .collect(),
        trust_bundle: install.trust_bundle.as_ref().map(|bundle| bundle.lines().map(str::trim_end).collect()),
        trust_bundle_policy: install.trust_bundle_policy.map(TrustBundlePolicy::as_str),
        pull_secret,
        ssh_key: install.ssh_key.trim_end(),
    };
    render::fill("install-config.yaml.j2", values)
}

/// Returns the pull secret as one line of JSON; what is no JSON the installer refuses itself.
fn one_line(secret: &Secret) -> String {
    serde_json::from_str::<serde_json::Value>(secret.expose())
        .map_or_else(|_| secret.expose().trim().to_owned(), |value| value.to_string())
}

#[derive(Serialize)]
struct InstallConfig<'a> {
    name: &'a str,
    base_domain: &'a str,
    masters: usize,
    workers: usize,
    network_type: &'a str,
    machine_network: String,
    cluster_network: String,
    host_prefix: u8,
    service_network: String,
    architecture: Option<&'a str>,
    publish: Option<&'a str>,
    fips: bool,
    capabilities: Option<CapabilitiesValues<'a>>,
    proxy: Option<ProxyValues<'a>>,
    image_digest_sources: Vec<MirrorValues<'a>>,
    trust_bundle: Option<Vec<&'a str>>,
    trust_bundle_policy: Option<&'a str>,
    pull_secret: String,
    ssh_key: &'a str,
}

#[derive(Serialize)]
struct CapabilitiesValues<'a> {
    baseline: &'a str,
    additional: &'a [String],
}

#[derive(Serialize)]
struct ProxyValues<'a> {
    http: Option<String>,
    https: Option<String>,
    no_proxy: Option<&'a str>,
}

#[derive(Serialize)]
struct MirrorValues<'a> {
    source: &'a str,
    mirrors: &'a [String],
}

#[derive(Serialize)]
struct AgentConfig<'a> {
    name: &'a str,
    rendezvous: Ipv4Addr,
    ntp: &'a [String],
    nodes: Vec<AgentNode>,
}

#[derive(Serialize)]
struct AgentNode {
    hostname: String,
    role: &'static str,
    interface: &'static str,
    mac: Mac,
    disk: &'static str,
    network: Option<AgentNetwork>,
}

#[derive(Serialize)]
struct AgentNetwork {
    ip: Ipv4Addr,
    prefix: u8,
    gateway: Ipv4Addr,
    mtu: u16,
}
