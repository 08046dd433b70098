//! From a host's facts to its place on the underlay.

use std::net::IpAddr;

use crate::{
    bringup::{Place, kvm_proof},
    cluster::{Cluster, Underlay},
    resource::{Facts, LinkSeen, Manager},
};

/// What a host's facts say of its place on the underlay.
pub type Sighting = Result<Underlay, String>;

/// Reads a host's place on the underlay from its facts.
///
/// `cluster` is the cluster as assumed before anything was seen; it tells which
/// NIC or address the inventory names.
///
/// # Errors
/// Returns a sentence where the NIC or the address is not on the host.
pub fn sighting(cluster: &Cluster, host: usize, facts: &Facts) -> Sighting {
    let assumed = &cluster.hosts[host].underlay;
    let link = match &assumed.device {
        Some(device) => facts
            .link(device)
            .ok_or_else(|| format!("there is no NIC {device}; this host has {}", names(facts)))?,
        None => facts.links.iter().find(|link| has(link, assumed.address)).ok_or_else(|| {
            format!("no NIC has the address {}; this host has {}", assumed.address, names(facts))
        })?,
    };
    let address = if has(link, assumed.address) {
        assumed.address
    } else {
        let first = link.addresses.iter().map(ipnet::IpNet::addr);
        let mut first: Vec<IpAddr> = first.collect();
        first.sort_by_key(IpAddr::is_ipv6);
        *first.first().ok_or_else(|| format!("NIC {} has no address", link.name))?
    };
    let place = Place::of(cluster);
    Ok(Underlay {
        device: Some(link.name.clone()),
        address,
        peer_address: address,
        mtu: link.mtu,
        addresses: facts.links.iter().flat_map(|link| &link.addresses).map(ipnet::IpNet::addr).collect(),
        public: public(facts),
        resolvers: facts.system.resolvers.clone(),
        nmstate: facts.system.nmstatectl || facts.system.manager == Some(Manager::Dnf),
        kvm: kvm_proof(&place).outcome(facts).unwrap_or(false),
    })
}

/// Returns the source address of the best default route.
fn public(facts: &Facts) -> Option<IpAddr> {
    let route = facts.routes.first()?;
    route.prefsrc.or_else(|| facts.link(&route.dev)?.addresses.first().map(ipnet::IpNet::addr))
}

fn has(link: &LinkSeen, address: IpAddr) -> bool {
    link.addresses.iter().any(|net| net.addr() == address)
}

fn names(facts: &Facts) -> String {
    let own = |link: &&LinkSeen| link.name != "lo" && link.kind.is_none();
    let shown = |link: &LinkSeen| match link.addresses.first() {
        Some(address) => format!("{} ({address})", link.name),
        None => link.name.clone(),
    };
    facts.links.iter().filter(own).map(shown).collect::<Vec<_>>().join(", ")
}
