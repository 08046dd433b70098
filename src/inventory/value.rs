//! Values with a spelling of their own: sizes, networks, and words that stand beside a number.

use std::{fmt, net::IpAddr, ops::Deref, str::FromStr};

use ipnet::{IpNet, Ipv4Net};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

const MIB: u64 = 1 << 20;

/// A size in whole MiB, written `16GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    mib: u64,
}

impl Size {
    /// Makes a size of so many GiB.
    #[must_use]
    pub const fn gib(gib: u64) -> Self {
        Self { mib: gib * 1024 }
    }

    /// Returns the size in MiB.
    #[must_use]
    pub const fn as_mib(self) -> u64 {
        self.mib
    }

    /// Returns the size in GiB, rounded down.
    #[must_use]
    pub const fn as_gib(self) -> u64 {
        self.mib / 1024
    }

    /// Returns the size in bytes.
    #[must_use]
    pub const fn as_bytes(self) -> u64 {
        self.mib * MIB
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mib.is_multiple_of(1024) {
            write!(f, "{}GiB", self.mib / 1024)
        } else {
            write!(f, "{}MiB", self.mib)
        }
    }
}

/// Says why a text is not a [`Size`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// There is no unit, or none that is known.
    #[error("{0:?} is not a size: a whole number and MiB, GiB or TiB, like 16GiB")]
    Spelling(String),
    /// The unit is a decimal one, or leaves it open.
    #[error("{0:?} leaves open whether a thousand or 1024 is meant: write {1}")]
    Decimal(String, String),
    /// The number does not fit.
    #[error("{0:?} is more than any machine has")]
    TooLarge(String),
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        if number.is_empty() {
            return Err(SizeError::Spelling(text.to_owned()));
        }
        let too_large = || SizeError::TooLarge(text.to_owned());
        let number: u64 = number.parse().map_err(|_| too_large())?;
        let mib = match unit {
            "MiB" => 1,
            "GiB" => 1024,
            "TiB" => 1024 * 1024,
            _ => {
                return Err(match unit.to_ascii_lowercase().as_str() {
                    "m" | "mb" | "mi" | "mib" => SizeError::Decimal(text.to_owned(), format!("{number}MiB")),
                    "g" | "gb" | "gi" | "gib" => SizeError::Decimal(text.to_owned(), format!("{number}GiB")),
                    "t" | "tb" | "ti" | "tib" => SizeError::Decimal(text.to_owned(), format!("{number}TiB")),
                    _ => SizeError::Spelling(text.to_owned()),
                });
            }
        };
        // Bytes are counted in 64 bits as well.
        let mib =
            number.checked_mul(mib).filter(|mib| mib.checked_mul(MIB).is_some()).ok_or_else(too_large)?;
        Ok(Self { mib })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+ ?(MiB|GiB|TiB)$",
            "description": "A size: a whole number and MiB, GiB or TiB.",
            "examples": ["16GiB"],
        })
    }
}

/// An IPv4 network as written, host bits included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr(pub Ipv4Net);

impl Deref for Cidr {
    type Target = Ipv4Net;

    fn deref(&self) -> &Ipv4Net {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(IpNet::V4(net)) => Ok(Self(net)),
            Ok(IpNet::V6(_)) => Err(D::Error::custom(format!(
                "{text} is an IPv6 network; this version builds IPv4 clusters only"
            ))),
            Err(_) if text.parse::<IpAddr>().is_ok() => Err(D::Error::custom(format!(
                "{text} is an address, not a network: its prefix length is missing, like {text}/24"
            ))),
            Err(_) => Err(D::Error::custom(format!("{text:?} is not a network, like 192.168.139.0/24"))),
        }
    }
}

impl JsonSchema for Cidr {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cidr".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9.]+/[0-9]+$",
            "description": "An IPv4 network in CIDR notation.",
            "examples": ["192.168.139.0/24"],
        })
    }
}

/// The MTU of the VMs' NICs, as asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mtu {
    /// What the underlay carries, less the overlay.
    #[default]
    Auto,
    /// So many bytes.
    Bytes(u16),
}

impl<'de> Deserialize<'de> for Mtu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            text => text.parse().map(Self::Bytes).map_err(|_| {
                D::Error::custom(format!("{text:?} is not an MTU: `auto`, or a number of bytes"))
            }),
        }
    }
}

impl JsonSchema for Mtu {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mtu".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1280, "maximum": 65535 }],
            "description": "`auto`, or the MTU in bytes.",
        })
    }
}

/// Where the balancer listens beside the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Public {
    /// Nowhere.
    None,
    /// On this address of the host.
    Address(IpAddr),
}

impl<'de> Deserialize<'de> for Public {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "none" => Ok(Self::None),
            text => text
                .parse()
                .map(Self::Address)
                .map_err(|_| D::Error::custom(format!("{text:?} is not an address of the host, nor `none`"))),
        }
    }
}

impl JsonSchema for Public {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Public".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "An address of the host, or `none`." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_and_whole() {
        assert_eq!("16GiB".parse::<Size>().unwrap().as_mib(), 16 * 1024);
        assert_eq!("1536 MiB".parse::<Size>().unwrap().to_string(), "1536MiB");
        assert_eq!("2TiB".parse::<Size>().unwrap(), Size::gib(2048));
        for text in ["", "16", "GiB", "1.5GiB", "-1GiB", "16 GiB RAM"] {
            assert!(matches!(text.parse::<Size>(), Err(SizeError::Spelling(_))), "{text}");
        }
        for text in ["16G", "16GB", "16gib", "16 Gi"] {
            let error = text.parse::<Size>().unwrap_err();
            assert_eq!(error, SizeError::Decimal(text.into(), "16GiB".into()));
        }
        for text in ["99999999999999999999GiB", "18446744073709551615MiB"] {
            assert!(matches!(text.parse::<Size>(), Err(SizeError::TooLarge(_))), "{text}");
        }
    }
}
