//! ufw: rules of its own making, which it keeps over reloads and reboots.

use crate::{
    bringup::{
        Place,
        neighbours::traffic::{BRIDGE, PUBLIC, Traffic, list},
    },
    command::{Command, Script, quote},
    resource::{Change, Entries},
};

/// Name of these entries.
pub(super) const NAME: &str = "ufw";

/// Returns our rules in ufw, each with the cluster's name as its comment.
pub(super) fn entries(place: &Place, traffic: &Traffic) -> Entries {
    let mut make = removal_source(place);
    for rule in rules(traffic) {
        let command = Command::new("ufw").args(rule).args(["comment", &place.alias()]);
        make += &format!("{command} >/dev/null\n");
    }
    Entries { firewall: NAME.into(), list: list_source(place), make, kept: place.var("ufw.loaded") }
}

/// Returns the change that takes all our rules out.
pub(super) fn removal(place: &Place) -> Change {
    let script = Script::new().line(removal_source(place).trim_end());
    Change::shell(format!("entries in {NAME}"), "delete", script)
}

fn rules(traffic: &Traffic) -> Vec<Vec<String>> {
    let bridge = &traffic.bridge;
    let mut rules = vec![
        format!("allow in on {bridge} to {} port 53", traffic.address),
        // A client without an address asks everybody.
        format!("allow in on {bridge} proto udp from 0.0.0.0/0 to 0.0.0.0/0 port 67"),
        format!("allow in on {bridge} proto tcp to {} port {}", traffic.address, list(&BRIDGE)),
        format!("route allow in on {bridge} out on {bridge}"),
    ];
    rules.extend(traffic.outward.iter().map(|device| format!("route allow in on {bridge} out on {device}")));
    for peer in &traffic.peers {
        rules.push(format!("allow proto udp from {} to {} port {}", peer.address, peer.local, traffic.port));
    }
    if let Some(public) = traffic.public {
        rules.push(format!("allow proto tcp to {public} port {}", list(&PUBLIC)));
    }
    // No name or address of ours has a space in it.
    rules.iter().map(|rule| rule.split(' ').map(str::to_owned).collect()).collect()
}

/// Returns the source that lists our rules, as the commands that would make them.
fn list_source(place: &Place) -> String {
    let tag = quote(&format!(" comment '{}'", place.alias()));
    format!(
        "if command -v ufw >/dev/null; then\n\
         if rules=$(ufw show added 2>&1); then grep -F -e {tag} <<<\"$rules\" || true\n\
         else echo \"ufw: $rules\" >&2; exit 1; fi\nfi\n"
    )
}

fn removal_source(place: &Place) -> String {
    let route = "s/^ufw route /ufw route delete /; t cut; s/^ufw /ufw delete /; :cut; s/^ufw //";
    let cut = format!("{route}; s/ comment '.*'$//");
    format!(
        "{{ {}; }} | sed -e {} | xargs -r -L1 ufw >/dev/null\n",
        list_source(place).trim_end(),
        quote(&cut)
    )
}
