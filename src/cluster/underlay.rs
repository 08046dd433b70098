//! The hosts' ends of the tunnel: what was seen, what the inventory says instead, and whether they fit.

use std::{collections::BTreeMap, net::IpAddr};

use super::{Underlay, assume::assume_host, settings::value};
use crate::inventory::{HostSettings, Inventory, Problem, Public, Span, Warning};

/// Returns every host's underlay, in inventory order; what nobody saw is assumed, and said.
pub(super) fn settle(
    inventory: &Inventory,
    seen: &BTreeMap<String, Underlay>,
    warnings: &mut Vec<Warning>,
) -> Vec<Underlay> {
    let settle_host = |(index, host): (usize, &HostSettings)| match seen.get(&host.name.value) {
        Some(seen) => overridden(seen, host),
        None => assume_host(inventory, index, warnings),
    };
    inventory.hosts.iter().enumerate().map(settle_host).collect()
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

/// Refuses ends that no tunnel can join, or that are in a network of the cluster.
pub(super) fn check(inventory: &Inventory, underlays: &[Underlay], problems: &mut Vec<Problem>) {
    let network = &inventory.network;
    let taken = [
        ("the machine network", network.machine_network.trunc()),
        ("the cluster network", network.cluster_network.cidr.trunc()),
        ("the service network", network.service_network.trunc()),
    ];
    let Some(first) = underlays.first() else { return };
    for (index, underlay) in underlays.iter().enumerate() {
        let addresses = [
            ("underlay.address", Some(underlay.address)),
            ("underlay.peerAddress", Some(underlay.peer_address)),
            ("public", underlay.public),
        ];
        let mut said = Vec::new();
        for (name, address) in addresses {
            let Some(address) = address.filter(|address| !said.contains(address)) else { continue };
            said.push(address);
            let (field, at) = place(inventory, index, name);
            if let IpAddr::V4(v4) = address
                && let Some((what, net)) = taken.iter().find(|(_, net)| net.contains(&v4))
            {
                problems.push(
                    Problem::new(&field, at, format!("{address} is inside {what}, {net}")).help(
                        "the hosts' own network is another one than the cluster's; change the cluster's",
                    ),
                );
            }
        }
        // Behind NATs of their own, two hosts may well have the same address; not the same way to them.
        if let Some(other) =
            underlays[..index].iter().position(|other| other.peer_address == underlay.peer_address)
        {
            let (field, at) = place(inventory, index, "underlay.peerAddress");
            let other = &inventory.hosts[other].name.value;
            let fault = format!("{} is the way to {other} already", underlay.peer_address);
            problems.push(Problem::new(&field, at, fault).help("every host needs its own"));
        }
        if underlay.peer_address.is_ipv4() != first.peer_address.is_ipv4()
            || underlay.address.is_ipv4() != underlay.peer_address.is_ipv4()
        {
            let (field, at) = place(inventory, index, "underlay.address");
            let fault =
                "a tunnel has IPv4 or IPv6 at both its ends, and this host's differ from the first host's";
            problems
                .push(Problem::new(&field, at, fault).help("set underlay.address to one of the same family"));
        }
    }
}

/// Returns field and place of one of a host's addresses: where it is written, else the host's name.
fn place(inventory: &Inventory, index: usize, name: &str) -> (String, Option<Span>) {
    let host = &inventory.hosts[index];
    let at = match name {
        "public" => host.public.as_ref().and_then(|public| public.at),
        "underlay.address" => host.underlay.address.as_ref().and_then(|address| address.at),
        _ => host.underlay.peer_address.as_ref().and_then(|address| address.at),
    };
    let at = at.or(host.nic.as_ref().and_then(|nic| nic.at)).or(host.name.at);
    (format!("hosts[{index}].{name}"), at)
}
