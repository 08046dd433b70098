//! The tunnel that joins the bridges of all hosts.

use std::net::IpAddr;

use crate::{
    address::Mac,
    command::{Command, Script},
    resource::{Change, Conflict, Detail, Facts, Kind, LinkSeen, Owned, Scope, link},
};

/// A VXLAN link in a bridge (RFC 7348).
///
/// `local` is always set: with learning on, an entry that differs from the
/// outer source address would drop frames silently. Where frames are flooded
/// to is the business of [`super::Peers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vxlan {
    /// Its name.
    pub name: String,
    /// What marks it as ours, `ocp2:CLUSTER`.
    pub alias: String,
    /// The bridge it is a port of.
    pub bridge: String,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Bytes, of the frames inside.
    pub mtu: u16,
    /// Network identifier.
    pub vni: u32,
    /// UDP port.
    pub port: u16,
    /// Address of this end on the underlay.
    pub local: IpAddr,
}

impl Vxlan {
    /// Returns the changes from `facts` to this link.
    ///
    /// # Errors
    /// Returns a [`Conflict`] where a link of that name, or another tunnel with
    /// this VNI and port, is not ours.
    pub fn changes(&self, facts: &Facts) -> Result<Vec<Change>, Conflict> {
        let same_tunnel = |link: &&LinkSeen| {
            link.name != self.name
                && link.settings.id == Some(self.vni)
                && link.settings.port == Some(self.port)
        };
        if let Some(other) = facts.links.iter().find(same_tunnel) {
            return Err(Conflict {
                resource: format!("VNI {} on UDP port {}", self.vni, self.port),
                found: format!("link {}", other.name),
                fix: "choose another network.vxlan.vni in the inventory".into(),
            });
        }
        let Some(seen) = facts.link(&self.name) else {
            let made = Owned::new(Kind::Link, &self.name);
            let create = Change::shell(self.id(), "create", self.script()).within(Scope::Ours);
            return Ok(vec![create.making([made])]);
        };
        seen.must_be(&self.alias, &self.id())?;
        let fixed = self.unchangeable(seen);
        let mut differences = self.differences(seen);
        if differences.is_empty() && fixed.is_empty() {
            return Ok(Vec::new());
        }
        // Identifier, port and address family are set at birth: such a link is made anew.
        let mut script = Script::new();
        if !fixed.is_empty() {
            script = script.line(Command::new("ip").args(["link", "delete", "dev", &self.name]));
            differences.splice(0..0, fixed);
        }
        let summary = differences.iter().map(Detail::in_words).collect::<Vec<_>>().join(", ");
        let script = script.line(self.script().source().trim_end());
        Ok(vec![Change::shell(self.id(), &summary, script).within(Scope::Ours).because(differences)])
    }

    /// Returns the source that makes or mends the link; it may run any number of times.
    fn script(&self) -> Script {
        let ip = |words: &[&str]| Command::new("ip").args(words);
        let (name, mac, mtu) = (self.name.as_str(), self.mac.to_string(), self.mtu.to_string());
        let add = ip(&["link", "add", "name", name, "address", &mac, "type", "vxlan", "id"])
            .arg(self.vni)
            .args(["local", &self.local.to_string(), "dstport"])
            .arg(self.port)
            .arg("learning");
        Script::new()
            .line(link::add_unless_ours(name, &self.alias, &add))
            .line(link::without_ipv6(name))
            .line(ip(&["link", "set", "dev", name, "alias", &self.alias, "address", &mac, "mtu", &mtu]))
            .line(ip(&["link", "set", "dev", name, "type", "vxlan", "id"]).arg(self.vni).args([
                "local",
                &self.local.to_string(),
                "learning",
            ]))
            .line(ip(&["link", "set", "dev", name, "master", &self.bridge]))
            .line(ip(&["link", "set", "dev", name, "up"]))
    }

    /// Compares what can only be had by a new link, which begins without peers and settings.
    fn unchangeable(&self, seen: &LinkSeen) -> Vec<Detail> {
        let text = |value: Option<u32>| value.map(|n| n.to_string());
        let family = |local: IpAddr| if local.is_ipv4() { "IPv4" } else { "IPv6" };
        [
            Detail::field("kind", seen.kind.as_deref(), "vxlan"),
            Detail::field("vni", text(seen.settings.id).as_deref(), &self.vni.to_string()),
            Detail::field("port", text(seen.settings.port.map(u32::from)).as_deref(), &self.port.to_string()),
            Detail::field("family", local(seen).map(family), family(self.local)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn differences(&self, seen: &LinkSeen) -> Vec<Detail> {
        let mac = seen.mac.map(|mac| mac.to_string());
        let local = local(seen).map(|ip| ip.to_string());
        let learning = if seen.settings.learning == Some(false) { "off" } else { "on" };
        [
            Detail::field("bridge", seen.master.as_deref(), &self.bridge),
            Detail::field("mac", mac.as_deref(), &self.mac.to_string()),
            Detail::field("mtu", Some(&seen.mtu.to_string()), &self.mtu.to_string()),
            Detail::field("local", local.as_deref(), &self.local.to_string()),
            Detail::field("learning", Some(learning), "on"),
            Detail::field("link", Some(seen.up_or_down()), "up"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn id(&self) -> String {
        format!("vxlan {}", self.name)
    }
}

fn local(seen: &LinkSeen) -> Option<IpAddr> {
    seen.settings.local.or(seen.settings.local6)
}
