//! All that one probe of a host has told.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{
    FdbSeen, FileSeen, Firewall, LinkSeen, PackageSeen, SocketSeen, System, UnitSeen, Wall, boolean, entries,
    fdb, file, firewall, hypervisor, label,
    link::{self, RouteSeen},
    nft_table, package, setting, socket, system, unit, wall,
};

/// What was seen on a host, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The machine and its system.
    pub system: System,
    /// All network links.
    pub links: Vec<LinkSeen>,
    /// Default routes, best first.
    pub routes: Vec<RouteSeen>,
    /// Forwarding entries of all bridges and tunnels.
    pub fdb: Vec<FdbSeen>,
    /// Who listens where.
    pub sockets: Vec<SocketSeen>,
    /// Kernel settings that were asked for and exist.
    pub settings: BTreeMap<String, String>,
    /// Booleans of SELinux that were asked for and exist.
    pub booleans: BTreeMap<String, bool>,
    /// Folders that were asked for, where there is SELinux: their types, nothing for those that do not exist.
    pub labels: BTreeMap<String, String>,
    /// Files that were asked for and exist.
    pub files: BTreeMap<String, FileSeen>,
    /// Paths found in the folders that were asked for, with their sizes in bytes.
    pub listing: BTreeMap<String, u64>,
    /// Units that were asked for.
    pub units: BTreeMap<String, UnitSeen>,
    /// Packages that were asked for and are installed.
    pub packages: BTreeMap<String, PackageSeen>,
    /// Tables of nftables that were asked for and exist: name → listing.
    pub nft_tables: BTreeMap<String, String>,
    /// Firewalls that are at work.
    pub firewalls: BTreeSet<Firewall>,
    /// Our entries in those: the firewall's name → how they read.
    pub entries: BTreeMap<String, String>,
    /// Chains of others that drop what they do not know.
    pub walls: Vec<Wall>,
    /// What libvirt told; `None` where there is no libvirt yet.
    pub hypervisor: Option<hypervisor::Seen>,
}

/// Says why a probe's answer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The answer ended before its end.
    #[error("the answer is cut off after section {last:?}")]
    Cut {
        /// The last section that was begun.
        last: String,
    },
    /// A section is not the JSON it should be.
    #[error("section {section:?} cannot be read")]
    Json {
        /// Name of the section.
        section: &'static str,
        /// What the reader says.
        source: serde_json::Error,
    },
}

impl Facts {
    /// Reads a probe's answer; see [`super::Questions::script`].
    ///
    /// # Errors
    /// Returns an error where the answer is cut off or not in the form expected.
    pub fn read(answer: &str) -> Result<Self, FactsError> {
        let mut sections: BTreeMap<&str, &str> = BTreeMap::new();
        let mut last = "";
        let mut rest = answer;
        while let Some(start) = find_head(rest) {
            let (name, body) = rest[start + 2..].split_once('\n').unwrap_or((&rest[start + 2..], ""));
            let end = find_head(body).unwrap_or(body.len());
            sections.insert(name, &body[..end]);
            last = name;
            rest = &body[end..];
        }
        if last != "end" {
            return Err(FactsError::Cut { last: last.to_owned() });
        }
        let section = |name: &str| sections.get(name).copied().unwrap_or_default();
        let json = |section| move |source| FactsError::Json { section, source };
        Ok(Self {
            system: system::read(section("system")),
            links: link::read(section("links")).map_err(json("links"))?,
            routes: link::read_routes(section("routes")).map_err(json("routes"))?,
            fdb: fdb::read(section("fdb")).map_err(json("fdb"))?,
            sockets: socket::read(section("sockets")),
            settings: setting::read(section("settings")),
            booleans: boolean::read(section("booleans")),
            labels: label::read(section("labels")),
            files: file::read(section("files")),
            listing: file::read_listing(section("listing")),
            units: unit::read(section("units")),
            packages: package::read(section("packages")),
            nft_tables: nft_table::read(section("nft")),
            firewalls: firewall::read(section("firewalls")),
            walls: wall::read(section("walls")),
            entries: entries::read(section("entries")),
            hypervisor: None,
        })
    }

    /// Returns the link of that name.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&LinkSeen> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Returns a file's content, where it was asked for and is text.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.text.as_deref()
    }
}

/// Finds the next line that heads a section.
fn find_head(text: &str) -> Option<usize> {
    if text.starts_with("@@") { Some(0) } else { text.find("\n@@").map(|at| at + 1) }
}
