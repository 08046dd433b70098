//! What the lab is, as a file in its state folder and as seen now.

use std::{fs, net::Ipv4Addr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    LabError, container,
    place::{Home, Host, INTERNET, WORKSTATION, Wiring, namespace},
    process,
};

/// The lab as it was made: `lab.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Names this format.
    pub api_version: String,
    /// The hosts, in order.
    pub hosts: Vec<HostRecord>,
    /// The hosts came without packages.
    pub bare: bool,
    /// The hosts' network cards.
    pub wiring: Wiring,
    /// Root of the release mirror, as `install.mirror` takes it.
    pub mirror: String,
    /// What the hosts' overlays lie on.
    pub root: PathBuf,
    /// What bare hosts may install from.
    pub packages: Option<PathBuf>,
    /// The root whose programs serve the internet.
    pub tools: PathBuf,
    /// What the mirror serves.
    pub release: PathBuf,
}

/// One host of `lab.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostRecord {
    /// `bm1`.
    pub name: String,
    /// Its public address.
    pub address: Ipv4Addr,
    /// Its network namespace.
    pub namespace: String,
}

/// The lab as seen now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The lab as it was made.
    #[serde(flatten)]
    pub record: Record,
    /// Every place of the lab, and whether it is on.
    pub places: Vec<PlaceStatus>,
}

/// One place as seen now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceStatus {
    /// The word `lab exec` takes.
    pub name: String,
    /// It runs.
    pub on: bool,
}

impl Record {
    /// Reads `lab.json`, if there is a lab.
    ///
    /// # Errors
    /// Returns an error where the file cannot be read or understood.
    pub fn read(home: &Home) -> Result<Option<Self>, LabError> {
        let path = home.file("lab.json");
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(|error| LabError::file("read", path)(std::io::Error::other(error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LabError::file("read", path)(error)),
        }
    }

    /// Writes `lab.json`.
    pub(super) fn write(&self, home: &Home) -> Result<(), LabError> {
        let path = home.file("lab.json");
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        fs::write(&path, text).map_err(LabError::file("write", &path))
    }

    /// Returns the hosts of the lab.
    #[must_use]
    pub fn hosts(&self) -> Vec<Host> {
        self.hosts.iter().map(|host| Host { name: host.name.clone(), address: host.address }).collect()
    }

    /// Says in a few words what the lab consists of.
    #[must_use]
    pub fn summary(&self) -> String {
        let bare = if self.bare { "bare " } else { "" };
        let plural = if self.hosts.len() == 1 { "" } else { "s" };
        let private = if self.wiring.private_nic { " with a private NIC" } else { "" };
        let nat = if self.wiring.nat { " behind 1:1 NAT" } else { "" };
        format!("{} {bare}host{plural}{private}{nat}", self.hosts.len())
    }
}

impl From<&Host> for HostRecord {
    fn from(host: &Host) -> Self {
        Self { name: host.name.clone(), address: host.address, namespace: host.namespace() }
    }
}

/// Returns the lab as it is, `None` if it is not up.
///
/// # Errors
/// Returns an error where its record cannot be read.
pub fn status(home: &Home) -> Result<Option<Status>, LabError> {
    let Some(record) = Record::read(home)? else { return Ok(None) };
    let mut places = vec![
        PlaceStatus { name: WORKSTATION.into(), on: process::exists(&namespace(WORKSTATION)) },
        PlaceStatus { name: INTERNET.into(), on: !process::within(&namespace(INTERNET)).is_empty() },
    ];
    for host in record.hosts() {
        let on = container::is_on(&host);
        places.push(PlaceStatus { name: host.name, on });
    }
    Ok(Some(Status { record, places }))
}

impl Status {
    /// Tells whether every place is on.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.places.iter().all(|place| place.on)
    }
}
