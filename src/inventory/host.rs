//! `hosts:` — the physical servers and the way to them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{span::Located, value::Public};

/// One physical server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostSettings {
    /// Name of the host in ocp2's output and in `nodes`.
    pub name: Located<String>,
    /// How it is reached: `user@host:port`, or an object.
    pub ssh: Located<Ssh>,
    /// NIC that carries the tunnel; its first address is the tunnel's end.
    #[serde(default)]
    pub nic: Option<Located<String>>,
    /// The tunnel's end where the NIC alone does not tell it.
    #[serde(default)]
    pub underlay: UnderlaySettings,
    /// Where the balancer listens; default: the source address of the default route.
    #[serde(default)]
    pub public: Option<Located<Public>>,
    /// Address on the bridge; default: the first free of `.1`, `.2`, ….
    #[serde(default)]
    pub address: Option<Located<Ipv4Addr>>,
}

/// A host's end of the tunnel.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnderlaySettings {
    /// Address of the host the tunnel is bound to.
    #[serde(default)]
    pub address: Option<Located<IpAddr>>,
    /// Address the other hosts send to, where that is another one (1:1 NAT).
    #[serde(default)]
    pub peer_address: Option<Located<IpAddr>>,
    /// Packet size the way between the hosts carries, bytes; default: the NIC's MTU.
    #[serde(default)]
    pub mtu: Option<Located<u16>>,
}

/// How a host is reached; what is not said, `~/.ssh/config` may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Host name, address or `Host` of `~/.ssh/config`.
    pub address: String,
    /// TCP port.
    pub port: Option<u16>,
    /// User to log in as: root, or one with passwordless sudo.
    pub user: Option<String>,
    /// Private key.
    pub identity_file: Option<PathBuf>,
    /// The known hosts.
    pub known_hosts_file: Option<PathBuf>,
    /// Hosts to go through, as `ssh -J` takes them.
    pub proxy_jump: Option<String>,
}

impl Ssh {
    /// Returns the address where it is one and not a name.
    #[must_use]
    pub fn literal(&self) -> Option<IpAddr> {
        self.address.parse().ok()
    }

    /// Reads `user@host:port`; IPv6 addresses stand in brackets where a port follows.
    fn parse(text: &str) -> Result<Self, SshError> {
        let wrong = || SshError(text.to_owned());
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, text),
        };
        let (address, port) = if let Some(rest) = rest.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or_else(wrong)?;
            (address, port.strip_prefix(':').or(Some(port).filter(|port| !port.is_empty())))
        } else if rest.parse::<IpAddr>().is_ok() {
            (rest, None)
        } else {
            rest.split_once(':').map_or((rest, None), |(address, port)| (address, Some(port)))
        };
        let port = port.map(str::parse).transpose().map_err(|_| wrong())?;
        let blank =
            |text: &str| text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control());
        let bad_host =
            |text: &str| blank(text) || text.starts_with('-') || text.contains(['[', ']', '/', '@']);
        if bad_host(address)
            || port == Some(0)
            || user.as_deref().is_some_and(|u| blank(u) || u.starts_with('-'))
        {
            return Err(wrong());
        }
        if address.contains(':') && address.parse::<IpAddr>().is_err() {
            return Err(wrong());
        }
        Ok(Self {
            address: address.to_owned(),
            port,
            user,
            identity_file: None,
            known_hosts_file: None,
            proxy_jump: None,
        })
    }
}

/// Says why a text is no [`Ssh`] address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an SSH address, like root@192.168.0.23, admin@host.example.com:2222 or root@[2001:db8::1]:22"
)]
pub struct SshError(String);

/// The long way to write how a host is reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SshObject")]
struct SshFields {
    /// Host name, address or `Host` of `~/.ssh/config`.
    address: String,
    /// TCP port.
    port: Option<u16>,
    /// User to log in as: root, or one with passwordless sudo.
    user: Option<String>,
    /// Private key.
    identity_file: Option<PathBuf>,
    /// The known hosts.
    known_hosts_file: Option<PathBuf>,
    /// Hosts to go through, as `ssh -J` takes them.
    proxy_jump: Option<String>,
}

impl<'de> Deserialize<'de> for Ssh {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SshVisitor)
    }
}

struct SshVisitor;

impl<'de> Visitor<'de> for SshVisitor {
    type Value = Ssh;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("user@host:port, or an object with `address`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Ssh, E> {
        Ssh::parse(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ssh, A::Error> {
        let fields = SshFields::deserialize(MapAccessDeserializer::new(map))?;
        let bare = Ssh::parse(&fields.address)
            .ok()
            .filter(|bare| bare.user.is_none() && bare.port.is_none())
            .ok_or_else(|| {
                serde::de::Error::custom(format!(
                    "address: {:?} is not a host name or address; user and port have their own fields",
                    fields.address
                ))
            })?;
        Ok(Ssh {
            address: bare.address,
            port: fields.port,
            user: fields.user,
            identity_file: fields.identity_file,
            known_hosts_file: fields.known_hosts_file,
            proxy_jump: fields.proxy_jump,
        })
    }
}

impl JsonSchema for Ssh {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ssh".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<SshFields>();
        json_schema!({
            "oneOf": [{ "type": "string", "examples": ["root@192.168.0.23"] }, fields],
            "description": "`user@host:port`, or an object.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_addresses_read_as_ssh_reads_them() {
        for (text, user, address, port) in [
            ("192.168.0.23", None, "192.168.0.23", None),
            ("root@192.168.0.23", Some("root"), "192.168.0.23", None),
            ("admin@bm1.example.com:2222", Some("admin"), "bm1.example.com", Some(2222)),
            ("root@[2001:db8::1]:22", Some("root"), "2001:db8::1", Some(22)),
            ("[2001:db8::1]", None, "2001:db8::1", None),
            ("2001:db8::1", None, "2001:db8::1", None),
        ] {
            let ssh = Ssh::parse(text).unwrap();
            assert_eq!(
                (ssh.user.as_deref(), ssh.address.as_str(), ssh.port),
                (user, address, port),
                "{text}"
            );
        }
        for text in [
            "",
            "root@",
            "@host",
            "host:",
            "host:port",
            "host:0",
            "a b",
            "[::1",
            "root@[::1]22x",
            "-oProxyCommand=x",
            "::1::2",
        ] {
            assert!(Ssh::parse(text).is_err(), "{text}");
        }
    }
}
