//! What every host remembers of the whole cluster, so that a later run keeps places and addresses.
//!
//! Three small files in /var/lib/ocp2/CLUSTER: `settled-hosts` (`NAME ADDRESS` a line, from phase `overlay`
//! on), `settled-nodes` (`NAME HOST ADDRESS` a line) and `settled-cluster` ([`Decided`]), both from `machines` on. Every host has the same, so
//! the others still know of one that is gone.

use std::{collections::BTreeMap, net::Ipv4Addr};

use crate::{
    bringup::{Place, begun},
    cluster::{Cluster, Decided, Host, Node, Settled},
    resource::{Facts, File},
};

/// Returns the file of all hosts.
pub(super) fn hosts(cluster: &Cluster) -> File {
    let line = |host: &Host| format!("{} {}\n", host.name, host.address);
    let content: String = cluster.hosts.iter().map(line).collect();
    File::new(Place::of(cluster).var("settled-hosts"), content)
}

/// Returns the file of all nodes.
pub(super) fn nodes(cluster: &Cluster) -> File {
    let line = |node: &Node| format!("{} {} {}\n", node.name, cluster.hosts[node.host].name, node.address);
    let content: String = cluster.nodes.iter().map(line).collect();
    File::new(Place::of(cluster).var("settled-nodes"), content)
}

/// Returns the file of what was decided of the cluster when its VMs first booted.
pub(super) fn decided(cluster: &Cluster) -> File {
    File::new(Place::of(cluster).var("settled-cluster"), Decided::of(cluster).text())
}

/// Reads what earlier runs have settled from the facts of the hosts, named as in the inventory.
///
/// What is there counts more than what is remembered, and what most hosts remember more than
/// what one of them does: it may have been away for a while.
#[must_use]
pub fn settled(cluster: &Cluster, hosts: &[(&str, &Facts)]) -> Settled {
    let place = Place::of(cluster);
    let mut settled = Settled::default();
    let (mut host_claims, mut homes, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
    for (name, facts) in hosts {
        if facts.files.contains_key(&place.var("settled-cluster")) {
            let text = facts.text(&place.var("settled-cluster"));
            let record = text.map_or_else(|| Err("it is no text".to_owned()), Decided::read);
            settled.records.push(((*name).to_owned(), record));
        }
        settled.begun |= begun::has_begun(&place, facts);
        for line in facts.text(&place.var("settled-hosts")).unwrap_or_default().lines() {
            let mut words = line.split_whitespace();
            if let (Some(host), Some(Ok(address))) = (words.next(), words.next().map(str::parse)) {
                host_claims.push((host.to_owned(), address));
            }
        }
        for line in facts.text(&place.var("settled-nodes")).unwrap_or_default().lines() {
            let mut words = line.split_whitespace();
            let (Some(node), Some(host)) = (words.next(), words.next()) else { continue };
            homes.push((node.to_owned(), host.to_owned()));
            let address = words.next().and_then(|word| word.parse::<Ipv4Addr>().ok());
            addresses.extend(address.map(|address| (node.to_owned(), address)));
        }
        for node in &cluster.nodes {
            let domain = cluster.domain_name(node);
            let disk = format!("{}/{domain}.img", cluster.machines.pool.display());
            let mut domains = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
            let is_there =
                domains.any(|seen| seen.name == domain && seen.cluster().as_deref() == Some(&*cluster.name));
            if is_there {
                settled.nodes.entry(node.name.clone()).or_default().vms.push((*name).to_owned());
            }
            if facts.listing.contains_key(&disk) {
                settled.nodes.entry(node.name.clone()).or_default().disks.push((*name).to_owned());
            }
        }
    }
    settled.hosts = elected(host_claims);
    for (node, host) in elected(homes) {
        settled.nodes.entry(node).or_default().placed = Some(host);
    }
    for (node, address) in elected(addresses) {
        settled.nodes.entry(node).or_default().address = Some(address);
    }
    settled
}

/// Returns of each name what most claim of it, in the order the names first come up.
fn elected<T: Clone + PartialEq>(claims: Vec<(String, T)>) -> Vec<(String, T)> {
    let mut order: Vec<String> = Vec::new();
    let mut votes: BTreeMap<String, Vec<(T, usize)>> = BTreeMap::new();
    for (name, value) in claims {
        if !order.contains(&name) {
            order.push(name.clone());
        }
        let counts = votes.entry(name).or_default();
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    let winner = |name: String| {
        // The first of several with as many votes.
        let (value, _) = votes.get(&name)?.iter().rev().max_by_key(|(_, count)| *count)?;
        Some((name, value.clone()))
    };
    order.into_iter().filter_map(winner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_votes_win_and_the_order_is_that_of_the_first_claim() {
        let claim = |name: &str, value: u8| (name.to_owned(), value);
        let claims = vec![
            claim("bm2", 9),
            claim("bm1", 1),
            claim("bm2", 2),
            claim("bm3", 3),
            claim("bm2", 2),
            claim("bm3", 4),
        ];
        assert_eq!(elected(claims), [claim("bm2", 2), claim("bm1", 1), claim("bm3", 3)]);
    }
}
