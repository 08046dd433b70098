//! A host that has not forwarded packets before does so for its VMs, and for no stranger.
//!
//! The kernel forwards for everybody or for nobody. Where it did for nobody, a neighbour on the public
//! side would reach servers on a private NIC as soon as ocp2 turns forwarding on; so what goes from one
//! of the host's NICs to another is dropped there. What others forward on the host (Docker, libvirt,
//! another cluster) passes at least one link of their own, and stays theirs.

use std::collections::BTreeSet;

use crate::{
    bringup::Place,
    cluster::Cluster,
    resource::{Facts, LinkSeen, Questions},
};

/// The setting that turns forwarding of IPv4 on. That of IPv6 is left as it is.
pub(super) const FORWARDING: &str = "net.ipv4.ip_forward";

/// Kinds of links that lead to a wire; a NIC of its own has none.
const WIRED: [&str; 6] = ["vlan", "bond", "team", "macvlan", "ipvlan", "ipoib"];

/// Adds what has to be asked to know what the host did before.
pub(super) fn ask(questions: &mut Questions) {
    questions.former.insert(FORWARDING.into(), Place::of_any(&format!("before/settings/{FORWARDING}")));
}

/// Returns the links between which a host must not forward, none where it forwarded before ocp2 came.
pub(super) fn links(cluster: &Cluster, host: usize, facts: &Facts) -> BTreeSet<String> {
    if !was_off(facts) {
        return BTreeSet::new();
    }
    let underlay = cluster.hosts[host].underlay.device.as_deref();
    let ways_out = facts.routes.iter().map(|route| route.dev.as_str()).chain(underlay);
    let ways_out: BTreeSet<&str> = ways_out.collect();
    let wired = |link: &&LinkSeen| {
        let is_wired = link.kind.as_deref().is_none_or(|kind| WIRED.contains(&kind));
        link.name != "lo" && (is_wired || ways_out.contains(link.name.as_str()))
    };
    let wired: Vec<&LinkSeen> = facts.links.iter().filter(wired).collect();
    // What is in a bridge comes in by the bridge.
    let bridges = wired.iter().filter_map(|link| link.master.clone());
    let names = wired.iter().map(|link| link.name.clone()).chain(bridges);
    names.filter(|name| *name != cluster.network.bridge && can_be_quoted(name)).collect()
}

/// Tells whether forwarding was off before any cluster of ocp2's came: by what the first one kept, else
/// by what is now. Of a host that has told nothing, nothing is said.
fn was_off(facts: &Facts) -> bool {
    match facts.former.get(FORWARDING) {
        Some(former) => former.contains("0"),
        None => facts.settings.get(FORWARDING).is_some_and(|now| now == "0"),
    }
}

/// nft has no word for a quote inside a name, and takes a `*` at its end for any name that begins so.
fn can_be_quoted(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '*' | '\\'))
}
