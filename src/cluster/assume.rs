//! What is taken for granted of hosts nobody has asked: rendering works offline.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use super::Underlay;
use crate::inventory::{HostSettings, Inventory, Public, Warning};

/// MTU of an underlay nobody has looked at, bytes: plain Ethernet.
const ETHERNET_MTU: u16 = 1500;

/// The underlay as assumed, and what of it was assumed.
#[derive(Debug, Clone)]
pub struct Assumed {
    /// By name of the host.
    pub underlays: BTreeMap<String, Underlay>,
    /// One for each thing that is neither in the inventory nor seen.
    pub notes: Vec<Warning>,
}

/// Assumes of every host what nobody has seen.
#[must_use]
pub fn assume(inventory: &Inventory) -> Assumed {
    let mut assumed = Assumed { underlays: BTreeMap::new(), notes: Vec::new() };
    for (index, host) in inventory.hosts.iter().enumerate() {
        let underlay = assume_host(inventory, index, &mut assumed.notes);
        assumed.underlays.insert(host.name.value.clone(), underlay);
    }
    assumed
}

/// Assumes of every host what lets it be asked: packets of any size, which it then tells itself.
#[must_use]
pub fn unseen(inventory: &Inventory) -> BTreeMap<String, Underlay> {
    let underlays = assume(inventory).underlays.into_iter();
    underlays.map(|(name, underlay)| (name, Underlay { mtu: u16::MAX, ..underlay })).collect()
}

/// Assumes one host's underlay and notes what was assumed.
pub(super) fn assume_host(inventory: &Inventory, index: usize, notes: &mut Vec<Warning>) -> Underlay {
    let host = &inventory.hosts[index];
    let mut note = |field: &str, message: String| {
        notes.push(Warning { field: format!("hosts[{index}].{field}"), message });
    };
    let name = &host.name.value;
    let address = match (&host.underlay.address, host.ssh.literal()) {
        (Some(address), _) => address.value,
        (None, Some(ssh)) if !shared(inventory, host) => {
            note("underlay.address", format!("assumed {ssh} for {name}, the address SSH uses"));
            ssh
        }
        (None, literal) => {
            // RFC 5737: addresses for documentation, which no host has.
            let last = u8::try_from(index + 1).unwrap_or(u8::MAX);
            let made_up = IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
            let ssh = &host.ssh.address;
            let reason = match literal {
                Some(_) => format!("SSH reaches other hosts by {ssh}, too"),
                None => format!("{ssh:?} is a name, not an address"),
            };
            note("underlay.address", format!("{made_up} stands in for {name}: {reason}"));
            made_up
        }
    };
    let mtu = host.underlay.mtu.as_ref().map_or_else(
        || {
            note("underlay.mtu", format!("assumed {ETHERNET_MTU} for {name}"));
            ETHERNET_MTU
        },
        |mtu| mtu.value,
    );
    Underlay {
        device: host.nic.as_ref().map(|nic| nic.value.clone()),
        address,
        peer_address: host.underlay.peer_address.as_ref().map_or(address, |peer| peer.value),
        mtu,
        addresses: vec![address],
        public: match host.public.as_ref().map(|public| public.value) {
            Some(Public::None) => None,
            Some(Public::Address(public)) => Some(public),
            None => Some(address),
        },
        resolvers: Vec::new(),
        nmstate: true,
        kvm: true,
    }
}

/// Tells whether another host is reached by the same address, on another port: it can be neither's own.
fn shared(inventory: &Inventory, host: &HostSettings) -> bool {
    inventory.hosts.iter().filter(|other| other.ssh.address == host.ssh.address).count() > 1
}
