//! Ethernet addresses, and names for the derived ones.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A 48-bit Ethernet address, written `52:54:00:12:34:56`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

/// Says why a text is not a [`Mac`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a MAC address: six hexadecimal bytes with colons, like 52:54:00:12:34:56")]
pub struct MacError(String);

impl Mac {
    /// Derives the address of a VM's NIC: QEMU's prefix 52:54:00 and 24 bits of SHA-256 over `seed`.
    #[must_use]
    pub fn for_machine(seed: &str) -> Self {
        let digest = Sha256::digest(seed.as_bytes());
        Self([0x52, 0x54, 0x00, digest[0], digest[1], digest[2]])
    }

    /// Derives the address of a link on a host: locally administered, 40 bits of SHA-256 over `seed`.
    #[must_use]
    pub fn for_link(seed: &str) -> Self {
        let digest = Sha256::digest(seed.as_bytes());
        Self([0x02, digest[0], digest[1], digest[2], digest[3], digest[4]])
    }

    /// Tells whether the group bit is set: no NIC may have such an address.
    #[must_use]
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let wrong = || MacError(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_reads_back_in_lower_case() {
        let mac: Mac = "52:54:00:AB:cd:0f".parse().unwrap();
        assert_eq!(mac.to_string(), "52:54:00:ab:cd:0f");
    }

    #[test]
    fn what_is_no_mac_is_refused() {
        for text in ["", "52:54:00:ab:cd", "52:54:00:ab:cd:0f:11", "52-54-00-ab-cd-0f", "5:54:00:ab:cd:0f1"] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn derived_addresses_are_stable_unicast_and_differ() {
        let mac = Mac::for_machine("ocp/master0");
        assert_eq!(mac, Mac::for_machine("ocp/master0"));
        assert_ne!(mac, Mac::for_machine("ocp/master1"));
        assert!(!mac.is_multicast());
        assert!(!Mac::for_link("ocp/bm1/br-vm").is_multicast());
    }
}
