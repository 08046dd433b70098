//! All that one probe of a host has told.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{
    FdbSeen, FileSeen, Filter, Firewall, LinkSeen, PackageSeen, SocketSeen, System, UnitSeen,
    answer::Answer,
    boolean, entries, fdb, file, firewall, folder, hypervisor, hypervisor_answer, iptables, label,
    link::{self, RouteSeen},
    nft_table, package, ruleset, setting, socket, system, unit,
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
    /// What settings that were asked for had been when a cluster of ocp2's first changed them.
    pub former: BTreeMap<String, BTreeSet<String>>,
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
    /// The rules of iptables and ip6tables.
    pub iptables: Vec<Filter>,
    /// The filters of nftables; those of iptables may be told here, too.
    pub filters: Vec<Filter>,
    /// Our entries in other firewalls: the firewall's name → how they read.
    pub entries: BTreeMap<String, String>,
    /// What libvirt told; `None` where there is no libvirt yet.
    pub hypervisor: Option<hypervisor::Seen>,
    /// Parts of the answer that could not be read, and why: what they would tell is unknown, not absent.
    pub unknown: BTreeMap<&'static str, String>,
}

/// Says why a probe's answer could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The answer ended before its end.
    #[error("the answer is cut off after part {last:?}")]
    Cut {
        /// The last part that was begun.
        last: String,
    },
}

impl Facts {
    /// Reads the answer of a whole probe without a mark.
    ///
    /// # Errors
    /// As [`Facts::renew`].
    pub fn read(answer: &str) -> Result<Self, FactsError> {
        let mut facts = Self::default();
        facts.renew(answer, "")?;
        Ok(facts)
    }

    /// Takes over what a probe's answer tells (see [`super::Questions::marked`]), and keeps what it was not asked.
    ///
    /// A part that could not be read stays as it was, and is listed as unknown.
    ///
    /// # Errors
    /// Returns an error where the answer is cut off.
    pub fn renew(&mut self, answer: &str, mark: &str) -> Result<(), FactsError> {
        let answer = Answer::cut(answer, mark);
        if answer.last() != "end" {
            return Err(FactsError::Cut { last: answer.last().to_owned() });
        }
        let unknown = &mut self.unknown;
        renewal(&answer, unknown, "links").take(&mut self.links, link::read);
        renewal(&answer, unknown, "routes").take(&mut self.routes, link::read_routes);
        renewal(&answer, unknown, "fdb").take(&mut self.fdb, fdb::read);
        renewal(&answer, unknown, "system").of_few_lines().take(&mut self.system, sure(system::read));
        renewal(&answer, unknown, "sockets").of_few_lines().take(&mut self.sockets, sure(socket::read));
        renewal(&answer, unknown, "settings").of_few_lines().take(&mut self.settings, sure(setting::read));
        renewal(&answer, unknown, "former").of_few_lines().take(&mut self.former, sure(setting::read_former));
        renewal(&answer, unknown, "booleans").of_few_lines().take(&mut self.booleans, sure(boolean::read));
        renewal(&answer, unknown, "labels").of_few_lines().take(&mut self.labels, sure(label::read));
        renewal(&answer, unknown, "files").of_few_lines().take(&mut self.files, file::read);
        renewal(&answer, unknown, "listing").of_few_lines().take(&mut self.listing, sure(file::read_listing));
        renewal(&answer, unknown, "folders").of_few_lines().take(&mut self.folders, sure(folder::read));
        renewal(&answer, unknown, "units").of_few_lines().take(&mut self.units, sure(unit::read));
        renewal(&answer, unknown, "packages").of_few_lines().take(&mut self.packages, sure(package::read));
        renewal(&answer, unknown, "nft").take(&mut self.nft_tables, sure(nft_table::read));
        renewal(&answer, unknown, "firewalls").take(&mut self.firewalls, sure(firewall::read));
        renewal(&answer, unknown, "iptables").of_few_lines().take(&mut self.iptables, sure(iptables::read));
        renewal(&answer, unknown, "ruleset").take(&mut self.filters, ruleset::read);
        renewal(&answer, unknown, "entries").take(&mut self.entries, sure(entries::read));
        renewal(&answer, unknown, "libvirt")
            .take(&mut self.hypervisor, |part| hypervisor_answer::read(part, mark));
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

/// One part of an answer on its way into the facts.
struct Renewal<'a, 'u> {
    name: &'static str,
    part: Option<&'a str>,
    reason: Option<String>,
    unknown: &'u mut BTreeMap<&'static str, String>,
}

fn renewal<'a, 'u>(
    answer: &Answer<'a>,
    unknown: &'u mut BTreeMap<&'static str, String>,
    name: &'static str,
) -> Renewal<'a, 'u> {
    Renewal { name, part: answer.part(name), reason: answer.reason(name), unknown }
}

/// Most lines of a part: each becomes several times its length.
const MOST_LINES: usize = 1 << 16;

impl Renewal<'_, '_> {
    /// Refuses a part of which each line is a thing, where there are too many of them.
    fn of_few_lines(mut self) -> Self {
        let too_many = self.part.is_some_and(|part| part.lines().nth(MOST_LINES).is_some());
        if too_many {
            self.reason.get_or_insert_with(|| format!("it has more than {MOST_LINES} lines"));
        }
        self
    }

    /// Reads the part, where it was asked for.
    fn take<T, E: ToString>(self, fact: &mut T, read: impl FnOnce(&str) -> Result<T, E>) {
        let Some(part) = self.part else { return };
        let read = match self.reason {
            Some(reason) => Err(reason),
            None => read(part).map_err(|error| error.to_string()),
        };
        match read {
            Ok(told) => {
                self.unknown.remove(self.name);
                *fact = told;
            }
            Err(reason) => {
                self.unknown.insert(self.name, reason);
            }
        }
    }
}

/// Makes a reader of one that always finds something to read.
fn sure<T>(read: impl FnOnce(&str) -> T) -> impl FnOnce(&str) -> Result<T, String> {
    |part| Ok(read(part))
}
