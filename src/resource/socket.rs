//! Ports: who listens where.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

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
    /// The units of ocp2's, of any cluster, whose processes hold it.
    pub units: BTreeSet<String>,
}

impl Listener {
    /// Finds somebody else on one of the ports; it never changes anything.
    ///
    /// What processes of the unit hold is its own. That it runs says nothing: while it cannot read a new
    /// configuration it goes on with an older one, which may listen elsewhere.
    ///
    /// # Errors
    /// Returns a [`Conflict`] that names the program in the way.
    pub fn changes(&self, facts: &Facts) -> Result<Vec<Change>, Conflict> {
        for (protocol, address, port) in &self.sockets {
            let in_the_way = |seen: &&SocketSeen| {
                seen.protocol == *protocol
                    && seen.port == *port
                    && seen.address.is_none_or(|a| a == *address)
                    && !seen.units.contains(&self.unit)
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

/// Returns the probe's source: who listens, then which processes are of units of ocp2's.
pub(super) fn ask() -> String {
    answer::head("sockets")
        + "; told sockets ss -Hlntup\ngrep -Hs '/system\\.slice/ocp2-' /proc/[0-9]*/cgroup || true"
}

/// Reads `ss -Hlntup`, and of `/proc/PID/cgroup` the lines that name a unit of ocp2's.
pub(super) fn read(section: &str) -> Vec<SocketSeen> {
    let units: BTreeMap<&str, &str> = section.lines().filter_map(read_unit).collect();
    section.lines().filter_map(|line| read_line(line, &units)).collect()
}

/// Reads `/proc/96/cgroup:0::/system.slice/ocp2-ocp-dns.service`: process and unit.
fn read_unit(line: &str) -> Option<(&str, &str)> {
    let (process, group) = line.strip_prefix("/proc/")?.split_once("/cgroup:")?;
    let (_, unit) = group.rsplit_once("/system.slice/")?;
    (unit.ends_with(".service") && !unit.contains('/')).then_some((process, unit))
}

fn read_line(line: &str, units: &BTreeMap<&str, &str>) -> Option<SocketSeen> {
    let mut words = line.split_whitespace();
    let protocol = words.next()?.to_owned();
    let (address, port) = words.nth(3)?.rsplit_once(':')?;
    let (address, device) = address.split_once('%').map_or((address, None), |(a, d)| (a, Some(d)));
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified());
    // On all addresses of one link: DHCP servers do so, each on its own. (Of a link-local address
    // `ss` tells the link, too: `[fe80::1]%br-vm:53`.)
    if device.is_some() && address.is_none() {
        return None;
    }
    let users = line.split_once("users:(").map_or("", |(_, users)| users);
    let program = users.split('"').nth(1).unwrap_or_default().to_owned();
    let processes = users.split("pid=").skip(1).filter_map(|rest| rest.split([',', ')']).next());
    let units = processes.filter_map(|process| units.get(process)).map(|&unit| unit.to_owned()).collect();
    Some(SocketSeen { protocol, address, port: port.parse().ok()?, program, units })
}
