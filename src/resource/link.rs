//! Network links and their addresses, as `ip -j -d address` and `ip -j route` tell them.

use std::{fmt, marker::PhantomData, net::IpAddr};

use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer as _,
    de::{self, DeserializeOwned, SeqAccess, Visitor},
};
use serde_json::Value;

use crate::{
    address::Mac,
    command::{Command, quote},
    resource::answer,
};

/// A network link as the kernel has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkSeen {
    /// Its name.
    pub name: String,
    /// Its kind, `bridge` or `vxlan`; `None` for a physical NIC.
    pub kind: Option<String>,
    /// `ocp2:CLUSTER` on ours.
    pub alias: Option<String>,
    /// Its Ethernet address.
    pub mac: Option<Mac>,
    /// Bytes.
    pub mtu: u16,
    /// Administratively up.
    pub up: bool,
    /// The bridge it is in.
    pub master: Option<String>,
    /// Addresses with prefix lengths, in the kernel's order.
    pub addresses: Vec<IpNet>,
    /// Settings of its kind that ocp2 sets, by `ip`'s JSON names.
    pub settings: LinkSettings,
}

/// Settings of bridges and VXLAN links that ocp2 sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// Bridge: forward delay, hundredths of a second.
    pub forward_delay: Option<u32>,
    /// Bridge: spanning tree, 0 is off.
    pub stp_state: Option<u32>,
    /// VXLAN: network identifier.
    pub id: Option<u32>,
    /// VXLAN: address of this end (IPv4).
    pub local: Option<IpAddr>,
    /// VXLAN: address of this end (IPv6).
    pub local6: Option<IpAddr>,
    /// VXLAN: UDP port.
    pub port: Option<u16>,
    /// VXLAN: source addresses are learned.
    pub learning: Option<bool>,
}

/// A default route.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RouteSeen {
    /// The link it leaves by.
    #[serde(default)]
    pub dev: String,
    /// Preferred source address.
    pub prefsrc: Option<IpAddr>,
}

/// Returns the probe's source.
pub(super) fn ask() -> String {
    let part = |name: &str, command: &str| format!("{}; told {name} {command}\n", answer::head(name));
    part("links", "ip -j -d address show")
        + &part("routes", "ip -j route show default")
        + part("fdb", "bridge -j fdb show").trim_end()
}

/// Returns a line of source that adds a link, unless it is there and ours already.
///
/// At boot nobody has looked before: a link of that name without our alias fails the script, which
/// names it and touches nothing of it.
pub(super) fn add_unless_ours(name: &str, alias: &str, add: &Command) -> String {
    let refusal = quote(&format!(
        "{name} is already there and not ocp2's (its alias is not {alias}): remove it (ip link delete {name})"
    ));
    format!(
        "if [ ! -e /sys/class/net/{name} ]; then {add}; \
         elif [ \"$(cat /sys/class/net/{name}/ifalias)\" != {} ]; then echo {refusal} >&2; exit 1; fi",
        quote(alias)
    )
}

/// Returns a line of source that turns IPv6 off on a link of ours, before it goes up.
///
/// With IPv6 the link would take the router advertisements of any VM, and with them a default route.
/// A kernel without IPv6 has no such file.
pub(super) fn without_ipv6(name: &str) -> String {
    let path = quote(&format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"));
    format!("[ ! -e {path} ] || echo 1 > {path}")
}

/// Reads `ip -j -d address show`.
pub(super) fn read(section: &str) -> Result<Vec<LinkSeen>, serde_json::Error> {
    if section.trim().is_empty() {
        return Ok(Vec::new());
    }
    let raw: Vec<Raw> = each(section)?;
    Ok(raw.into_iter().filter(|raw| !raw.ifname.is_empty()).map(LinkSeen::from).collect())
}

/// Reads a JSON list, and leaves out each element that is not in the form expected.
///
/// A host has links, routes and entries of kinds never met before; none of them fails the probe.
///
/// JSON takes more memory than its text: elements are looked at one by one, and a list has an end.
pub(super) fn each<T: DeserializeOwned>(section: &str) -> Result<Vec<T>, serde_json::Error> {
    if section.len() > LONGEST {
        return Err(de::Error::custom(format_args!("it has more than {LONGEST} bytes")));
    }
    answer::weigh(section).map_err(de::Error::custom)?;
    let mut reader = serde_json::Deserializer::from_str(section);
    let all = reader.deserialize_seq(Each(PhantomData))?;
    reader.end()?;
    Ok(all)
}

/// Longest JSON that is read, bytes: a link has some 1500.
const LONGEST: usize = 4 << 20;

/// Most elements of a list.
const MOST: usize = 1 << 16;

/// Reads a list, see [`each`].
struct Each<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for Each<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = elements.next_element::<Value>()? {
            all.extend(T::deserialize(element).ok());
            if all.len() > MOST {
                return Err(de::Error::custom(format_args!("there are more than {MOST} of them")));
            }
        }
        Ok(all)
    }
}

/// Reads `ip -j route show default`.
pub(super) fn read_routes(section: &str) -> Result<Vec<RouteSeen>, serde_json::Error> {
    if section.trim().is_empty() { Ok(Vec::new()) } else { each(section) }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Raw {
    ifname: String,
    ifalias: Option<String>,
    address: Option<String>,
    mtu: u32,
    flags: Vec<String>,
    master: Option<String>,
    linkinfo: Option<RawInfo>,
    addr_info: Vec<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawInfo {
    info_kind: Option<String>,
    info_data: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawAddress {
    local: Option<IpAddr>,
    prefixlen: u8,
    scope: String,
}

impl LinkSettings {
    /// Reads the kinds that ocp2 makes: the same names mean other things in other kinds, such as
    /// `"local":"any"` of a `sit` tunnel.
    fn read(kind: Option<&str>, data: &Value) -> Self {
        match kind {
            Some("bridge") => Self {
                forward_delay: field(data, "forward_delay"),
                stp_state: field(data, "stp_state"),
                ..Self::default()
            },
            Some("vxlan") => Self {
                id: field(data, "id"),
                local: field(data, "local"),
                local6: field(data, "local6"),
                port: field(data, "port"),
                learning: field(data, "learning"),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

fn field<T: DeserializeOwned>(data: &Value, name: &str) -> Option<T> {
    T::deserialize(data.get(name)?).ok()
}

impl From<Raw> for LinkSeen {
    fn from(raw: Raw) -> Self {
        let info = raw.linkinfo.unwrap_or_default();
        let settings = LinkSettings::read(info.info_kind.as_deref(), &info.info_data);
        let global = |address: &Value| {
            let a = RawAddress::deserialize(address).ok()?;
            a.local.filter(|_| a.scope == "global").and_then(|ip| IpNet::new(ip, a.prefixlen).ok())
        };
        Self {
            name: raw.ifname,
            kind: info.info_kind,
            alias: raw.ifalias,
            mac: raw.address.and_then(|mac| mac.parse().ok()),
            mtu: u16::try_from(raw.mtu).unwrap_or(u16::MAX),
            up: raw.flags.iter().any(|flag| flag == "UP"),
            master: raw.master,
            addresses: raw.addr_info.iter().filter_map(global).collect(),
            settings,
        }
    }
}
