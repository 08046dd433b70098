//! Packets that are alike, and which of them a rule's match is about.

use std::ops::{BitAnd, BitOr, Not};

use ipnet::IpNet;

/// Packets that are alike in all that is known of them; what is `None` may differ from one to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The link it comes in by; never `lo`.
    pub input: Option<String>,
    /// The link it is to leave by; `None`: it is for the host itself.
    pub output: Option<String>,
    /// Where it is from.
    pub from: Option<IpNet>,
    /// Where it is to go.
    pub to: Option<IpNet>,
    /// Of IP's two versions the sixth.
    pub v6: bool,
    /// What it carries.
    pub protocol: Protocol,
    /// Its destination port.
    pub port: Option<u16>,
    /// It answers something that was let pass; otherwise it begins a connection.
    pub answers: bool,
    /// It is for everybody on its network.
    pub broadcast: bool,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
}

/// How many of the packets that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// None of them.
    None,
    /// Some of them, or it is not known.
    Some,
    /// All of them.
    All,
}

/// What a match looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The link it comes in by; `eth*` is any that begins so.
    Input,
    /// The link it leaves by.
    Output,
    /// Source: an address or a network.
    From,
    /// Destination: an address or a network.
    To,
    /// Protocol, by name or number.
    Protocol,
    /// Destination port, or `FIRST-LAST`.
    Port,
    /// State of its connection: `new`, `established`, …
    State,
    /// What the routing table calls its destination: `local`, `broadcast`, `unicast`, …
    Destination,
    /// What the frame it came in was: `unicast`, `broadcast`, …
    Frame,
    /// Version of IP: `4` or `6`.
    Version,
    /// TCP flags looked at and those that are set: `fin,syn,rst,ack syn`.
    Flags,
    /// Something else.
    Other,
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// What it looks at.
    pub field: Field,
    /// It holds where any of these does.
    pub any: Vec<String>,
    /// It holds where none of them does.
    pub not: bool,
}

impl Match {
    /// Makes a condition that holds where any of `values` does.
    pub fn new(field: Field, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { field, any: values.into_iter().map(Into::into).collect(), not: false }
    }

    /// Makes a condition of which ocp2 does not know when it holds.
    #[must_use]
    pub fn unknown() -> Self {
        Self::new(Field::Other, [""])
    }

    /// Tells for how many of the packets it holds.
    #[must_use]
    pub fn share(&self, packet: &Packet) -> Share {
        let each = self.any.iter().map(|value| packet.is(self.field, value));
        let share = each.fold(Share::None, Share::bitor);
        if self.not { !share } else { share }
    }
}

impl Packet {
    fn is(&self, field: Field, value: &str) -> Share {
        match field {
            Field::Input => match &self.input {
                Some(name) => names(value, name).into(),
                None if value == "lo" => Share::None,
                None => {
                    if value == "*" {
                        Share::All
                    } else {
                        Share::Some
                    }
                }
            },
            Field::Output => self.output.as_ref().is_some_and(|name| names(value, name)).into(),
            Field::From => lies_in(self.from, self.v6, value),
            Field::To => lies_in(self.to, self.v6, value),
            Field::Protocol => self.carries(value).into(),
            Field::Port => self.goes_to(value),
            Field::State => {
                value.eq_ignore_ascii_case(if self.answers { "established" } else { "new" }).into()
            }
            Field::Destination => value.eq_ignore_ascii_case(self.destination()).into(),
            Field::Frame => {
                let frame = if self.broadcast { "broadcast" } else { "unicast" };
                (value == frame || value == "host" && !self.broadcast).into()
            }
            Field::Version => (value == if self.v6 { "6" } else { "4" }).into(),
            Field::Flags => self.has_flags(value),
            Field::Other => Share::Some,
        }
    }

    fn carries(&self, value: &str) -> bool {
        let names: &[&str] = match (self.protocol, self.v6) {
            (Protocol::Tcp, _) => &["tcp", "6"],
            (Protocol::Udp, _) => &["udp", "17"],
            (Protocol::Icmp, false) => &["icmp", "1"],
            (Protocol::Icmp, true) => &["ipv6-icmp", "icmpv6", "58"],
        };
        names.contains(&value) || matches!(value, "all" | "0")
    }

    fn goes_to(&self, value: &str) -> Share {
        let (first, last) = value.split_once('-').unwrap_or((value, value));
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { return Share::Some };
        match self.port {
            Some(port) => (first..=last).contains(&port).into(),
            None if (first, last) == (0, u16::MAX) => Share::All,
            None => Share::Some,
        }
    }

    fn destination(&self) -> &'static str {
        match (self.broadcast, &self.output) {
            (true, _) => "broadcast",
            (_, None) => "local",
            (_, Some(_)) => "unicast",
        }
    }

    /// What begins a TCP connection has no flag but SYN.
    fn has_flags(&self, value: &str) -> Share {
        if self.answers || self.protocol != Protocol::Tcp {
            return Share::Some;
        }
        let (looked_at, set) = value.split_once(' ').unwrap_or((value, ""));
        let looks_at_syn = looked_at.split(',').any(|flag| flag.eq_ignore_ascii_case("syn"));
        (set.eq_ignore_ascii_case(if looks_at_syn { "syn" } else { "none" })).into()
    }
}

/// Tells whether a name, or a pattern that ends in `*`, is that of a link.
fn names(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// Tells how much of what is known of an address lies in what a match names.
fn lies_in(address: Option<IpNet>, v6: bool, value: &str) -> Share {
    let Some(net) = net(value) else { return Share::Some };
    if net.addr().is_ipv6() != v6 {
        return Share::None;
    }
    match address {
        _ if net.prefix_len() == 0 => Share::All,
        None => Share::Some,
        Some(address) if net.contains(&address) => Share::All,
        Some(address) if address.contains(&net) => Share::Some,
        Some(_) => Share::None,
    }
}

fn net(value: &str) -> Option<IpNet> {
    value.parse().ok().or_else(|| value.parse().ok().map(|address: std::net::IpAddr| address.into()))
}

impl From<bool> for Share {
    fn from(all: bool) -> Self {
        if all { Self::All } else { Self::None }
    }
}

impl BitOr for Share {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, Self::None) => Self::None,
            _ => Self::Some,
        }
    }
}

impl BitAnd for Share {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        !(!self | !other)
    }
}

impl Not for Share {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::None => Self::All,
            Self::Some => Self::Some,
            Self::All => Self::None,
        }
    }
}
