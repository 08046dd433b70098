//! The places of the lab: names and addresses, and where its files lie.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use serde::{Deserialize, Serialize};

use super::LabError;

/// The outside of everything: public DNS, the mirror, the hosts' default gateway.
pub const INTERNET: &str = "internet";
/// Where `ocp2` runs.
pub const WORKSTATION: &str = "workstation";
/// The internet's address on the public network (192.0.2.0/24 is for documentation).
pub const INTERNET_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// An address of the internet that is not on the hosts' own network.
pub const FAR_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The workstation's address.
pub const WORKSTATION_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// Name of the hosts' network card.
pub const NIC: &str = "ens34f0";
/// Name of the hosts' second network card, where they have one.
pub const PRIVATE_NIC: &str = "ens35f0";
/// A second port on which every host's sshd listens.
pub const SECOND_SSH_PORT: u16 = 2222;
/// Most hosts the lab makes.
pub const MOST_HOSTS: u8 = 32;

/// One bare-metal host of the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `bm1`, `bm2`, …
    pub name: String,
    /// Its public address.
    pub address: Ipv4Addr,
}

/// How the hosts of a lab are wired, beyond one card on the public network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wiring {
    /// A second card on a network of the hosts' own, which the workstation is not on.
    pub private_nic: bool,
    /// The public addresses are behind 1:1 NAT: the hosts themselves have others.
    pub nat: bool,
}

impl Host {
    /// Returns its address on the hosts' own network: 10.20.0.11, ….
    #[must_use]
    pub fn private(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 20, 0, self.address.octets()[3])
    }

    /// Returns its address behind 1:1 NAT: 10.30.0.11, ….
    #[must_use]
    pub fn inner(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 30, 0, self.address.octets()[3])
    }

    /// Returns the lab's hosts: bm1 is 192.0.2.11, bm2 192.0.2.12, and so on.
    ///
    /// # Errors
    /// Returns [`LabError::HostCount`] where there are none or too many.
    pub fn first(count: u8) -> Result<Vec<Self>, LabError> {
        if !(1..=MOST_HOSTS).contains(&count) {
            return Err(LabError::HostCount { wanted: count, most: MOST_HOSTS });
        }
        let host = |n: u8| Self { name: format!("bm{n}"), address: Ipv4Addr::new(192, 0, 2, 10 + n) };
        Ok((1..=count).map(host).collect())
    }

    /// Returns the name of its network namespace.
    #[must_use]
    pub fn namespace(&self) -> String {
        namespace(&self.name)
    }
}

/// Returns the IPv6 address beside a public one: 192.0.2.11 has 2001:db8::11 (RFC 3849), digit for digit.
#[must_use]
pub fn v6(address: Ipv4Addr) -> Ipv6Addr {
    let last = u16::from(address.octets()[3]);
    // Decimal digits written as hexadecimal ones.
    let digits = ((last / 100) << 8) | ((last / 10 % 10) << 4) | (last % 10);
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, digits)
}

/// Name of the lab, so that several can be on one machine: `OCP2_LAB_NAME`.
static NAME: LazyLock<String> = LazyLock::new(|| {
    let usable = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
    std::env::var("OCP2_LAB_NAME").ok().filter(usable).unwrap_or_else(|| "ocp2lab".into())
});

/// Returns the network namespace of a place.
#[must_use]
pub fn namespace(place: &str) -> String {
    let lab = &*NAME;
    match place {
        INTERNET => format!("{lab}-net"),
        WORKSTATION => format!("{lab}-ws"),
        host => format!("{lab}-{host}"),
    }
}

/// Where the lab keeps its files.
#[derive(Debug, Clone)]
pub struct Home {
    /// What a running lab has: keys, hosts, logs. `down` removes it.
    pub state: PathBuf,
    /// What was built or downloaded; `down` keeps it.
    pub cache: PathBuf,
}

impl Home {
    /// Returns the usual places, or those that `OCP2_LAB_DIR` and `OCP2_LAB_CACHE` name.
    #[must_use]
    pub fn from_env() -> Self {
        let or = |variable: &str, usual: &str| {
            std::env::var_os(variable).filter(|v| !v.is_empty()).map_or_else(|| usual.into(), PathBuf::from)
        };
        let state =
            if *NAME == "ocp2lab" { "/var/lib/ocp2-lab".into() } else { format!("/var/lib/{}", *NAME) };
        Self { state: or("OCP2_LAB_DIR", &state), cache: or("OCP2_LAB_CACHE", "/var/cache/ocp2-lab") }
    }

    /// Returns a file or folder of the running lab.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// Returns the folder of one host.
    #[must_use]
    pub fn host(&self, host: &Host) -> PathBuf {
        self.state.join("hosts").join(&host.name)
    }

    /// Returns the folder of the internet: its logs and its published DNS records.
    #[must_use]
    pub fn internet(&self) -> PathBuf {
        self.state.join("internet")
    }
}

/// Returns a path as the text a command line takes; the lab's own paths are always text.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_take_the_addresses_of_the_documentation_network_in_order() {
        let hosts = Host::first(3).unwrap();
        assert_eq!(hosts[0], Host { name: "bm1".into(), address: "192.0.2.11".parse().unwrap() });
        assert_eq!(hosts[2].address.to_string(), "192.0.2.13");
        assert_eq!(hosts[2].namespace(), "ocp2lab-bm3");
        assert_eq!(v6(hosts[1].address).to_string(), "2001:db8::12");
        assert_eq!(v6(Ipv4Addr::new(192, 0, 2, 130)).to_string(), "2001:db8::130");
    }

    #[test]
    fn a_lab_without_hosts_or_with_too_many_is_refused() {
        assert!(matches!(Host::first(0), Err(LabError::HostCount { .. })));
        assert!(matches!(Host::first(MOST_HOSTS + 1), Err(LabError::HostCount { .. })));
    }
}
