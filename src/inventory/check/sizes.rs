//! How many VMs, and how large.

use std::{collections::HashSet, fmt::Display};

use super::{Findings, Subject};
use crate::inventory::{BelowMinimum, Group, Located, Member, Mtu, Problem, Role, Size};

/// Most workers one inventory describes; more is a slip of the finger.
const MOST_WORKERS: u32 = 500;

/// Least MTU of a VM's NIC, bytes: the pods get 100 less, and 1280 is what IPv6 asks (RFC 8200 section 5).
pub const LEAST_MTU: u16 = 1280;

pub(super) fn counts(subject: &Subject<'_>, findings: &mut Findings) {
    let nodes = &subject.inventory.nodes;
    let masters = &nodes.masters.count;
    // openshift/installer: "supported values: 3, 1, 4, 5, 2 (with arbiter), 2 (with fencing)".
    let fault = match masters.value {
        1 | 3 | 4 | 5 => None,
        2 => Some("two masters lose their quorum with either of them".to_owned()),
        count => Some(format!("{count} masters are not supported")),
    };
    if let Some(fault) = fault {
        let problem = Problem::new("nodes.masters.count", masters.at, fault);
        findings.problem(problem.help("1, 3, 4 or 5; 3 is usual"));
    }
    let workers = &nodes.workers.count;
    if masters.value == 1 && workers.value > 0 && subject.inventory.install.iso.is_none() {
        let fault = format!(
            "with one master the agent-based installer takes no workers, and here are {}",
            workers.value
        );
        let at = workers.at.or(masters.at);
        findings.problem(Problem::new("nodes.workers.count", at, fault).help("write `workers: {count: 0}`"));
    }
    if workers.value > MOST_WORKERS {
        let fault = format!("{} workers are more than {MOST_WORKERS}", workers.value);
        findings.problem(Problem::new("nodes.workers.count", workers.at, fault));
    }
    for (name, group) in [("masters", &nodes.masters), ("workers", &nodes.workers)] {
        if group.items.len() > group.count.value as usize {
            let (items, count) = (group.items.len(), group.count.value);
            let at = group.items.iter().rev().find_map(|item| {
                item.name.as_ref().and_then(|name| name.at).or(item.host.as_ref().and_then(|host| host.at))
            });
            findings.problem(
                Problem::new(
                    &format!("nodes.{name}.items"),
                    at.or(group.count.at),
                    format!("there are {items} items for {count} {name}"),
                )
                .help("raise the count, or drop an item"),
            );
        }
    }
}

/// The least the installer's own validations take (openshift/assisted-service, hardware requirements).
struct Least {
    who: &'static str,
    vcpus: u32,
    memory: Size,
}

/// Least disk, bytes: 100 GB, and those are decimal.
const LEAST_DISK: u64 = 100_000_000_000;

const MASTER: Least = Least { who: "a master", vcpus: 4, memory: Size::gib(16) };
const WORKER: Least = Least { who: "a worker", vcpus: 2, memory: Size::gib(8) };
const SINGLE: Least = Least { who: "a single node", vcpus: 8, memory: Size::gib(16) };

pub(super) fn minimums(subject: &Subject<'_>, findings: &mut Findings) {
    let inventory = subject.inventory;
    let allowed = inventory.machines.below_minimum == BelowMinimum::Allow;
    let single = inventory.nodes.masters.count.value == 1 && inventory.nodes.workers.count.value == 0;
    let mut said = HashSet::new();
    for member in inventory.nodes.members() {
        let (least, group) = match member.role {
            Role::Master if single => (&SINGLE, &inventory.nodes.masters),
            Role::Master => (&MASTER, &inventory.nodes.masters),
            Role::Worker => (&WORKER, &inventory.nodes.workers),
        };
        let nothing = |name: &str, at| {
            Problem::new(&field(&member, name), at, format!("a VM cannot be without {name}"))
        };
        let mut refuse = |problem: Problem| {
            if said.insert(problem.field.clone()) {
                findings.problem(problem);
            }
        };
        if member.vcpus.value == 0 {
            refuse(nothing("vcpus", member.vcpus.at));
        } else if !allowed && member.vcpus.value < least.vcpus {
            refuse(too_small("vcpus", member.vcpus, &member, group, least, &least.vcpus));
        }
        if member.memory.as_mib() == 0 {
            refuse(nothing("memory", member.memory.at));
        } else if !allowed && member.memory.value < least.memory {
            refuse(too_small("memory", member.memory, &member, group, least, &least.memory));
        }
        if member.disk.as_gib() == 0 {
            refuse(nothing("disk", member.disk.at));
        } else if !allowed && member.disk.as_bytes() < LEAST_DISK {
            refuse(too_small("disk", member.disk, &member, group, least, &"100 GB (94GiB)"));
        } else if member.disk.as_gib() * 1024 != member.disk.as_mib() {
            let fault = format!("{} is not a whole number of GiB", member.disk.value);
            refuse(
                Problem::new(&field(&member, "disk"), member.disk.at, fault)
                    .help("disks are made of whole GiB"),
            );
        }
    }
}

/// Returns the path of the field a member's size comes from.
fn field(member: &Member<'_>, name: &str) -> String {
    let own = member.item.is_some_and(|item| match name {
        "vcpus" => item.vcpus.is_some(),
        "memory" => item.memory.is_some(),
        _ => item.disk.is_some(),
    });
    if own { member.field(name) } else { member.group_field(name) }
}

fn too_small<T: Display>(
    name: &str,
    value: &Located<T>,
    member: &Member<'_>,
    group: &Group,
    least: &Least,
    needed: &dyn Display,
) -> Problem {
    let fault = format!("{} is less than the installer takes: {} needs {needed}", value.value, least.who);
    Problem::new(&field(member, name), value.at.or(group.count.at), fault)
        .help("for stand-in guests, write `machines: {belowMinimum: allow}`")
}

pub(super) fn mtu(subject: &Subject<'_>, findings: &mut Findings) {
    let mtu = &subject.inventory.network.mtu;
    if let Mtu::Bytes(bytes) = mtu.value
        && bytes < LEAST_MTU
    {
        let fault = format!("{bytes} is too small: {LEAST_MTU} is the least");
        findings.problem(Problem::new("network.mtu", mtu.at, fault).help("leave it at `auto`"));
    }
}
