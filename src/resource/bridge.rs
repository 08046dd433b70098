//! The bridge that all VMs of a host are plugged into.

use ipnet::{IpNet, Ipv4Net};

use crate::{
    address::Mac,
    command::{Command, Script},
    resource::{Change, Conflict, Detail, Facts, Kind, LinkSeen, Owned, Scope, link},
};

/// A bridge with one IPv4 address.
///
/// In the kernel's words: `ip link add br-vm address … type bridge stp_state 0
/// forward_delay 0`. The MTU is set explicitly, or the bridge would take its
/// lowest member's; so is the MAC, or it would change with the members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// What marks it as ours, `ocp2:CLUSTER`.
    pub alias: String,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Bytes.
    pub mtu: u16,
    /// The host's address on it.
    pub address: Ipv4Net,
}

impl Bridge {
    /// Returns the changes from `facts` to this bridge.
    ///
    /// # Errors
    /// Returns a [`Conflict`] where a link of that name is not ours, or another one is in the same network.
    pub fn changes(&self, facts: &Facts) -> Result<Vec<Change>, Conflict> {
        let seen = facts.link(&self.name);
        seen.map_or(Ok(()), |seen| seen.must_be(&self.alias, &self.id()))?;
        if let Some(conflict) = facts.links.iter().find_map(|link| self.clash(link)) {
            return Err(conflict);
        }
        let Some(seen) = seen else {
            let made = Owned::new(Kind::Link, &self.name);
            let create = Change::shell(self.id(), "create", self.script()).within(Scope::Ours);
            return Ok(vec![create.making([made])]);
        };
        let differences = self.differences(seen);
        if differences.is_empty() {
            return Ok(Vec::new());
        }
        let summary = differences.iter().map(Detail::in_words).collect::<Vec<_>>().join(", ");
        // Before its own address is added, for with a first address go all later ones of its network.
        let removed = self.surplus(seen).fold(Script::new(), |script, address| {
            script.line(Command::new("ip").args([
                "address",
                "delete",
                &address.to_string(),
                "dev",
                &self.name,
            ]))
        });
        let script = removed.line(self.script().source().trim_end());
        Ok(vec![Change::shell(self.id(), &summary, script).within(Scope::Ours).because(differences)])
    }

    /// Returns the source that makes or mends the bridge; it may run any number of times.
    fn script(&self) -> Script {
        let ip = |words: &[&str]| Command::new("ip").args(words);
        let (name, mac, mtu) = (self.name.as_str(), self.mac.to_string(), self.mtu.to_string());
        let add = ip(&["link", "add", "name", name, "address", &mac, "type", "bridge"]);
        Script::new()
            .line(link::add_unless_ours(name, &self.alias, &add))
            .line(link::without_ipv6(name))
            .line(ip(&["link", "set", "dev", name, "alias", &self.alias, "address", &mac, "mtu", &mtu]))
            .line(ip(&["link", "set", "dev", name, "type", "bridge", "stp_state", "0", "forward_delay", "0"]))
            .line(ip(&["address", "replace", &self.address.to_string(), "dev", name]))
            .line(ip(&["link", "set", "dev", name, "up"]))
    }

    fn differences(&self, seen: &LinkSeen) -> Vec<Detail> {
        let address = self.address.to_string();
        let addresses = v4(seen).map(|address| address.to_string()).collect::<Vec<_>>().join(" ");
        let mac = seen.mac.map(|mac| mac.to_string());
        let number = |value: Option<u32>| value.map(|n| n.to_string());
        [
            Detail::field("address", Some(&*addresses).filter(|text| !text.is_empty()), &address),
            Detail::field("mac", mac.as_deref(), &self.mac.to_string()),
            Detail::field("mtu", Some(&seen.mtu.to_string()), &self.mtu.to_string()),
            Detail::field("stp", number(seen.settings.stp_state).as_deref(), "0"),
            Detail::field("forward delay", number(seen.settings.forward_delay).as_deref(), "0"),
            Detail::field("link", Some(seen.up_or_down()), "up"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Returns addresses that may now be another host's: two of them would answer for one.
    fn surplus<'a>(&'a self, seen: &'a LinkSeen) -> impl Iterator<Item = Ipv4Net> + 'a {
        v4(seen).filter(|address| *address != self.address)
    }

    /// Finds another link in our network: packets to one of the two would leave by the other.
    ///
    /// A network that only contains ours is no clash, unless it is another cluster's.
    fn clash(&self, link: &LinkSeen) -> Option<Conflict> {
        if link.name == self.name {
            return None;
        }
        let other_cluster = link.alias.as_deref().is_some_and(|alias| alias.starts_with("ocp2:"));
        let clashes = |address: &Ipv4Net| {
            self.address.contains(&address.addr()) || other_cluster && address.contains(&self.address.addr())
        };
        let address = v4(link).find(clashes)?;
        let mark = link.alias.as_deref().map(|alias| format!(" (marked {alias})")).unwrap_or_default();
        Some(Conflict {
            resource: format!("network {}", self.address.trunc()),
            found: format!("link {}{mark} with address {address}", link.name),
            fix: "choose another network.machineNetwork in the inventory".into(),
        })
    }

    fn id(&self) -> String {
        format!("bridge {}", self.name)
    }
}

fn v4(seen: &LinkSeen) -> impl Iterator<Item = Ipv4Net> {
    seen.addresses.iter().filter_map(|address| match address {
        IpNet::V4(address) => Some(*address),
        IpNet::V6(_) => None,
    })
}

impl LinkSeen {
    /// Refuses a link that does not carry our alias.
    ///
    /// # Errors
    /// Returns a [`Conflict`] that names the link.
    pub(super) fn must_be(&self, alias: &str, resource: &str) -> Result<(), Conflict> {
        if self.alias.as_deref() == Some(alias) {
            return Ok(());
        }
        let kind = self.kind.as_deref().unwrap_or("physical");
        let mark = self.alias.as_deref().map(|a| format!(" marked {a}")).unwrap_or_default();
        Err(Conflict {
            resource: resource.to_owned(),
            found: format!("a {kind} link{mark}"),
            fix: format!("remove it (ip link delete {}), or choose another name in the inventory", self.name),
        })
    }

    /// Returns `up` or `down`.
    pub(super) fn up_or_down(&self) -> &'static str {
        if self.up { "up" } else { "down" }
    }
}
