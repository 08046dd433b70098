//! Putting the cluster together.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::{
    Addressing, Cluster, Host, Node, Underlay, VirtType,
    address_plan::{self, Plan},
    decided::Decided,
    identity::uuid,
    mtu,
    placement::{self, Wish},
    risks::quorum,
    settings::{self, value, values},
    settled::Settled,
    underlay,
};
use crate::{
    address::Mac,
    inventory::{self, Inventory, Loaded, Member, Problem, Problems, Span, Warning},
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
    resolve_around(loaded, seen, &Settled::default())
}

/// As [`resolve`], around what earlier runs have settled: VMs and addresses stay where they are.
///
/// # Errors
/// As [`resolve`], and where the inventory wants a VM elsewhere than it is.
pub fn resolve_around(
    loaded: &Loaded,
    seen: &BTreeMap<String, Underlay>,
    settled: &Settled,
) -> Result<Resolved, Problems> {
    let inventory = &loaded.inventory;
    let mut problems = Vec::new();
    let mut warnings = loaded.warnings.clone();

    let decided = settled.decided(inventory, &mut problems);
    let mut underlays = underlay::settle(inventory, seen, &mut warnings);
    decided.keep_public(inventory, &mut underlays, &mut problems);
    underlay::check(inventory, &underlays, &mut problems);
    let mtu = mtu::decide(inventory, &underlays, decided.mtu, &mut problems);
    let addressing = addressing(inventory, &underlays, decided.addressing, &mut problems);
    let members = inventory.nodes.members();
    let (kept_hosts, kept_nodes) = settled.addresses(inventory, &members);
    let plan = address_plan::plan(inventory.network.machine_network.value.0, &kept_hosts, &kept_nodes);
    let hosts = hosts(inventory, underlays, &decided, &plan, &mut problems);
    let nodes = nodes(inventory, &members, &plan, settled, &mut problems);
    problems.extend(settled.check_first(inventory));
    let bootstrap = match inventory.install.method.value {
        inventory::Method::Upi => bootstrap(inventory, &nodes, &plan, &mut problems),
        inventory::Method::Agent => None,
    };
    check_macs(&members, &nodes, &mut problems);
    check_forwarders(inventory, &hosts, &mut problems);
    if !problems.is_empty() {
        return Err(Problems::new(problems, &loaded.source));
    }
    let cluster = Cluster {
        name: inventory.cluster.name.value.clone(),
        base_domain: inventory.cluster.base_domain.value.clone(),
        version: inventory.cluster.version.value.clone(),
        network: settings::network(inventory, mtu, addressing),
        hosts,
        nodes,
        bootstrap,
        bootstrapped: false,
        machines: settings::machines(inventory),
        install: settings::install(loaded),
        architecture: inventory.cluster.architecture.as_ref().map(|field| field.value.clone()),
        publish: inventory.cluster.publish.as_ref().map(|field| field.value.clone()),
        fips: inventory.cluster.fips.as_ref().is_some_and(|fips| fips.value),
        capabilities: settings::capabilities(inventory),
    };
    warnings.extend(quorum(&cluster));
    warnings.extend(settled.former_hosts(inventory));
    Ok(Resolved { cluster, warnings })
}

fn addressing(
    inventory: &Inventory,
    underlays: &[Underlay],
    decided: Option<Addressing>,
    problems: &mut Vec<Problem>,
) -> Addressing {
    // Only the agent-based installer needs it; for UPI ocp2 writes the nodes' network settings itself.
    let is_upi = inventory.install.method.value == inventory::Method::Upi;
    let nmstate = is_upi || underlays.first().is_some_and(|first| first.nmstate);
    match inventory.network.addressing.value {
        inventory::Addressing::Dhcp => Addressing::Dhcp,
        inventory::Addressing::Auto if decided.is_some() => decided.unwrap_or(Addressing::Static),
        // An ISO somebody else made knows none of our addresses.
        inventory::Addressing::Auto if inventory.install.iso.is_some() || !nmstate => Addressing::Dhcp,
        inventory::Addressing::Auto => Addressing::Static,
        inventory::Addressing::Static => {
            if !nmstate && inventory.install.iso.is_none() {
                let name = inventory.hosts.first().map_or("", |host| &host.name.value);
                let fault =
                    format!("the installer needs nmstatectl for it, which {name} neither has nor can get");
                problems.push(
                    Problem::new("network.addressing", inventory.network.addressing.at, fault)
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
    decided: &Decided,
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
        let asked = &inventory.machines.virt_type;
        let kept = decided.hosts.get(name).map(|host| host.virt_type);
        let virt_type = match (asked.value, kept) {
            (inventory::VirtType::Auto, Some(kept)) => kept,
            (inventory::VirtType::Qemu, _) => VirtType::Qemu,
            (inventory::VirtType::Auto, None) if !underlay.kvm => VirtType::Qemu,
            (inventory::VirtType::Auto | inventory::VirtType::Kvm, _) => VirtType::Kvm,
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
    settled: &Settled,
    problems: &mut Vec<Problem>,
) -> Vec<Node> {
    let cluster = &inventory.cluster.name.value;
    let mut home = |member: &Member<'_>| match settled.home(inventory, member) {
        Ok(home) => home,
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    let wishes: Vec<Wish> = members
        .iter()
        .map(|member| Wish { role: member.role, memory_mib: member.memory.as_mib(), host: home(member) })
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

/// Returns the UPI method's temporary VM: on the first host, as large as the first master.
///
/// The installer asks for 4 vCPUs, 16 GiB and 100 GB of disk, which is what it asks of a master.
fn bootstrap(
    inventory: &Inventory,
    nodes: &[Node],
    plan: &Plan,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let seed = format!("{}/bootstrap", inventory.cluster.name.value);
    let model = nodes.first()?;
    let Some(address) = plan.bootstrap else {
        problems.push(no_room("install.method", inventory.install.method.at, "the bootstrap VM", inventory));
        return None;
    };
    // A derived address that a node has already is nobody's fault, and the next one does as well.
    let mut macs = (0_u32..).map(|number| Mac::for_machine(&format!("{seed}/{number}")));
    let mac = macs.find(|mac| nodes.iter().all(|node| node.mac != *mac))?;
    Some(Node { name: "bootstrap".to_owned(), host: 0, address, mac, uuid: uuid(&seed), ..model.clone() })
}

/// Derived addresses are 24 bits of a hash: two may meet, or meet one that was asked for.
fn check_macs(members: &[Member<'_>], nodes: &[Node], problems: &mut Vec<Problem>) {
    for (index, node) in nodes.iter().enumerate() {
        if let Some(other) = nodes[..index].iter().find(|other| other.mac == node.mac) {
            let fault = format!("{} would have the same MAC as {}, {}", node.name, other.name, node.mac);
            problems.push(
                Problem::new(&members[index].field("mac"), members[index].name_at(), fault)
                    .help("give one of them a `mac` of its own"),
            );
        }
    }
}

/// A host that forwards to itself or to another one would ask in a circle.
fn check_forwarders(inventory: &Inventory, hosts: &[Host], problems: &mut Vec<Problem>) {
    for (index, forwarder) in inventory.network.forwarders.iter().enumerate() {
        if let Some(host) = hosts.iter().find(|host| forwarder.value == host.address) {
            let fault =
                format!("{} is {}'s own resolver, which would ask itself", forwarder.value, host.name);
            problems.push(
                Problem::new(&format!("network.forwarders[{index}]"), forwarder.at, fault)
                    .help("name the DNS servers outside"),
            );
        }
    }
}

fn no_room(field: &str, at: Option<Span>, name: &str, inventory: &Inventory) -> Problem {
    let network = &inventory.network.machine_network;
    Problem::new(field, at.or(network.at), format!("{} has no address left for {name}", network.value.0))
        .help("make network.machineNetwork larger; a /24 is usual")
}
