//! The MTU ladder: underlay, tunnel, VM, pod.

use std::net::IpAddr;

use super::Underlay;
use crate::inventory::{Inventory, LEAST_MTU, Mtu, Problem};

/// What the default leaves between underlay and VM, bytes: the article's rule.
///
/// It is more than plain VXLAN needs, and what the article ran with.
const MARGIN: u16 = 100;

/// Returns what VXLAN adds to a VM's packet, bytes.
///
/// Inner Ethernet 14, VXLAN 8, UDP 8, and 20 of IPv4 or 40 of IPv6 (RFC 7348 section 5).
#[must_use]
pub fn overhead(tunnel: IpAddr) -> u16 {
    match tunnel {
        IpAddr::V4(_) => 50,
        IpAddr::V6(_) => 70,
    }
}

/// Returns the MTU of the VMs where nobody asked for another.
pub(super) fn default(underlay: u16, overhead: u16) -> u16 {
    underlay.saturating_sub(overhead.max(MARGIN))
}

/// Returns the largest MTU the tunnel carries.
pub(super) fn most(underlay: u16, overhead: u16) -> u16 {
    underlay.saturating_sub(overhead)
}

/// Decides the MTU of VM NIC, tap, bridge and tunnel, one for all.
///
/// `decided` is what VMs run with already: it stays, and a host that cannot carry it is a problem.
pub(super) fn decide(
    inventory: &Inventory,
    underlays: &[Underlay],
    decided: Option<u16>,
    problems: &mut Vec<Problem>,
) -> u16 {
    let overhead =
        underlays.iter().map(|underlay| self::overhead(underlay.address)).max().unwrap_or_default();
    let Some(narrow) = (0..underlays.len()).min_by_key(|&host| underlays[host].mtu) else { return 0 };
    let smallest = underlays[narrow].mtu;
    let most = most(smallest, overhead);
    match (inventory.network.mtu.value, decided) {
        (Mtu::Auto, Some(decided)) => {
            if decided > most {
                let host = &inventory.hosts[narrow];
                let name = &host.name.value;
                let fault = format!(
                    "the VMs run with an MTU of {decided}, and {name}'s underlay carries {smallest}, which leaves {most}"
                );
                problems.push(
                    Problem::new(&format!("hosts[{narrow}].underlay.mtu"), host.underlay.mtu.as_ref().and_then(|mtu| mtu.at).or(host.name.at), fault)
                        .help(format!(
                            "let the way to {name} carry {} bytes, or say `network: {{mtu: {}}}`: every VM then waits for a power-off",
                            decided.saturating_add(overhead),
                            default(smallest, overhead)
                        )),
                );
            }
            decided
        }
        (Mtu::Auto, None) => {
            let chosen = default(smallest, overhead);
            if chosen < LEAST_MTU {
                let host = &inventory.hosts[narrow];
                let at = host.underlay.mtu.as_ref().and_then(|mtu| mtu.at).or(host.name.at);
                problems.push(
                    Problem::new(
                        &format!("hosts[{narrow}].underlay.mtu"),
                        at,
                        format!(
                            "an underlay of {smallest} bytes leaves the VMs {chosen}, less than {LEAST_MTU}"
                        ),
                    )
                    .help("the hosts need a way to each other that carries larger packets"),
                );
            }
            chosen
        }
        (Mtu::Bytes(asked), _) => {
            if asked > most {
                let name = &inventory.hosts[narrow].name.value;
                problems.push(
                    Problem::new(
                        "network.mtu",
                        inventory.network.mtu.at,
                        format!(
                            "{asked} does not fit: {name}'s underlay carries {smallest}, VXLAN takes {overhead} of it, {most} is the most"
                        ),
                    )
                    .help(format!(
                        "leave it at `auto` ({}); with more, small packets pass and TLS handshakes hang. If the underlay carries more, say so in hosts[{narrow}].underlay.mtu",
                        default(smallest, overhead)
                    )),
                );
            }
            asked
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn the_ladder_from_1500() {
        let v4 = overhead(Ipv4Addr::LOCALHOST.into());
        let v6 = overhead(Ipv6Addr::LOCALHOST.into());
        assert_eq!((default(1500, v4), most(1500, v4)), (1400, 1450));
        assert_eq!((default(1500, v6), most(1500, v6)), (1400, 1430));
        assert_eq!(default(9000, v4), 8900);
    }
}
