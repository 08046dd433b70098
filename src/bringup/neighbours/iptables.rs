//! Docker, and rules of iptables that drop by default.

use std::collections::BTreeSet;

use crate::{
    bringup::{
        Place,
        neighbours::traffic::{BRIDGE, PUBLIC, Traffic, list},
    },
    command::{Command, Script, quote},
    resource::{Change, Entries, Firewall},
};

/// The programs, one for each version of IP.
const V4: &str = "iptables";
const V6: &str = "ip6tables";

/// Name of these entries.
pub(super) const NAME: &str = "iptables";

/// Returns our rules where iptables drops: in Docker's chain for others, else at the head of
/// the chain that drops. Where ufw is at work the dropping chains are ufw's, and so are the entries.
pub(super) fn entries(place: &Place, traffic: &Traffic, at_work: &BTreeSet<Firewall>) -> Option<Entries> {
    let is = |firewall: Firewall| at_work.contains(&firewall);
    let mut make = removal_source(place);
    let before = make.len();
    if is(Firewall::Docker) {
        make += "if iptables -w -n -L DOCKER-USER >/dev/null 2>&1; then\n";
        make += &rules(place, V4, "DOCKER-USER", forward(traffic));
        make += "fi\n";
    } else if is(Firewall::Forward) && !is(Firewall::Ufw) {
        make += &rules(place, V4, "FORWARD", forward(traffic));
    }
    if is(Firewall::Input) && !is(Firewall::Ufw) {
        make += &rules(place, V4, "INPUT", [from_the_bridge(traffic), from_outside(traffic, false)].concat());
    }
    if is(Firewall::Input6) && !is(Firewall::Ufw) {
        make += &rules(place, V6, "INPUT", from_outside(traffic, true));
    }
    (make.len() > before).then(|| Entries {
        firewall: NAME.into(),
        list: list_source(place),
        make,
        kept: place.var("iptables.loaded"),
    })
}

/// Returns the change that takes all our rules out.
pub(super) fn removal(place: &Place) -> Change {
    let script = Script::new().line(removal_source(place).trim_end());
    Change::shell(format!("entries in {NAME}"), "delete", script)
}

fn forward(traffic: &Traffic) -> Vec<Vec<String>> {
    let bridge = traffic.bridge.as_str();
    let mut rules = vec![words(&["-i", bridge, "-o", bridge])];
    rules.extend(traffic.outward.iter().map(|device| words(&["-i", bridge, "-o", device])));
    if !traffic.outward.is_empty() {
        rules.push(words(&["-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]));
    }
    rules
}

fn from_the_bridge(traffic: &Traffic) -> Vec<Vec<String>> {
    let (bridge, address) = (traffic.bridge.as_str(), traffic.address.to_string());
    vec![
        words(&["-i", bridge, "-p", "icmp"]),
        words(&["-i", bridge, "-p", "udp", "-m", "multiport", "--dports", "53,67"]),
        words(&["-i", bridge, "-d", &address, "-p", "tcp", "-m", "tcp", "--dport", "53"]),
        words(&["-i", bridge, "-d", &address, "-p", "tcp", "-m", "multiport", "--dports", &list(&BRIDGE)]),
    ]
}

/// Returns what comes from the other hosts and from outside by one of IP's two versions.
///
/// Of the sixth there is no more than this: the VMs' network has only IPv4, so nothing of it is forwarded.
fn from_outside(traffic: &Traffic, v6: bool) -> Vec<Vec<String>> {
    let mut rules = Vec::new();
    for peer in traffic.peers.iter().filter(|peer| peer.address.is_ipv6() == v6) {
        let (from, port) = (peer.address.to_string(), traffic.port.to_string());
        rules.push(words(&["-s", &from, "-p", "udp", "-m", "udp", "--dport", &port]));
    }
    if let Some(public) = traffic.public.filter(|public| public.is_ipv6() == v6) {
        let to = public.to_string();
        rules.push(words(&["-d", &to, "-p", "tcp", "-m", "multiport", "--dports", &list(&PUBLIC)]));
    }
    rules
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Returns the source that puts rules at the head of a chain, the last one first.
fn rules(place: &Place, program: &str, chain: &str, rules: Vec<Vec<String>>) -> String {
    let one = |rule: Vec<String>| {
        let command = Command::new(program).args(["-w", "-I", chain]).args(rule);
        let tag = ["-m", "comment", "--comment", &place.alias(), "-j", "ACCEPT"];
        format!("{}\n", command.args(tag))
    };
    rules.into_iter().rev().map(one).collect()
}

/// Returns the source that lists our rules; where iptables has no table there are none.
fn list_source(place: &Place) -> String {
    let tag = quote(&format!("--comment \"?{}\"?( |$)", place.alias()));
    let of = |program: &str, names: &str, family: &str| {
        format!(
            "if command -v {program} >/dev/null && \
             {{ grep -qsx filter /proc/net/{names} || nft list table {family} filter >/dev/null 2>&1; }}; then\n\
             {{ {program} -w -S | grep -E -e {tag} || true; }} | sed 's/^/{program} /'\nfi\n"
        )
    };
    of(V4, "ip_tables_names", "ip") + &of(V6, "ip6_tables_names", "ip6")
}

fn removal_source(place: &Place) -> String {
    format!("{{ {}; }} | sed 's/ -A / -w -D /' | xargs -r -L1 env\n", list_source(place).trim_end())
}
