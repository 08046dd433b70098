//! All that is asked of a host, each thing once, as one script.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::Script,
    resource::{
        answer, boolean, entries, file, firewall, folder, hypervisor, iptables, label, link, nft_table,
        package, ruleset, setting, socket, system, unit,
    },
};

/// What to ask of a host; asking twice is asking once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Paths of files to read.
    pub files: BTreeSet<String>,
    /// Paths of files of which only a digest may leave the host.
    pub digests: BTreeSet<String>,
    /// Folders and name patterns whose paths are listed.
    pub listings: BTreeSet<String>,
    /// Folders whose content is named, up to a bound.
    pub folders: BTreeSet<String>,
    /// Kernel settings, by dotted name.
    pub settings: BTreeSet<String>,
    /// Kernel settings whose former values are asked: name → the pattern of the paths where clusters keep them.
    pub former: BTreeMap<String, String>,
    /// systemd units.
    pub units: BTreeSet<String>,
    /// Booleans of SELinux.
    pub booleans: BTreeSet<String>,
    /// Folders whose SELinux label is asked.
    pub labels: BTreeSet<String>,
    /// Packages.
    pub packages: BTreeSet<String>,
    /// Tables of nftables (family inet).
    pub nft_tables: BTreeSet<String>,
    /// Shell source that lists our entries in a firewall, by the firewall's name.
    pub entries: BTreeMap<String, String>,
    /// Folders whose file system's room is asked.
    pub space: BTreeSet<String>,
    /// Storage pools whose volumes libvirt is asked for.
    pub pools: BTreeSet<String>,
}

/// How much of a host is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// What changes of our own network, files, rules and units touch: half the work of a whole look.
    Ours,
    /// Everything.
    Whole,
}

impl Questions {
    /// Returns the script that asks in one go.
    ///
    /// Its answer is parts without a mark (see [`answer`]); [`super::Facts::read`] reads it.
    #[must_use]
    pub fn script(&self, scope: Scope) -> Script {
        self.marked(scope, "")
    }

    /// As [`Questions::script`], each part headed with a mark of this probe's own; see
    /// [`super::Facts::renew`].
    #[must_use]
    pub fn marked(&self, scope: Scope, mark: &str) -> Script {
        let ours = [
            link::ask(),
            setting::ask(&self.settings, &self.former),
            file::ask(&self.files, &self.digests, &self.listings),
            unit::ask(&self.units),
            nft_table::ask(&self.nft_tables),
            entries::ask(&self.entries),
        ];
        let rest = || {
            [
                system::ask(&self.space),
                folder::ask(&self.folders),
                socket::ask(),
                boolean::ask(&self.booleans),
                label::ask(&self.labels),
                package::ask(&self.packages),
                firewall::ask(),
                iptables::ask(),
                ruleset::ask(),
                hypervisor::end(),
            ]
        };
        let sections: Vec<String> = match scope {
            Scope::Ours => ours.into(),
            // libvirt works while the rest is asked.
            Scope::Whole => [hypervisor::begin(&self.pools)].into_iter().chain(ours).chain(rest()).collect(),
        };
        let begin = Script::new().line(answer::begin(mark));
        sections.iter().fold(begin, Script::line).line(answer::head("end"))
    }
}
