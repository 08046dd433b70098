//! Putting the cluster together.

use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf};

use super::{
    Addressing, Capabilities, Cluster, Host, ImageDigestSource, Install, Machines, Method, Network, Node,
    Proxy, Underlay, VirtType, VxlanSettings,
    address_plan::{self, Plan},
    assume::assume_host,
    identity::uuid,
    mtu,
    placement::{self, Wish},
};
use crate::{
    address::Mac,
    inventory::{
        self, HostSettings, Inventory, Loaded, Located, Member, Mtu, Problem, Problems, ProxySettings,
        Public, Warning,
    },
    secret::Secret,
};

/// A resolved cluster, and what its user should know about it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The cluster.
    pub cluster: Cluster,
    /// What is not wrong but worth saying, the inventory's own warnings included.
    pub warnings: Vec<Warning>,
}

/// Decides everything the inventory leaves open.
///
/// `seen` is what the hosts said, by name; of a host that is not in it the
/// same is assumed as by [`super::assume`], and a warning says so.
///
/// # Errors
/// Everything that is wrong with the inventory on hosts like these.
pub fn resolve(loaded: &Loaded, seen: &BTreeMap<String, Underlay>) -> Result<Resolved, Problems> {
    let inventory = &loaded.inventory;
    let mut problems = Vec::new();
    let mut warnings = loaded.warnings.clone();

    let underlays: Vec<Underlay> = inventory
        .hosts
        .iter()
        .enumerate()
        .map(|(index, host)| match seen.get(&host.name.value) {
            Some(seen) => overridden(seen, host),
            None => assume_host(index, host, &mut warnings),
        })
        .collect();
    let mtu = mtu_of(inventory, &underlays, &mut problems);
    let members = inventory.nodes.members();
    let asked_of_hosts: Vec<_> = inventory.hosts.iter().map(|host| value(host.address.as_ref())).collect();
    let asked_of_nodes: Vec<_> =
        members.iter().map(|member| member.item.and_then(|item| value(item.ip.as_ref()))).collect();
    let plan = address_plan::plan(inventory.network.machine_network.0, &asked_of_hosts, &asked_of_nodes);
    let addressing = addressing(inventory, &underlays, &mut problems);

    let hosts = hosts(inventory, underlays, &plan, &mut problems);
    let nodes = nodes(inventory, &members, &plan, &mut problems);
    if let Some(problems) = Problems::of(problems, &loaded.source) {
        return Err(problems);
    }
    let cluster = Cluster {
        name: inventory.cluster.name.value.clone(),
        base_domain: inventory.cluster.base_domain.value.clone(),
        version: inventory.cluster.version.value.clone(),
        network: network(inventory, mtu, addressing),
        hosts,
        nodes,
        machines: machines(inventory),
        install: install(loaded),
        fips: inventory.cluster.fips.as_ref().is_some_and(|fips| fips.value),
        capabilities: inventory.cluster.capabilities.as_ref().map(|capabilities| Capabilities {
            baseline: capabilities.baseline_capability_set.value.clone(),
            additional: values(&capabilities.additional_enabled_capabilities),
        }),
    };
    Ok(Resolved { cluster, warnings })
}

fn value<T: Copy>(field: Option<&Located<T>>) -> Option<T> {
    field.map(|field| field.value)
}

fn values<T: Clone>(fields: &[Located<T>]) -> Vec<T> {
    fields.iter().map(|field| field.value.clone()).collect()
}

/// Returns the underlay with what the inventory says about it.
fn overridden(seen: &Underlay, host: &HostSettings) -> Underlay {
    let settings = &host.underlay;
    let address = value(settings.address.as_ref()).unwrap_or(seen.address);
    // A peer address that was only the tunnel's own follows it.
    let peer = if seen.peer_address == seen.address { address } else { seen.peer_address };
    Underlay {
        address,
        peer_address: value(settings.peer_address.as_ref()).unwrap_or(peer),
        mtu: value(settings.mtu.as_ref()).unwrap_or(seen.mtu),
        public: match value(host.public.as_ref()) {
            Some(Public::None) => None,
            Some(Public::Address(address)) => Some(address),
            None => seen.public,
        },
        ..seen.clone()
    }
}

fn mtu_of(inventory: &Inventory, underlays: &[Underlay], problems: &mut Vec<Problem>) -> u16 {
    let overhead = underlays.iter().map(|underlay| mtu::overhead(underlay.address)).max().unwrap_or_default();
    let Some(narrow) = (0..underlays.len()).min_by_key(|&host| underlays[host].mtu) else { return 0 };
    let smallest = underlays[narrow].mtu;
    match inventory.network.mtu.value {
        Mtu::Auto => {
            let chosen = mtu::default(smallest, overhead);
            if chosen < mtu::LEAST {
                let host = &inventory.hosts[narrow];
                let at = host.underlay.mtu.as_ref().and_then(|mtu| mtu.at).or(host.name.at);
                problems.push(
                    Problem::new(
                        &format!("hosts[{narrow}].underlay.mtu"),
                        at,
                        format!(
                            "an underlay of {smallest} bytes leaves the VMs {chosen}, less than {}",
                            mtu::LEAST
                        ),
                    )
                    .help("the hosts need a way to each other that carries larger packets"),
                );
            }
            chosen
        }
        Mtu::Bytes(asked) => {
            let most = mtu::most(smallest, overhead);
            if asked > most {
                let name = &inventory.hosts[narrow].name.value;
                problems.push(
                    Problem::new(
                        "network.mtu",
                        inventory.network.mtu.at,
                        format!(
                            "{asked} does not fit: {name}'s underlay carries {smallest}, VXLAN takes {overhead} of it, {most} is the most"
                        ),
                    )
                    .help(format!(
                        "leave it at `auto` ({}); with more, small packets pass and TLS handshakes hang. If the underlay carries more, say so in hosts[{narrow}].underlay.mtu",
                        mtu::default(smallest, overhead)
                    )),
                );
            }
            asked
        }
    }
}

fn addressing(inventory: &Inventory, underlays: &[Underlay], problems: &mut Vec<Problem>) -> Addressing {
    let nmstate = underlays.first().is_some_and(|first| first.nmstate);
    match inventory.network.addressing.value {
        inventory::Addressing::Dhcp => Addressing::Dhcp,
        // An ISO somebody else made knows none of our addresses.
        inventory::Addressing::Auto if inventory.install.iso.is_some() || !nmstate => Addressing::Dhcp,
        inventory::Addressing::Auto => Addressing::Static,
        inventory::Addressing::Static => {
            if !nmstate && inventory.install.iso.is_none() {
                let name = inventory.hosts.first().map_or("", |host| &host.name.value);
                problems.push(
                    Problem::new(
                        "network.addressing",
                        inventory.network.addressing.at,
                        format!("static addresses need nmstatectl where the installer runs, and {name} neither has nor can get it"),
                    )
                    .help("use `dhcp` or `auto`, or put first a host whose distribution has nmstate"),
                );
            }
            Addressing::Static
        }
    }
}

fn hosts(
    inventory: &Inventory,
    underlays: Vec<Underlay>,
    plan: &Plan,
    problems: &mut Vec<Problem>,
) -> Vec<Host> {
    let cluster = &inventory.cluster.name.value;
    let network = &inventory.network;
    let mut hosts = Vec::new();
    for (index, ((host, underlay), address)) in
        inventory.hosts.iter().zip(underlays).zip(&plan.hosts).enumerate()
    {
        let name = &host.name.value;
        let forwarders = if network.forwarders.is_empty() {
            underlay.resolvers.clone()
        } else {
            values(&network.forwarders)
        };
        let virt_type = match inventory.machines.virt_type.value {
            inventory::VirtType::Qemu => VirtType::Qemu,
            inventory::VirtType::Auto if !underlay.kvm => VirtType::Qemu,
            inventory::VirtType::Auto | inventory::VirtType::Kvm => VirtType::Kvm,
        };
        hosts.push(Host {
            name: name.clone(),
            address: address.unwrap_or_else(|| {
                problems.push(no_room(&format!("hosts[{index}].address"), host.name.at, name, inventory));
                Ipv4Addr::UNSPECIFIED
            }),
            bridge_mac: Mac::for_link(&format!("{cluster}/{name}/{}", network.bridge.value)),
            vxlan_mac: Mac::for_link(&format!("{cluster}/{name}/{}", network.vxlan.device.value)),
            forwarders,
            virt_type,
            underlay,
        });
    }
    hosts
}

fn nodes(
    inventory: &Inventory,
    members: &[Member<'_>],
    plan: &Plan,
    problems: &mut Vec<Problem>,
) -> Vec<Node> {
    let cluster = &inventory.cluster.name.value;
    let host_named = |name: &str| inventory.hosts.iter().position(|host| host.name.value == name);
    let wishes: Vec<Wish> = members
        .iter()
        .map(|member| Wish {
            role: member.role,
            memory_mib: member.memory.as_mib(),
            host: member.item.and_then(|item| item.host.as_ref()).and_then(|host| host_named(host)),
        })
        .collect();
    let places = placement::place(&wishes, inventory.hosts.len());
    let mut nodes = Vec::new();
    for ((member, host), address) in members.iter().zip(places).zip(&plan.nodes) {
        let seed = format!("{cluster}/{}", member.name);
        let mac = member.item.and_then(|item| value(item.mac.as_ref()));
        nodes.push(Node {
            name: member.name.clone(),
            role: member.role,
            host,
            address: address.unwrap_or_else(|| {
                problems.push(no_room(&member.field("ip"), member.name_at(), &member.name, inventory));
                Ipv4Addr::UNSPECIFIED
            }),
            mac: mac.unwrap_or_else(|| Mac::for_machine(&seed)),
            uuid: uuid(&seed),
            vcpus: member.vcpus.value,
            memory_mib: member.memory.as_mib(),
            disk_gib: member.disk.as_gib(),
        });
    }
    nodes
}

fn no_room(field: &str, at: Option<inventory::Span>, name: &str, inventory: &Inventory) -> Problem {
    let network = &inventory.network.machine_network;
    Problem::new(field, at.or(network.at), format!("{} has no address left for {name}", network.0))
        .help("make network.machineNetwork larger; a /24 is usual")
}

fn network(inventory: &Inventory, mtu: u16, addressing: Addressing) -> Network {
    let network = &inventory.network;
    Network {
        machine: network.machine_network.trunc(),
        cluster: network.cluster_network.cidr.trunc(),
        host_prefix: network.cluster_network.host_prefix.value,
        service: network.service_network.trunc(),
        network_type: network.network_type.value.clone(),
        bridge: network.bridge.value.clone(),
        vxlan: VxlanSettings {
            device: network.vxlan.device.value.clone(),
            vni: network.vxlan.vni.value,
            port: network.vxlan.port.value,
        },
        mtu,
        nat: network.nat,
        addressing,
        ntp: values(&network.ntp),
    }
}

fn machines(inventory: &Inventory) -> Machines {
    let pool = inventory.machines.pool.as_ref().map(|pool| pool.value.clone());
    Machines {
        pool: pool
            .unwrap_or_else(|| PathBuf::from("/var/lib/libvirt/images").join(&inventory.cluster.name.value)),
        prove_kvm: inventory.machines.virt_type.value != inventory::VirtType::Qemu,
    }
}

fn install(loaded: &Loaded) -> Install {
    let settings = &loaded.inventory.install;
    Install {
        method: settings.iso.as_ref().map_or(Method::Agent, |iso| Method::Iso(iso.value.clone())),
        mirror: settings.mirror.trim_end_matches('/').to_owned(),
        release_image: settings.release.as_ref().map(|release| release.value.clone()),
        ssh_key: loaded.ssh_key.clone(),
        proxy: settings.proxy.as_ref().map(proxy),
        image_digest_sources: settings
            .image_digest_sources
            .iter()
            .map(|source| ImageDigestSource {
                source: source.source.value.clone(),
                mirrors: values(&source.mirrors),
            })
            .collect(),
        trust_bundle: loaded.trust_bundle.clone(),
        trust_bundle_policy: value(settings.additional_trust_bundle_policy.as_ref()),
    }
}

fn proxy(settings: &ProxySettings) -> Proxy {
    let secret =
        |field: &Option<Located<String>>| field.as_ref().map(|field| Secret::new(field.value.clone()));
    Proxy {
        http: secret(&settings.http_proxy),
        https: secret(&settings.https_proxy),
        no_proxy: settings.no_proxy.as_ref().map(|field| field.value.clone()),
    }
}
