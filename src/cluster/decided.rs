//! What was decided when the VMs first booted: it is not decided again from what a host shows later.
//!
//! An MTU, a public address or a way of virtualisation that follows a host's present state would change a
//! running cluster because somebody installed a package or added a smaller host. So each host keeps a
//! record, and where it and the hosts no longer fit, that is a problem with a way out. What the inventory
//! says explicitly counts more, as ever.

use std::{collections::BTreeMap, net::IpAddr};

use super::{Addressing, Cluster, Underlay, VirtType};
use crate::inventory::{self, Inventory, Mtu, Problem};

/// The record's first line; a later ocp2 may write a later number.
const FORMAT: &str = "ocp2-settled 1";

/// What the inventory left open and an earlier run decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// MTU of the VMs, bytes.
    pub mtu: Option<u16>,
    /// How the VMs get their addresses.
    pub addressing: Option<Addressing>,
    /// By the hosts' names.
    pub hosts: BTreeMap<String, DecidedHost>,
}

/// What was decided for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidedHost {
    /// Where the balancer listens for the outside.
    pub public: Option<IpAddr>,
    /// How the VMs run there.
    pub virt_type: VirtType,
}

impl Decided {
    /// Returns what a cluster is made with.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        let host = |host: &super::Host| {
            let decided = DecidedHost { public: host.underlay.public, virt_type: host.virt_type };
            (host.name.clone(), decided)
        };
        Self {
            mtu: Some(cluster.network.mtu),
            addressing: Some(cluster.network.addressing),
            hosts: cluster.hosts.iter().map(host).collect(),
        }
    }

    /// Returns the record.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{FORMAT}\n");
        text.extend(self.mtu.map(|mtu| format!("mtu {mtu}\n")));
        text.extend(self.addressing.map(|addressing| format!("addressing {}\n", addressing.as_str())));
        for (name, host) in &self.hosts {
            let public = host.public.map_or_else(|| "none".to_owned(), |public| public.to_string());
            text += &format!("host {name} {} {public}\n", host.virt_type.as_str());
        }
        text
    }

    /// Reads a record.
    ///
    /// # Errors
    /// Returns the reason where it is none, or of a later format.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        match lines.next() {
            Some(FORMAT) => {}
            Some(other) if other.starts_with("ocp2-settled ") => {
                return Err("a later ocp2 has written it".to_owned());
            }
            _ => return Err("it is not ocp2's".to_owned()),
        }
        let mut decided = Self::default();
        for line in lines {
            let wrong = || format!("it has the line {line:?}");
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["mtu", mtu] => decided.mtu = Some(mtu.parse().map_err(|_| wrong())?),
                ["addressing", word] => decided.addressing = Some(addressing(word).ok_or_else(wrong)?),
                ["host", name, virt_type, public] => {
                    let public = match public {
                        "none" => None,
                        address => Some(address.parse().map_err(|_| wrong())?),
                    };
                    let virt_type = virt_type_of(virt_type).ok_or_else(wrong)?;
                    decided.hosts.insert(name.to_owned(), DecidedHost { public, virt_type });
                }
                _ => return Err(wrong()),
            }
        }
        Ok(decided)
    }

    /// Keeps the public addresses; each that its host has no more is a problem.
    pub(super) fn keep_public(
        &self,
        inventory: &Inventory,
        underlays: &mut [Underlay],
        problems: &mut Vec<Problem>,
    ) {
        for (index, (host, underlay)) in inventory.hosts.iter().zip(underlays).enumerate() {
            let name = &host.name.value;
            let Some(decided) = self.hosts.get(name).filter(|_| host.public.is_none()) else { continue };
            if let Some(kept) = decided.public.filter(|kept| !underlay.addresses.contains(kept)) {
                let now = underlay.public.map_or_else(|| "none".to_owned(), |now| now.to_string());
                let fault = format!("{name} was to be reached at {kept}, which it has no more");
                problems.push(
                    Problem::new(&format!("hosts[{index}].public"), host.name.at, fault).help(format!(
                        "give {name} that address again, or say `public: {now}` and publish it"
                    )),
                );
            }
            underlay.public = decided.public;
        }
    }
}

/// Makes one of the records of all hosts; where they differ in what the inventory leaves open, that is a problem.
pub(super) fn agreed(
    inventory: &Inventory,
    records: &[(String, Result<Decided, String>)],
    problems: &mut Vec<Problem>,
) -> Decided {
    let mut all = Decided::default();
    let mut first = "";
    for (host, record) in records {
        let at =
            inventory.hosts.iter().find(|known| known.name.value == *host).and_then(|known| known.name.at);
        let mut refuse = |field: &str, fault: String, help: String| {
            problems.push(Problem::new(field, at, fault).help(help));
        };
        let record = match record {
            Ok(record) => record,
            Err(reason) => {
                let fault = format!("{host}'s record of what was decided cannot be read: {reason}");
                refuse("hosts", fault, "use the ocp2 that brought the cluster up, or a later one".to_owned());
                continue;
            }
        };
        let differ = |what: &str, one: String, other: String| {
            format!("{first} and {host} remember another {what}: {one} and {other}")
        };
        if let (Some(one), Some(other), Mtu::Auto) = (all.mtu, record.mtu, inventory.network.mtu.value)
            && one != other
        {
            let help = format!("say which one the VMs have: `network: {{mtu: {one}}}`");
            refuse("network.mtu", differ("MTU", one.to_string(), other.to_string()), help);
        }
        if let (Some(one), Some(other)) = (all.addressing, record.addressing)
            && one != other
            && inventory.network.addressing.value == inventory::Addressing::Auto
        {
            let help = format!("say which one: `network: {{addressing: {}}}`", one.as_str());
            refuse(
                "network.addressing",
                differ("addressing", one.as_str().to_owned(), other.as_str().to_owned()),
                help,
            );
        }
        // Of itself a host knows best.
        let own = record.hosts.iter().filter(|(name, _)| *name == host || !all.hosts.contains_key(*name));
        let own: Vec<_> = own.map(|(name, decided)| (name.clone(), decided.clone())).collect();
        all.hosts.extend(own);
        if first.is_empty() {
            first = host;
            (all.mtu, all.addressing) = (record.mtu, record.addressing);
        }
    }
    all
}

fn addressing(word: &str) -> Option<Addressing> {
    [Addressing::Static, Addressing::Dhcp].into_iter().find(|one| one.as_str() == word)
}

fn virt_type_of(word: &str) -> Option<VirtType> {
    [VirtType::Kvm, VirtType::Qemu].into_iter().find(|one| one.as_str() == word)
}
