//! All that one probe of a host has told.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{
    FdbSeen, FileSeen, Firewall, LinkSeen, PackageSeen, SocketSeen, System, UnitSeen, Wall, boolean, entries,
    fdb, file, firewall, folder, hypervisor, label,
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
    /// Names in the folders that were asked for, up to a bound of the probe's.
    pub folders: BTreeMap<String, BTreeSet<String>>,
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
    /// Reads the answer of a whole probe.
    ///
    /// # Errors
    /// As [`Facts::renew`].
    pub fn read(answer: &str) -> Result<Self, FactsError> {
        let mut facts = Self::default();
        facts.renew(answer)?;
        Ok(facts)
    }

    /// Takes over what a probe's answer tells (see [`super::Questions::script`]), and keeps what it was not asked.
    ///
    /// # Errors
    /// Returns an error where the answer is cut off or not in the form expected.
    pub fn renew(&mut self, answer: &str) -> Result<(), FactsError> {
        let sections = sections(answer)?;
        let section = |name: &str| sections.get(name).copied();
        let json = |section| move |source| FactsError::Json { section, source };
        if let Some(links) = section("links") {
            self.links = link::read(links).map_err(json("links"))?;
        }
        if let Some(routes) = section("routes") {
            self.routes = link::read_routes(routes).map_err(json("routes"))?;
        }
        if let Some(entries) = section("fdb") {
            self.fdb = fdb::read(entries).map_err(json("fdb"))?;
        }
        renewed(&mut self.system, section("system"), system::read);
        renewed(&mut self.sockets, section("sockets"), socket::read);
        renewed(&mut self.settings, section("settings"), setting::read);
        renewed(&mut self.booleans, section("booleans"), boolean::read);
        renewed(&mut self.labels, section("labels"), label::read);
        renewed(&mut self.files, section("files"), file::read);
        renewed(&mut self.listing, section("listing"), file::read_listing);
        renewed(&mut self.folders, section("folders"), folder::read);
        renewed(&mut self.units, section("units"), unit::read);
        renewed(&mut self.packages, section("packages"), package::read);
        renewed(&mut self.nft_tables, section("nft"), nft_table::read);
        renewed(&mut self.firewalls, section("firewalls"), firewall::read);
        renewed(&mut self.walls, section("walls"), wall::read);
        renewed(&mut self.entries, section("entries"), entries::read);
        renewed(&mut self.hypervisor, section("libvirt"), hypervisor::read);
        Ok(())
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

fn renewed<T>(fact: &mut T, section: Option<&str>, read: impl FnOnce(&str) -> T) {
    if let Some(section) = section {
        *fact = read(section);
    }
}

/// Cuts a whole answer into its sections.
fn sections(answer: &str) -> Result<BTreeMap<&str, &str>, FactsError> {
    let mut sections = BTreeMap::new();
    let mut last = "";
    let mut rest = answer;
    while let Some(start) = find_head(rest) {
        let (name, body) = rest[start + 2..].split_once('\n').unwrap_or((&rest[start + 2..], ""));
        let end = find_head(body).unwrap_or(body.len());
        sections.insert(name, &body[..end]);
        last = name;
        rest = &body[end..];
    }
    if last == "end" { Ok(sections) } else { Err(FactsError::Cut { last: last.to_owned() }) }
}

/// Finds the next line that heads a section.
fn find_head(text: &str) -> Option<usize> {
    if text.starts_with("@@") { Some(0) } else { text.find("\n@@").map(|at| at + 1) }
}
