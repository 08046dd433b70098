//! Entries of ours in a firewall that is not ours.

use std::collections::BTreeMap;

use crate::{
    command::{Script, quote},
    resource::{Change, Detail, Facts, Questions, Scope, answer, sha256},
};

/// Entries that carry the cluster's name in a firewall that others rule.
///
/// No firewall lists its entries in the words they came in, so what it said
/// right after they were made is kept beside a digest of how they are made:
/// the entries are as wanted when neither has changed.
#[derive(Debug, Clone)]
pub struct Entries {
    /// Name of the firewall.
    pub firewall: String,
    /// Shell source that prints our entries as the firewall has them, and nothing where there are none;
    /// it exits with another status than 0, and with the reason on standard error, where that cannot be told.
    pub list: String,
    /// Shell source that takes out our entries and makes those that are wanted.
    pub make: String,
    /// Where digest and listing are kept.
    pub kept: String,
}

impl Entries {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.entries.insert(self.firewall.clone(), self.list.clone());
        questions.files.insert(self.kept.clone());
    }

    /// Returns the changes from `facts` to these entries.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let resource = format!("entries in {}", self.firewall);
        let Some(listing) = facts.entries.get(&self.firewall) else {
            return vec![Change::shell(resource, "add", self.script()).within(Scope::Ours)];
        };
        let (digest, kept) =
            facts.text(&self.kept).and_then(|text| text.split_once('\n')).unwrap_or_default();
        if digest != self.digest_line() {
            return vec![Change::shell(resource, "make anew", self.script()).within(Scope::Ours)];
        }
        if kept.trim() == listing.trim() {
            return Vec::new();
        }
        let diff = Detail::diff(&self.firewall, listing, kept);
        vec![
            Change::shell(resource, "mend what was changed by hand", self.script())
                .within(Scope::Ours)
                .because(vec![diff]),
        ]
    }

    /// Returns the source that makes the entries and keeps how they read.
    fn script(&self) -> Script {
        let kept = quote(&self.kept);
        let folder = self.kept.rsplit_once('/').map_or("/", |(folder, _)| folder);
        Script::new()
            .line(self.make.trim_end())
            .line(format_args!("[ -d {0} ] || install -d -m 755 {0}", quote(folder)))
            .line(format_args!("{{ echo {}", quote(&self.digest_line())))
            .line(self.list.trim_end())
            .line(format_args!("}} > {kept}.ocp2-new"))
            .line(format_args!("mv -f {kept}.ocp2-new {kept}"))
    }

    fn digest_line(&self) -> String {
        format!("# {}", sha256(self.make.as_bytes()))
    }
}

/// Returns the probe's source; every listing runs on its own, for it may fail: then the entries are unknown.
pub(super) fn ask(lists: &BTreeMap<String, String>) -> String {
    lists.iter().fold(answer::head("entries"), |source, (name, list)| {
        format!(
            "{source}\necho {}\n{{ said=$( ( {} ) 2>&1 >&7 7>&-) || unknown entries \"$said\"; }} 7>&1",
            quote(&format!("# entries {name}")),
            list.trim_end()
        )
    })
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> BTreeMap<String, String> {
    let parts = section.split("# entries ").skip(1).filter_map(|part| part.split_once('\n'));
    parts
        .filter(|(_, listing)| !listing.trim().is_empty())
        .map(|(name, listing)| (name.to_owned(), listing.to_owned()))
        .collect()
}
