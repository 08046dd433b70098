//! Single addresses: inside the machine network, outside of it, and of NICs.

use std::net::IpAddr;

use ipnet::Ipv4Net;

use super::{Findings, Subject, names::unique, networks};
use crate::inventory::{Inventory, Located, Problem, Public};

/// Addresses asked for on the machine network, of hosts and nodes.
pub(super) fn in_machine_network(subject: &Subject<'_>, findings: &mut Findings) {
    let inventory = subject.inventory;
    let net = inventory.network.machine_network.trunc();
    let hosts = inventory.hosts.iter().enumerate().filter_map(|(index, host)| {
        host.address.as_ref().map(|address| (format!("hosts[{index}].address"), address))
    });
    let members = inventory.nodes.members();
    let nodes = members.iter().filter_map(|member| {
        member.item.and_then(|item| item.ip.as_ref()).map(|ip| (member.field("ip"), ip))
    });
    let asked: Vec<_> = hosts.chain(nodes).collect();
    for (field, address) in &asked {
        let ip = address.value;
        let fault = if !net.contains(&ip) {
            format!("{ip} is outside the machine network, {net}")
        } else if ip == net.network() {
            format!("{ip} is the machine network's own address")
        } else if ip == net.broadcast() {
            format!("{ip} is the machine network's broadcast address")
        } else {
            continue;
        };
        findings
            .problem(Problem::new(field, address.at, fault).help(format!("choose one of {}", range(net))));
    }
    unique(asked.into_iter(), ToString::to_string, findings);
}

/// Returns the addresses hosts may have, as one writes them.
fn range(net: Ipv4Net) -> String {
    let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
    if last - first < 2 {
        return "a larger network".to_owned();
    }
    format!("{} to {}", std::net::Ipv4Addr::from_bits(first + 1), std::net::Ipv4Addr::from_bits(last - 1))
}

/// Addresses of the hosts themselves: they must not be in a network the cluster takes.
pub(super) fn underlay(subject: &Subject<'_>, findings: &mut Findings) {
    let inventory = subject.inventory;
    for (index, host) in inventory.hosts.iter().enumerate() {
        let settings = &host.underlay;
        let written = |field: &Option<Located<IpAddr>>| field.as_ref().map(|field| (field.value, field.at));
        let public = host.public.as_ref().and_then(|public| match public.value {
            Public::None => None,
            Public::Address(address) => Some((address, public.at)),
        });
        let addresses = [
            ("ssh", host.ssh.literal().map(|address| (address, host.ssh.at))),
            ("underlay.address", written(&settings.address)),
            ("underlay.peerAddress", written(&settings.peer_address)),
            ("public", public),
        ];
        for (name, address) in addresses {
            let Some((address, at)) = address else { continue };
            let field = format!("hosts[{index}].{name}");
            let no_host = address.is_unspecified() || address.is_multicast();
            if no_host || (name != "ssh" && address.is_loopback()) {
                findings.problem(Problem::new(&field, at, format!("{address} is no address of a host")));
            } else if let Some(fault) = inside(address, inventory) {
                findings.problem(
                    Problem::new(&field, at, fault).help(
                        "the hosts' own network is another one than the cluster's; change the cluster's",
                    ),
                );
            }
        }
    }
}

fn inside(address: IpAddr, inventory: &Inventory) -> Option<String> {
    let IpAddr::V4(address) = address else { return None };
    let named = networks::of(inventory).into_iter().find(|named| named.net.contains(&address))?;
    Some(format!("{address} is inside {}, {}", named.what, named.net.trunc()))
}

pub(super) fn macs(subject: &Subject<'_>, findings: &mut Findings) {
    let members = subject.inventory.nodes.members();
    let asked: Vec<_> = members
        .iter()
        .filter_map(|member| {
            member.item.and_then(|item| item.mac.as_ref()).map(|mac| (member.field("mac"), mac))
        })
        .collect();
    for (field, mac) in &asked {
        let fault = if mac.is_multicast() {
            format!("{} is a multicast address, and a NIC has a unicast one", mac.value)
        } else if mac.to_string() == "00:00:00:00:00:00" {
            "a NIC cannot have an address of zeros".to_owned()
        } else {
            continue;
        };
        findings.problem(Problem::new(field, mac.at, fault).help("52:54:00:… is QEMU's own range"));
    }
    // A Mac compares by value: another letter case is no other address.
    unique(asked.into_iter(), ToString::to_string, findings);
}
