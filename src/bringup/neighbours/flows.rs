//! The packets that have to pass on a host, as a filter sees them.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::{
    bringup::neighbours::traffic::{BRIDGE, PUBLIC, Traffic},
    resource::{Facts, Hook, LinkSeen, Packet, Protocol},
};

/// Packets that have to pass, and where filters see them.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    /// Where.
    pub hook: Hook,
    /// Which.
    pub packet: Packet,
}

/// Returns what has to pass on a host.
pub(super) fn flows(traffic: &Traffic, facts: &Facts) -> Vec<Flow> {
    let inward =
        [from_the_bridge(traffic), from_the_peers(traffic, facts), from_outside(traffic, facts)].concat();
    let inward = inward.into_iter().map(|packet| Flow { hook: Hook::Input, packet });
    inward.chain(through(traffic).into_iter().map(|packet| Flow { hook: Hook::Forward, packet })).collect()
}

/// Packets by link `input` of which nothing else is known.
fn packet(input: Option<String>, protocol: Protocol, port: Option<u16>, v6: bool) -> Packet {
    Packet { input, output: None, from: None, to: None, v6, protocol, port, answers: false, broadcast: false }
}

/// What the VMs want of their host: names, addresses, the balancer, the image of another host.
fn from_the_bridge(traffic: &Traffic) -> Vec<Packet> {
    let to_us = |protocol, port| Packet {
        from: Some(traffic.network.into()),
        to: Some(IpAddr::from(traffic.address).into()),
        ..packet(Some(traffic.bridge.clone()), protocol, port, false)
    };
    let mut packets =
        vec![to_us(Protocol::Udp, Some(53)), to_us(Protocol::Tcp, Some(53)), to_us(Protocol::Icmp, None)];
    packets.extend(BRIDGE.map(|port| to_us(Protocol::Tcp, Some(port))));
    // A client without an address asks everybody.
    packets.push(Packet {
        from: Some(IpAddr::from(Ipv4Addr::UNSPECIFIED).into()),
        to: Some(IpAddr::from(Ipv4Addr::BROADCAST).into()),
        broadcast: true,
        ..to_us(Protocol::Udp, Some(67))
    });
    packets
}

/// The tunnel's.
fn from_the_peers(traffic: &Traffic, facts: &Facts) -> Vec<Packet> {
    let tunnel = traffic.peers.iter().map(|peer| Packet {
        from: Some(peer.address.into()),
        to: Some(peer.local.into()),
        ..packet(link_of(facts, peer.local), Protocol::Udp, Some(traffic.port), peer.address.is_ipv6())
    });
    tunnel.collect()
}

/// What clients anywhere want of the balancer.
fn from_outside(traffic: &Traffic, facts: &Facts) -> Vec<Packet> {
    let to = |public: IpAddr| {
        PUBLIC.map(|port| Packet {
            to: Some(public.into()),
            ..packet(link_of(facts, public), Protocol::Tcp, Some(port), public.is_ipv6())
        })
    };
    traffic.public.into_iter().flat_map(to).collect()
}

/// What goes from VM to VM, from VMs to the outside, and what answers that.
fn through(traffic: &Traffic) -> Vec<Packet> {
    let vms: IpNet = traffic.network.into();
    let between = |input: &str, output: &str| {
        [Protocol::Tcp, Protocol::Udp, Protocol::Icmp].map(|protocol| Packet {
            output: Some(output.to_owned()),
            ..packet(Some(input.to_owned()), protocol, None, false)
        })
    };
    let bridge = traffic.bridge.as_str();
    let inside = between(bridge, bridge).map(|packet| Packet { from: Some(vms), to: Some(vms), ..packet });
    let mut packets = inside.to_vec();
    for device in &traffic.outward {
        packets.extend(between(bridge, device).map(|packet| Packet { from: Some(vms), ..packet }));
        packets.extend(between(device, bridge).map(|packet| Packet {
            to: Some(vms),
            answers: true,
            ..packet
        }));
    }
    packets
}

/// Returns the link that has an address.
fn link_of(facts: &Facts, address: IpAddr) -> Option<String> {
    let has = |link: &&LinkSeen| link.addresses.iter().any(|net| net.addr() == address);
    facts.links.iter().find(has).map(|link| link.name.clone())
}
