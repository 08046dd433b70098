//! Docker, and rules of iptables that close the way.

use crate::{
    bringup::{
        Place,
        neighbours::{
            flows::{Flow, flows},
            traffic::{BRIDGE, PUBLIC, Traffic, list},
        },
    },
    command::{Command, Script, quote},
    resource::{Change, End, Entries, Facts, Filter, Firewall, Hook, NOT_OF_IPTABLES, PATIENCE},
};

/// The programs, one for each version of IP.
const V4: &str = "iptables";
const V6: &str = "ip6tables";

/// Name of these entries.
pub(super) const NAME: &str = "iptables";

/// The chain that Docker leaves to others.
const DOCKER_USER: &str = "DOCKER-USER";

/// Returns our rules where iptables lets not pass what has to: at the head of the chain that closes the
/// way, or in the one that Docker leaves to others, where packets come through that before they end.
///
/// Beside Docker they are wanted always, for each start of its may close the way.
pub(super) fn entries(place: &Place, traffic: &Traffic, facts: &Facts) -> Option<Entries> {
    let mut make = String::new();
    let flows = flows(traffic, facts);
    let of = |program: &str| facts.iptables.iter().find(|filter| filter.program == program);
    if let Some(filter) = of(V4) {
        let ends = closed(filter, Hook::Forward, &flows, facts);
        let through_dockers = |end: &End| end.through.contains(DOCKER_USER);
        let wanted = forward(traffic);
        if filter.chains.contains_key(DOCKER_USER) && ends.iter().all(through_dockers) {
            // Where the rules were loaded anew without Docker's, one of them may still close the way. A policy
            // is Docker's, which sets it or not at each start: the entries must not depend on it.
            make += &format!("if iptables -w -n -L {DOCKER_USER} >/dev/null 2>&1; then\n");
            make += &rules(place, V4, DOCKER_USER, wanted.clone());
            if ends.iter().any(|end| end.rule_of.is_some()) {
                make += &format!("else\n{}", rules(place, V4, "FORWARD", wanted));
            }
            make += "fi\n";
        } else if !ends.is_empty() {
            make += &rules(place, V4, "FORWARD", wanted);
        }
        if !closed(filter, Hook::Input, &flows, facts).is_empty() {
            make +=
                &rules(place, V4, "INPUT", [from_the_bridge(traffic), from_outside(traffic, false)].concat());
        }
    }
    if of(V6).is_some_and(|filter| !closed(filter, Hook::Input, &flows, facts).is_empty()) {
        make += &rules(place, V6, "INPUT", from_outside(traffic, true));
    }
    (!make.is_empty()).then(|| Entries { make: removal_source(place) + &make, ..none(place) })
}

/// Returns the entries as they are where none are wanted: what is asked of a host.
pub(super) fn none(place: &Place) -> Entries {
    Entries {
        firewall: NAME.into(),
        list: list_source(place),
        make: String::new(),
        kept: place.var("iptables.loaded"),
    }
}

/// Returns where a filter ends what has to pass, less what a firewall lets pass that has rules of ours.
fn closed(filter: &Filter, hook: Hook, flows: &[Flow], facts: &Facts) -> Vec<End> {
    let flows = flows.iter().filter(|flow| flow.hook == hook);
    let ends = flows.flat_map(|flow| filter.ends(hook, &flow.packet));
    let told = |end: &End| {
        facts.firewalls.iter().any(|firewall| end.through.iter().any(|chain| keeps(*firewall, chain)))
    };
    ends.filter(|end| !told(end)).collect()
}

/// Tells whether a firewall puts into this chain what it was told to let pass.
fn keeps(firewall: Firewall, chain: &str) -> bool {
    match firewall {
        Firewall::Ufw => matches!(chain, "ufw-user-input" | "ufw-user-forward" | "ufw6-user-input"),
        // Where it works by iptables.
        Firewall::Firewalld => chain.starts_with("INPUT_") || chain.starts_with("FORWARD_"),
    }
}

/// Returns the change that takes all our rules out.
pub(super) fn removal(place: &Place) -> Change {
    let script = Script::new().line(removal_source(place).trim_end());
    Change::shell(format!("entries in {NAME}"), "delete", script)
}

pub(super) fn forward(traffic: &Traffic) -> Vec<Vec<String>> {
    let bridge = traffic.bridge.as_str();
    let mut rules = vec![words(&["-i", bridge, "-o", bridge])];
    rules.extend(traffic.outward.iter().map(|device| words(&["-i", bridge, "-o", device])));
    if !traffic.outward.is_empty() {
        rules.push(words(&["-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]));
    }
    rules
}

pub(super) fn from_the_bridge(traffic: &Traffic) -> Vec<Vec<String>> {
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
pub(super) fn from_outside(traffic: &Traffic, v6: bool) -> Vec<Vec<String>> {
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
    commands(place, program, chain, rules).map(|command| command + "\n").collect()
}

/// Returns the commands that put rules at the head of a chain, the last one first.
pub(super) fn commands(
    place: &Place,
    program: &str,
    chain: &str,
    rules: Vec<Vec<String>>,
) -> impl Iterator<Item = String> {
    let one = move |rule: Vec<String>| {
        let command = Command::new(program).args(["-w", "-I", chain]).args(rule);
        let tag = ["-m", "comment", "--comment", &place.alias(), "-j", "ACCEPT"];
        command.args(tag).to_string()
    };
    rules.into_iter().rev().map(one)
}

/// Returns the source that lists our rules; where iptables has no table there are none.
fn list_source(place: &Place) -> String {
    let tag = quote(&format!("--comment \"?{}\"?( |$)", place.alias()));
    let of = |program: &str, names: &str, family: &str| {
        format!(
            "if command -v {program} >/dev/null && \
             {{ grep -qsx filter /proc/net/{names} || nft list table {family} filter >/dev/null 2>&1; }}; then\n\
             if rules=$({program} -w {PATIENCE} -S 2>&1); then {{ grep -E -e {tag} <<<\"$rules\" || true; }} | sed 's/^/{program} /'\n\
             else case $rules in *\"{NOT_OF_IPTABLES}\"*) ;; *) echo \"{program}: $rules\" >&2; exit 1;; esac; fi\nfi\n"
        )
    };
    of(V4, "ip_tables_names", "ip") + &of(V6, "ip6_tables_names", "ip6")
}

fn removal_source(place: &Place) -> String {
    format!("{{ {}; }} | sed 's/ -A / -w -D /' | xargs -r -L1 env\n", list_source(place).trim_end())
}
