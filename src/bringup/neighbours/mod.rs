//! Other firewalls of a host: `accept` in our table is not final, so each gets entries of ours.
//!
//! All entries carry the cluster's name, say no more than our own table does,
//! and give way to what the owner of the host has put in front of them.

mod firewalld;
mod flows;
mod iptables;
mod traffic;
mod ufw;
mod walls;

pub use traffic::RELAY_PORT;

use crate::{
    bringup::{Place, neighbours::traffic::Traffic},
    cluster::Cluster,
    render,
    resource::{Change, Entries, Facts, Firewall, Questions, Resource, UnitSeen},
};

pub(super) use walls::findings;

/// Returns what is wanted in the firewalls that are at work.
pub(super) fn wanted(cluster: &Cluster, host: usize, facts: &Facts) -> Result<Vec<Resource>, render::Error> {
    let (place, traffic) = (Place::of(cluster), Traffic::of(cluster, host, facts));
    let mut wanted: Vec<Resource> =
        at_boot(cluster, host, facts).map(Resource::Entries).into_iter().collect();
    if facts.firewalls.contains(&Firewall::Ufw) {
        wanted.push(Resource::Entries(ufw::entries(&place, &traffic)));
    }
    if facts.firewalls.contains(&Firewall::Firewalld) {
        wanted.extend(firewalld::wanted(&place, &traffic)?);
    }
    Ok(wanted)
}

/// Units whose start may undo ours.
pub(super) const UNITS: [&str; 6] = [
    "nftables.service",
    "netfilter-persistent.service",
    "iptables.service",
    "firewalld.service",
    "ufw.service",
    "docker.service",
];

/// Returns the units of this host whose starts and stops the overlay follows.
///
/// Only one side of those that end each other: a start of firewalld is a stop
/// of nftables.service, and a unit that follows both could do neither.
pub(super) fn followed(facts: &Facts) -> Vec<&'static str> {
    let seen = |name: &str| facts.units.get(name);
    let firewalld = seen("firewalld.service").is_some_and(UnitSeen::is_active);
    let ended = |name: &str| match name {
        "nftables.service" | "netfilter-persistent.service" | "iptables.service" => firewalld,
        "firewalld.service" => !firewalld,
        _ => false,
    };
    let there = |name: &str| seen(name).is_some_and(|unit| unit.is_active() || unit.file == "enabled");
    UNITS.into_iter().filter(|name| there(name) && !ended(name)).collect()
}

/// Returns the entries that nobody but our boot script makes again: iptables forgets.
pub(super) fn at_boot(cluster: &Cluster, host: usize, facts: &Facts) -> Option<Entries> {
    iptables::entries(&Place::of(cluster), &Traffic::of(cluster, host, facts), facts)
}

/// Adds what has to be asked about entries that may be wanted.
pub(super) fn ask(place: &Place, questions: &mut Questions) {
    Resource::Entries(iptables::none(place)).ask(questions);
}

/// Returns the changes that take all our entries out.
pub(super) fn removal(place: &Place, facts: &Facts) -> Vec<Change> {
    let there = |name: &str| facts.entries.contains_key(name);
    let mut changes = Vec::new();
    if there(iptables::NAME) {
        changes.push(iptables::removal(place));
    }
    if there(ufw::NAME) {
        changes.push(ufw::removal(place));
    }
    changes.extend(firewalld::removal(place, facts));
    changes
}
