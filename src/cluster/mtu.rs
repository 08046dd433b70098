//! The MTU ladder: underlay, tunnel, VM, pod.

use std::net::IpAddr;

/// What the default leaves between underlay and VM, bytes: the article's rule.
///
/// It is more than plain VXLAN needs, and what the article ran with.
const MARGIN: u16 = 100;

/// The least MTU a VM's NIC may have, bytes: pods get 100 less (OVN-Kubernetes), and
/// RFC 8200 section 5 asks 1280 of a link that carries IPv6.
pub const LEAST: u16 = 1280;

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
