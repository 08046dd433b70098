//! Ports: who listens where.

use std::net::IpAddr;

use crate::resource::{Change, Conflict, Facts, answer};

/// Ports that a unit of ours will listen on: free, or already its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The unit that will listen.
    pub unit: String,
    /// `tcp` or `udp`, address and port of each socket.
    pub sockets: Vec<(&'static str, IpAddr, u16)>,
}

/// A socket that somebody listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketSeen {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Address; `None` for all of them.
    pub address: Option<IpAddr>,
    /// Port.
    pub port: u16,
    /// Name of the program, where it could be seen.
    pub program: String,
}

impl Listener {
    /// Finds somebody else on one of the ports; it never changes anything.
    ///
    /// While our unit runs, the sockets are its own, or it would not run.
    ///
    /// # Errors
    /// Returns a [`Conflict`] that names the program in the way.
    pub fn changes(&self, facts: &Facts) -> Result<Vec<Change>, Conflict> {
        if facts.units.get(&self.unit).is_some_and(super::UnitSeen::is_active) {
            return Ok(Vec::new());
        }
        for (protocol, address, port) in &self.sockets {
            let in_the_way = |seen: &&SocketSeen| {
                seen.protocol == *protocol && seen.port == *port && seen.address.is_none_or(|a| a == *address)
            };
            if let Some(seen) = facts.sockets.iter().find(in_the_way) {
                let place = seen.address.map_or_else(|| "all addresses".to_owned(), |a| a.to_string());
                let program = if seen.program.is_empty() { "a program" } else { &seen.program };
                return Err(Conflict {
                    resource: format!("{protocol} port {port} on {address}"),
                    found: format!("{program} listens on {place}"),
                    fix: format!(
                        "stop it, bind it to another address, or choose another address for {} in the inventory",
                        self.unit
                    ),
                });
            }
        }
        Ok(Vec::new())
    }
}

/// Returns the probe's source.
pub(super) fn ask() -> String {
    answer::head("sockets") + "; told sockets ss -Hlntup"
}

/// Reads `ss -Hlntup`.
pub(super) fn read(section: &str) -> Vec<SocketSeen> {
    section.lines().filter_map(read_line).collect()
}

fn read_line(line: &str) -> Option<SocketSeen> {
    let mut words = line.split_whitespace();
    let protocol = words.next()?.to_owned();
    let (address, port) = words.nth(3)?.rsplit_once(':')?;
    // Of a link-local address `ss` tells the link behind the brackets: `[fe80::1]%br-vm:53`.
    let address = address.split('%').next().unwrap_or_default();
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified());
    let program =
        line.split_once("((\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(name, _)| name);
    Some(SocketSeen { protocol, address, port: port.parse().ok()?, program: program.to_owned() })
}
