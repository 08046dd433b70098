//! Head-end replication: where a tunnel sends what it does not know yet.
//!
//! Every host knows every other one: N hosts keep N − 1 entries each, and a frame for everybody
//! (ARP, mostly) leaves its host N − 1 times. Known addresses cost nothing: they are learned. OVN
//! keeps the pods' own broadcasts off this network, so what floods is nodes asking for each other,
//! a few frames a second for a hundred nodes; at 32 hosts that is about 100 small packets a second.
//! What grows sooner is change: a new host is told to all others. From about 50 hosts on, or where
//! hosts come and go by themselves, an existing control plane (BGP EVPN, by FRR) is the better
//! choice: it distributes addresses instead of flooding, and a host joins by one session.

use std::net::IpAddr;

use serde::Deserialize;

use crate::{
    command::{Command, Script, quote},
    resource::{Change, Facts, Scope, link},
};

/// The peers of a VXLAN link: flooded frames go to each of them.
///
/// In the kernel a permanent all-zeros entry per peer, whether there is one
/// peer or nineteen. `append` is used, for `add` would replace another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peers {
    /// The VXLAN link.
    pub device: String,
    /// The peers' addresses on the underlay.
    pub peers: Vec<IpAddr>,
}

/// A forwarding entry as `bridge -j fdb` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FdbSeen {
    /// Ethernet address; all zeros for flooding.
    pub mac: String,
    /// The link.
    #[serde(default)]
    pub ifname: String,
    /// Where it leads.
    pub dst: Option<IpAddr>,
    /// `permanent`, or nothing for a learned one.
    #[serde(default)]
    pub state: String,
}

const ALL_ZEROS: &str = "00:00:00:00:00:00";

impl FdbSeen {
    /// Returns the peer this entry floods to, if it is such an entry of `device`; learned ones are not.
    fn flood_of(&self, device: &str) -> Option<IpAddr> {
        let is_flood = self.ifname == device && self.mac == ALL_ZEROS && self.state == "permanent";
        self.dst.filter(|_| is_flood)
    }
}

impl Peers {
    /// Returns the changes from `facts` to exactly these peers.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let seen: Vec<IpAddr> = facts.fdb.iter().filter_map(|entry| entry.flood_of(&self.device)).collect();
        let resource = |peer: &IpAddr| format!("peer {peer} of {}", self.device);
        let missing = self.peers.iter().filter(|peer| !seen.contains(peer));
        let surplus = seen.iter().filter(|peer| !self.peers.contains(peer));
        let add =
            missing.map(|peer| Change::shell(resource(peer), "add", self.adding(*peer)).within(Scope::Ours));
        let remove = surplus
            .map(|peer| Change::shell(resource(peer), "remove", self.removing(*peer)).within(Scope::Ours));
        add.chain(remove).collect()
    }

    /// Returns the source that adds one entry unless it is there.
    fn adding(&self, peer: IpAddr) -> Script {
        Script::new().line(format_args!("{} || {}", self.finding(peer), self.entry("append", peer)))
    }

    /// Returns the source that removes one entry if it is still there: a link made anew has none.
    fn removing(&self, peer: IpAddr) -> Script {
        Script::new().line(format_args!("! {} || {}", self.finding(peer), self.entry("delete", peer)))
    }

    fn finding(&self, peer: IpAddr) -> String {
        let show = Command::new("bridge").args(["fdb", "show", "dev", &self.device]);
        format!("{show} | grep -F {} >/dev/null", quote(&format!("{ALL_ZEROS} dst {peer} ")))
    }

    fn entry(&self, verb: &str, peer: IpAddr) -> Command {
        Command::new("bridge").args(["fdb", verb, ALL_ZEROS, "dev", &self.device, "dst"]).arg(peer)
    }
}

/// Reads `bridge -j fdb show`.
pub(super) fn read(section: &str) -> Result<Vec<FdbSeen>, serde_json::Error> {
    if section.trim().is_empty() { Ok(Vec::new()) } else { link::each(section) }
}
