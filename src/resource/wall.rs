//! Chains of nftables that are somebody's own and drop what they do not know.

/// A base chain where packets to a host, or through it, end unless a rule of the chain takes them.
///
/// `accept` in our own table does not help there: a packet passes all chains
/// of a hook, and the first that drops it has the last word. The chains of
/// firewalls that ocp2 makes entries in are not among these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wall {
    /// Family of its table: `inet` or `ip`, for the VMs' network is IPv4.
    pub family: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// `forward` or `input`.
    pub hook: String,
    /// The listing of its whole table: a rule may be in a chain it jumps to.
    pub listing: String,
}

impl Wall {
    /// Tells whether its owner has let something of `bridge` pass, or says so by a rule with the comment `alias`.
    ///
    /// Which packets such a rule takes is the owner's business.
    #[must_use]
    pub fn lets_pass(&self, bridge: &str, alias: &str) -> bool {
        self.listing.contains(&format!("\"{bridge}\""))
            || self.listing.contains(&format!("comment \"{alias}\""))
    }
}

/// Returns the probe's source: tables with a filter chain at a hook of ours, whole.
///
/// Only those are listed that are no business of a [`super::Firewall`] and not
/// ocp2's; most hosts have none.
pub(super) fn ask() -> String {
    r##"echo "@@${mark-}walls"
nft list chains 2>/dev/null | while read -r a b c d _; do
case $a in table) f=$b t=$c;; chain) n=$b;; type)
[ "$b $c" = 'filter hook' ] || continue
case $d in input|forward) ;; *) continue;; esac
case $f in inet|ip) ;; *) continue;; esac
case $f/$t/$n in inet/ocp2_*|inet/firewalld/*|ip/filter/FORWARD|ip/filter/INPUT) continue;; esac
echo "$f $t";;
esac
done | sort -u | while read -r f t; do echo "# table $f $t"; nft -s -t list table "$f" "$t" 2>/dev/null; done || true"##
        .into()
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> Vec<Wall> {
    section.split("# table ").skip(1).flat_map(read_table).collect()
}

fn read_table(part: &str) -> Vec<Wall> {
    let (head, listing) = part.split_once('\n').unwrap_or((part, ""));
    let Some((family, table)) = head.split_once(' ') else { return Vec::new() };
    let chains = listing.split("\n\tchain ").skip(1);
    let wall = |text: &str| {
        let (name, body) = text.split_once(" {\n")?;
        let body = body.split("\n\t}").next().unwrap_or(body);
        let mut rules = body.lines().map(str::trim).filter(|line| !line.is_empty());
        let head = rules.find(|line| line.starts_with("type filter hook "))?;
        let hook = head.split(' ').nth(3).filter(|hook| matches!(*hook, "input" | "forward"))?;
        let drops = head.contains("policy drop") || rules.next_back().is_some_and(ends_everything);
        drops.then(|| Wall {
            family: family.to_owned(),
            table: table.to_owned(),
            chain: name.to_owned(),
            hook: hook.to_owned(),
            listing: listing.to_owned(),
        })
    };
    // Those of iptables get entries of ours.
    let unknown = |wall: &Wall| {
        let is_iptables = wall.family == "ip" && wall.table == "filter";
        !(is_iptables && matches!(wall.chain.as_str(), "FORWARD" | "INPUT"))
    };
    chains.filter_map(wall).filter(unknown).collect()
}

/// Tells whether a rule takes every packet, and not to let it pass.
fn ends_everything(rule: &str) -> bool {
    let mut rest = rule;
    // What says nothing of which packets are meant.
    for word in ["counter", "log"] {
        rest = rest.strip_prefix(word).map_or(rest, str::trim_start);
    }
    let verdict = rest.split(' ').next().unwrap_or_default();
    matches!(verdict, "drop" | "reject")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_says_whether_it_takes_everything() {
        for rule in ["drop", "counter drop", "counter log drop", "reject with icmpx admin-prohibited"] {
            assert!(ends_everything(rule), "{rule}");
        }
        for rule in ["accept", "tcp dport 22 drop", "ct state invalid drop", "jump more", "counter"] {
            assert!(!ends_everything(rule), "{rule}");
        }
    }
}
