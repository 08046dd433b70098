//! Filters that ocp2 puts nothing into: named, and never touched.

use std::{collections::BTreeSet, net::IpAddr};

use crate::{
    bringup::{
        Finding, Place,
        neighbours::{
            flows::{Flow, flows},
            iptables,
            traffic::{PUBLIC, Peer, Traffic, list},
        },
    },
    cluster::Cluster,
    command::{Command, quote},
    resource::{End, Facts, Filter, Hook},
};

/// Returns the chains that end our traffic, each with the rules that let it pass.
///
/// `accept` in our own table does not help there: a packet passes all chains of a hook, and the first
/// that ends it has the last word.
pub(in crate::bringup) fn findings(cluster: &Cluster, host: usize, facts: &Facts) -> Vec<Finding> {
    let (place, traffic) = (Place::of(cluster), Traffic::of(cluster, host, facts));
    let flows = flows(&traffic, facts);
    let filters = of_nftables(facts).chain(of_the_older_iptables(facts));
    let closed = filters.filter(|filter| !lets_pass(filter, &place, &traffic));
    let find = |filter: &Filter| -> Vec<Finding> {
        let walls = walls(filter, &flows).into_iter();
        let finding = |(hook, end): (Hook, End)| Finding {
            host: cluster.hosts[host].name.clone(),
            what: what(filter, hook, &end),
            fix: format!(
                "let it pass, here and in the file the rules come from (ocp2 changes no rules of yours; by the comment \
                 it knows that you have seen to it): {}",
                rules(&place, filter, hook, &end.base, &traffic).join("; ")
            ),
        };
        walls.map(finding).collect()
    };
    closed.flat_map(find).collect()
}

/// Those of nftables that are not the tables of iptables, where entries of ours are.
fn of_nftables(facts: &Facts) -> impl Iterator<Item = &Filter> {
    let is_of_iptables = |filter: &Filter| {
        let same = |own: &Filter| own.in_nftables && own.family == filter.family && own.table == filter.table;
        facts.iptables.iter().any(same)
    };
    facts.filters.iter().filter(move |filter| !is_of_iptables(filter))
}

/// Those that `iptables` does not show, where it is the newer one, and that are in force all the same.
fn of_the_older_iptables(facts: &Facts) -> impl Iterator<Item = &Filter> {
    facts.iptables.iter().filter(|filter| filter.program.ends_with("-legacy"))
}

/// Tells whether a filter's owner has let something of the bridge pass, or says so by a rule with our alias
/// as its comment.
///
/// Which packets such a rule takes is the owner's business.
fn lets_pass(filter: &Filter, place: &Place, traffic: &Traffic) -> bool {
    filter.words.contains(&traffic.bridge) || filter.words.contains(&place.alias())
}

/// Returns the chains at the hooks that end something of ours, once each.
fn walls(filter: &Filter, flows: &[Flow]) -> Vec<(Hook, End)> {
    let mut known = BTreeSet::new();
    let ends = flows
        .iter()
        .flat_map(|flow| filter.ends(flow.hook, &flow.packet).into_iter().map(|end| (flow.hook, end)));
    ends.filter(|(_, end)| known.insert(end.base.clone())).collect()
}

fn what(filter: &Filter, hook: Hook, end: &End) -> String {
    let passing = match hook {
        Hook::Forward => "between the VMs and the outside",
        Hook::Input => "from the VMs and from the other hosts",
    };
    let (base, family, table) = (quote(&end.base), &filter.family, quote(&filter.table));
    let drops = match &end.rule_of {
        Some(chain) if *chain != end.base => format!("leads to chain {}, which drops", quote(chain)),
        _ => "drops".to_owned(),
    };
    let place = match filter.program.as_str() {
        "nft" => format!("the nftables table {family} {table}"),
        program => format!("the rules of {program} (`iptables` shows others here)"),
    };
    format!("chain {base} of {place} {drops} what comes {passing}, whatever ocp2's own table accepts")
}

/// Returns the commands that let our traffic pass.
fn rules(place: &Place, filter: &Filter, hook: Hook, base: &str, traffic: &Traffic) -> Vec<String> {
    if filter.program != "nft" {
        let words = match (hook, filter.family.as_str()) {
            (Hook::Forward, _) => iptables::forward(traffic),
            (Hook::Input, "ip6") => iptables::from_outside(traffic, true),
            (Hook::Input, _) => {
                [iptables::from_the_bridge(traffic), iptables::from_outside(traffic, false)].concat()
            }
        };
        return iptables::commands(place, &filter.program, base, words).collect();
    }
    let rule = |rule: String| {
        let head = Command::new("nft").args(["insert", "rule", &filter.family, &filter.table, base]);
        format!("{head} {rule} accept comment '\"{}\"'", place.alias())
    };
    matches(filter, hook, traffic).into_iter().map(rule).collect()
}

fn matches(filter: &Filter, hook: Hook, traffic: &Traffic) -> Vec<String> {
    let bridge = &traffic.bridge;
    let mut rules = Vec::new();
    if hook == Hook::Forward {
        return vec![format!("iifname {bridge}"), format!("oifname {bridge} ct state established,related")];
    }
    // The VMs' network has only IPv4.
    if filter.family != "ip6" {
        rules.push(format!("iifname {bridge}"));
    }
    let family = |address: &IpAddr| if address.is_ipv4() { "ip" } else { "ip6" };
    let seen = |address: &IpAddr| filter.family == "inet" || filter.family == family(address);
    for Peer { address, .. } in traffic.peers.iter().filter(|peer| seen(&peer.address)) {
        rules.push(format!("{} saddr {address} udp dport {}", family(address), traffic.port));
    }
    if let Some(public) = traffic.public.filter(seen) {
        rules.push(format!("{} daddr {public} tcp dport '{{ {} }}'", family(&public), list(&PUBLIC)));
    }
    rules
}
