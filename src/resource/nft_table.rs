//! ocp2's one table of nftables.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::{Command, Script, quote},
    resource::{Change, Detail, Facts, File, Kind, Owned, Questions, Scope, answer},
    secret::Secret,
};

/// A table of family inet, loaded from a file that replaces it in one transaction.
///
/// The kernel's listing never reads like the file it came from, so what the
/// kernel said right after loading is kept beside the file's digest. A table
/// is as wanted when that digest is the wanted file's and the listing is still
/// the same: a rule changed by hand shows as a diff of the two listings.
#[derive(Debug, Clone)]
pub struct NftTable {
    /// Its name.
    pub name: String,
    /// The file it is loaded from.
    pub file: File,
    /// Where digest and listing are kept.
    pub loaded: String,
}

impl NftTable {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.nft_tables.insert(self.name.clone());
        questions.files.insert(self.loaded.clone());
    }

    /// Returns the changes from `facts` to this table.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let load = |summary: &str| {
            let resource = format!("nftables table inet {}", self.name);
            Change::shell(resource, summary, self.script())
                .within(Scope::Ours)
                .undone_by(Some(self.undo(facts)))
        };
        let Some(listing) = facts.nft_tables.get(&self.name) else {
            return vec![load("load").making([Owned::new(Kind::Table, &self.name)])];
        };
        let (digest, kept) =
            facts.text(&self.loaded).and_then(|text| text.split_once('\n')).unwrap_or_default();
        if digest != self.digest_line() {
            return vec![load("load anew")];
        }
        if kept.trim() == listing.trim() {
            return Vec::new();
        }
        let diff = Detail::diff(&format!("table inet {}", self.name), listing, kept);
        vec![load("mend what was changed by hand").because(vec![diff])]
    }

    /// Returns the source that loads in one transaction what was seen, or nothing, and forgets the load.
    fn undo(&self, facts: &Facts) -> Script {
        let name = &self.name;
        let seen = facts.nft_tables.get(name).map_or("", String::as_str);
        let rules = format!("table inet {name}\ndelete table inet {name}\n{seen}");
        let kept = quote(&self.loaded);
        let script = Script::new().feed(&Secret::new(rules), &Command::new("nft").args(["-f", "-"]));
        match facts.text(&self.loaded) {
            None => script.line(format_args!("rm -f {kept}")),
            Some(text) => script.line(format_args!("printf %s {} > {kept}", quote(text))),
        }
    }

    /// Returns the source that loads the table and keeps how it reads.
    ///
    /// The digest is taken of the file that is loaded: at boot, or when a phase
    /// before loads the table too, that may still be the older one.
    fn script(&self) -> Script {
        let kept = quote(&self.loaded);
        let folder = self.loaded.rsplit_once('/').map_or("/", |(folder, _)| folder);
        Script::new()
            .line(Command::new("nft").args(["-f", &self.file.path]))
            .line(format_args!("[ -d {0} ] || install -d -m 755 {0}", quote(folder)))
            .line(format_args!(
                "{{ echo \"# $(sha256sum < {} | cut -c 1-64)\"; nft -s list table inet {}; }} > {kept}.ocp2-new",
                quote(&self.file.path),
                quote(&self.name)
            ))
            .line(format_args!("mv -f {kept}.ocp2-new {kept}"))
    }

    fn digest_line(&self) -> String {
        format!("# {}", self.file.sha256())
    }
}

/// Returns the probe's source.
pub(super) fn ask(names: &BTreeSet<String>) -> String {
    names.iter().fold(answer::head("nft"), |source, name| {
        let name = quote(name);
        format!(
            "{source}\necho \"# table {name}\"\n\
             if listing=$(nft -s list table inet {name} 2>&1); then printf '%s\\n' \"$listing\"\n\
             else case $listing in *'No such file'*|*'command not found'*) ;; *) unknown nft \"$listing\";; esac; fi"
        )
    })
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> BTreeMap<String, String> {
    let parts = section.split("# table ").skip(1).filter_map(|part| part.split_once('\n'));
    parts
        .filter(|(_, listing)| !listing.trim().is_empty())
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect()
}
