//! What earlier runs have settled and a later one keeps: where VMs are, and who has which address.
//!
//! Places and addresses are derived from numbers and order, so an inventory with a host
//! more or less would derive others. What is there already stays: a VM is never moved, and
//! never made a second time on another host.

use std::{
    collections::{BTreeMap, HashSet},
    net::Ipv4Addr,
};

use super::{
    decided::{self, Decided},
    settings::value,
};
use crate::inventory::{Inventory, Member, Problem, Warning};

/// What the hosts show of earlier runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The hosts of earlier runs, in their order, and their addresses on the bridge.
    pub hosts: Vec<(String, Ipv4Addr)>,
    /// What is left of each node, by its name.
    pub nodes: BTreeMap<String, Trace>,
    /// A node has been booted for the installation.
    pub begun: bool,
    /// What each host remembers of what was decided then, or why its record cannot be read.
    pub records: Vec<(String, Result<Decided, String>)>,
}

/// What the hosts show of one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// Hosts that have its VM.
    pub vms: Vec<String>,
    /// Hosts that have its disk.
    pub disks: Vec<String>,
    /// The host it was placed on last.
    pub placed: Option<String>,
    /// The address it was given.
    pub address: Option<Ipv4Addr>,
}

impl Settled {
    /// Returns what was decided when the VMs first booted; before, everything is open.
    pub(super) fn decided(&self, inventory: &Inventory, problems: &mut Vec<Problem>) -> Decided {
        if self.begun { decided::agreed(inventory, &self.records, problems) } else { Decided::default() }
    }

    /// Returns the host a node stays on; `None` where it may go anywhere.
    ///
    /// # Errors
    /// Returns a [`Problem`] where the inventory wants it elsewhere, or only the user can say where it is to be.
    pub(super) fn home(&self, inventory: &Inventory, member: &Member<'_>) -> Result<Option<usize>, Problem> {
        let asked = member.item.and_then(|item| item.host.as_ref());
        let index = |name: &str| inventory.hosts.iter().position(|host| host.name.value == name);
        let asked = asked.map(|host| host.value.as_str()).filter(|name| index(name).is_some());
        let Some(trace) = self.nodes.get(&member.name) else { return Ok(asked.and_then(index)) };
        let refuse = |fault: String, help: String| Err(problem(inventory, member, fault).help(help));
        let domain = format!("{}-{}", inventory.cluster.name.value, member.name);
        match (trace.vms.as_slice(), asked) {
            ([], _) => {}
            ([only], None) => return Ok(index(only)),
            ([only], Some(asked)) if only == asked => return Ok(index(only)),
            ([only], Some(asked)) => {
                return refuse(
                    format!("{} is on {only}, and a VM is never moved", member.name),
                    format!(
                        "say `host: {only}`; to have it made anew on {asked}, first remove it from {only}: virsh destroy {domain}; virsh undefine {domain}, and its disk"
                    ),
                );
            }
            (several, _) => {
                return refuse(
                    format!("{} is there more than once: on {}", member.name, several.join(" and ")),
                    format!(
                        "remove all but one of them: virsh destroy {domain}; virsh undefine {domain}, and its disk"
                    ),
                );
            }
        }
        match (trace.disks.as_slice(), asked, &trace.placed) {
            ([only], None, _) => Ok(index(only)),
            ([], Some(asked), _) => Ok(index(asked)),
            (disks, Some(asked), _) if disks.iter().any(|host| host == asked) => Ok(index(asked)),
            (disks, None, Some(placed)) if disks.contains(placed) => Ok(index(placed)),
            ([], None, None) => Ok(None),
            ([], None, Some(placed)) => match index(placed) {
                Some(home) => Ok(Some(home)),
                None => refuse(
                    format!(
                        "{} was made on {placed}, which the inventory does not have any more",
                        member.name
                    ),
                    format!(
                        "put {placed} back; or say `host:` in the node's item to have it made anew there; or take the node out"
                    ),
                ),
            },
            (disks, _, _) => refuse(
                format!("the disk of {} is on {}", member.name, disks.join(" and ")),
                format!("say `host: {}`, or delete what is not needed there: {domain}.img", disks[0]),
            ),
        }
    }

    /// Returns the addresses asked for, and for the others those they have; nobody gets another's.
    pub(super) fn addresses(
        &self,
        inventory: &Inventory,
        members: &[Member<'_>],
    ) -> (Vec<Option<Ipv4Addr>>, Vec<Option<Ipv4Addr>>) {
        let net = inventory.network.machine_network.trunc();
        let usable = |address: &Ipv4Addr| {
            net.contains(address) && *address != net.network() && *address != net.broadcast()
        };
        let asked_hosts: Vec<_> = inventory.hosts.iter().map(|host| value(host.address.as_ref())).collect();
        let asked_nodes: Vec<_> =
            members.iter().map(|member| member.item.and_then(|item| value(item.ip.as_ref()))).collect();
        let mut taken: HashSet<Ipv4Addr> =
            asked_hosts.iter().chain(&asked_nodes).flatten().copied().collect();
        let mut keep = |asked: Option<Ipv4Addr>, had: Option<Ipv4Addr>| {
            asked.or_else(|| had.filter(|address| usable(address) && taken.insert(*address)))
        };
        let had = |name: &str| self.hosts.iter().find(|(host, _)| host == name).map(|(_, address)| *address);
        let hosts = inventory.hosts.iter().zip(asked_hosts);
        let hosts = hosts.map(|(host, asked)| keep(asked, had(&host.name.value))).collect();
        let nodes = members.iter().zip(asked_nodes);
        let nodes = nodes
            .map(|(member, asked)| keep(asked, self.nodes.get(&member.name).and_then(|trace| trace.address)));
        (hosts, nodes.collect())
    }

    /// Refuses another first host than the one that has the installer's files.
    pub(super) fn check_first(&self, inventory: &Inventory) -> Option<Problem> {
        let (first, _) = self.hosts.first().filter(|_| self.begun)?;
        let now = inventory.hosts.first()?;
        let moved = inventory.hosts.iter().any(|host| host.name.value == *first);
        (now.name.value != *first && moved).then(|| {
            let fault = format!("{} comes first now, but {first} has the installer's files", now.name.value);
            Problem::new("hosts[0].name", now.name.at, fault)
                .help(format!("put {first} first in the list; the order of the others is free"))
        })
    }

    /// Says of which hosts the inventory has lost sight.
    pub(super) fn former_hosts(&self, inventory: &Inventory) -> Vec<Warning> {
        let gone =
            self.hosts.iter().filter(|(name, _)| inventory.hosts.iter().all(|h| h.name.value != *name));
        gone.map(|(name, _)| Warning {
            field: "hosts".to_owned(),
            message: format!(
                "{name} was a host of this cluster and is not in the inventory any more: the others forget it, \
                 and what ocp2 made there is left; `ocp2 down` with an inventory that has only {name} removes it"
            ),
        })
        .collect()
    }
}

/// States a problem with where a node is; without an item of its own its group's count is to blame.
fn problem(inventory: &Inventory, member: &Member<'_>, fault: String) -> Problem {
    let group = match member.role {
        super::Role::Master => &inventory.nodes.masters,
        super::Role::Worker => &inventory.nodes.workers,
    };
    let written = member.item.and_then(|item| item.host.as_ref()).and_then(|host| host.at);
    let field = if member.item.is_some() { member.field("host") } else { member.group_field("items") };
    Problem::new(&field, written.or(member.name_at()).or(group.count.at), fault)
}
