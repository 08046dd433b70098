//! Rules of the owner's own, in tables that ocp2 does not know: named, and never touched.

use std::net::IpAddr;

use crate::{
    bringup::{
        Finding, Place,
        neighbours::traffic::{PUBLIC, Peer, Traffic, list},
    },
    cluster::Cluster,
    resource::{Facts, Wall},
};

/// Returns the chains that drop our traffic, each with the rules that let it pass.
pub(in crate::bringup) fn findings(cluster: &Cluster, host: usize, facts: &Facts) -> Vec<Finding> {
    let (place, traffic) = (Place::of(cluster), Traffic::of(cluster, host, facts));
    let closed = facts.walls.iter().filter(|wall| !wall.lets_pass(&traffic.bridge, &place.alias()));
    let find = |wall: &Wall| {
        let Wall { family, table, chain, hook, .. } = wall;
        let passing = match hook.as_str() {
            "forward" => "between the VMs and the outside",
            _ => "from the VMs and from the other hosts",
        };
        let insert = |rule: String| {
            format!("nft insert rule {family} {table} {chain} {rule} accept comment '\"{}\"'", place.alias())
        };
        let rules: Vec<String> = rules(wall, &traffic).into_iter().map(insert).collect();
        Finding {
            host: cluster.hosts[host].name.clone(),
            what: format!(
                "chain {chain} of the nftables table {family} {table} drops what comes {passing}, whatever ocp2's own table accepts"
            ),
            fix: format!(
                "let it pass, here and in the file the table comes from (ocp2 changes no rules of yours; by the comment \
                 it knows that you have seen to it): {}",
                rules.join("; ")
            ),
        }
    };
    closed.map(find).collect()
}

fn rules(wall: &Wall, traffic: &Traffic) -> Vec<String> {
    let bridge = &traffic.bridge;
    let mut rules = vec![format!("iifname {bridge}")];
    if wall.hook == "forward" {
        rules.push(format!("oifname {bridge} ct state established,related"));
        return rules;
    }
    let family = |address: &IpAddr| if address.is_ipv4() { "ip" } else { "ip6" };
    // A table of family ip never sees the others.
    let seen = |address: &IpAddr| wall.family == "inet" || address.is_ipv4();
    for Peer { address, .. } in traffic.peers.iter().filter(|peer| seen(&peer.address)) {
        rules.push(format!("{} saddr {address} udp dport {}", family(address), traffic.port));
    }
    if let Some(public) = traffic.public.filter(seen) {
        rules.push(format!("{} daddr {public} tcp dport '{{ {} }}'", family(&public), list(&PUBLIC)));
    }
    rules
}
