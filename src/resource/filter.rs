//! Somebody's filter, and where in it packets end.
//!
//! A filter closes the way by the policy of its chain as well as by a last rule that rejects
//! everything, or by a chain it jumps to. So the way of a packet is walked, rule by rule, and
//! only what is sure counts: a rule that takes some of the packets, such as a block list, is its
//! owner's business, and one that lets some of them pass opens nothing to the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::packet::{Match, Packet, Share};

/// How the comments of rules begin that ocp2 makes in the filters of others, followed by the cluster's name.
const OURS: &str = "ocp2:";

/// Longest chain of jumps that is followed. The kernel allows 16 in nftables.
const DEPTH: usize = 64;

/// The filter table of iptables, or a table of nftables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The program it is kept by: `nft`, `iptables`, `ip6tables`, `iptables-legacy`, …
    pub program: String,
    /// It is one of nftables, whichever program keeps it.
    pub in_nftables: bool,
    /// `ip`, `ip6` or `inet`.
    pub family: String,
    /// Its name.
    pub table: String,
    /// Its chains, by name.
    pub chains: BTreeMap<String, Chain>,
    /// All words that its rules are made of: names of links among them, and comments.
    pub words: BTreeSet<String>,
}

/// A chain of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Where packets come into it by themselves; `None`: by a jump only.
    pub hook: Option<Hook>,
    /// What reaches its end is dropped.
    pub drops: bool,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// Where a filter sees packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Those for the host itself.
    Input,
    /// Those that go through it.
    Forward,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// It is about packets for which all of these hold.
    pub matches: Vec<Match>,
    /// What becomes of them; `None`: they go on to the next rule.
    pub verdict: Option<Verdict>,
    /// What its owner says of it.
    pub comment: Option<String>,
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The filter lets it pass.
    Accept,
    /// It ends, with an answer or without.
    End,
    /// It goes back to where it jumped from.
    Return,
    /// It goes through another chain and comes back.
    Jump(String),
    /// It goes through another chain and does not come back.
    Goto(String),
}

/// Where packets end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The chain at the hook.
    pub base: String,
    /// The chain whose rule takes them; `None`: they reach the end of `base`, which drops.
    pub rule_of: Option<String>,
    /// The chains they have been in: a rule in any of these could have let them pass.
    pub through: BTreeSet<String>,
}

impl Filter {
    /// Returns where packets end that come in at a hook, once for each chain there that does not let them pass.
    #[must_use]
    pub fn ends(&self, hook: Hook, packet: &Packet) -> Vec<End> {
        let seen = match self.family.as_str() {
            "ip" => !packet.v6,
            "ip6" => packet.v6,
            _ => true,
        };
        let bases = self.chains.iter().filter(|(_, chain)| seen && chain.hook == Some(hook));
        let end = |(base, chain): (&String, &Chain)| {
            let mut walk = Walk { filter: self, packet, through: BTreeMap::new() };
            let rule_of = match walk.chain(base, 0) {
                Way::Ends(within) => Some(within.to_owned()),
                Way::On if chain.drops => None,
                Way::On | Way::Passes => return None,
            };
            let through = walk.through.into_keys().map(str::to_owned).collect();
            Some(End { base: base.clone(), rule_of, through })
        };
        bases.filter_map(end).collect()
    }
}

impl Rule {
    /// Tells whether ocp2 made it: what it lets pass says nothing of what its host would do without.
    fn is_ours(&self) -> bool {
        self.comment.as_deref().is_some_and(|comment| comment.starts_with(OURS))
    }

    fn is_about_all(&self, packet: &Packet) -> bool {
        let shares = self.matches.iter().map(|it| it.share(packet));
        shares.fold(Share::All, |all, share| all & share) == Share::All
    }
}

/// A packet on its way through a filter.
struct Walk<'a> {
    filter: &'a Filter,
    packet: &'a Packet,
    /// How it went through the chains it was in: the second time it is the same.
    through: BTreeMap<&'a str, Way<'a>>,
}

/// How a packet comes out of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way<'a> {
    Passes,
    /// It ends by a rule of this chain.
    Ends(&'a str),
    /// It has come to the end of the chain.
    On,
}

impl<'a> Walk<'a> {
    fn chain(&mut self, name: &'a str, depth: usize) -> Way<'a> {
        if let Some(way) = self.through.get(name) {
            return *way;
        }
        // No kernel takes a circle; a host may still tell of one.
        self.through.insert(name, Way::On);
        let way = if depth < DEPTH { self.rules(name, depth) } else { Way::Passes };
        self.through.insert(name, way);
        way
    }

    fn rules(&mut self, name: &'a str, depth: usize) -> Way<'a> {
        let filter = self.filter;
        let Some(chain) = filter.chains.get(name) else { return Way::On };
        let packet = self.packet;
        for rule in chain.rules.iter().filter(|rule| !rule.is_ours() && rule.is_about_all(packet)) {
            match &rule.verdict {
                None => {}
                Some(Verdict::Accept) => return Way::Passes,
                Some(Verdict::End) => return Way::Ends(name),
                Some(Verdict::Return) => return Way::On,
                Some(Verdict::Goto(other)) => return self.chain(other, depth + 1),
                Some(Verdict::Jump(other)) => match self.chain(other, depth + 1) {
                    Way::On => {}
                    way => return way,
                },
            }
        }
        Way::On
    }
}
