//! Writing down what is made on a host: as the first part of the script that makes it, and on the disk before
//! the rest of that runs.

use std::collections::BTreeSet;

use crate::{
    command::{Script, into_place, quote},
    resource::{Change, Detail, Facts, Kind, Owned, Questions, Scope, owned::HEAD, record_path, record_text},
};

/// Returns the source that writes down what `changes` make, as far as `facts` do not tell that it is
/// written down already; empty where it all is.
///
/// Of folders those are written down that are not there, parents included: the others are somebody else's.
#[must_use]
pub fn writing_down(cluster: &str, changes: &[Change], facts: &Facts) -> Script {
    let record = record_path(cluster);
    let known: BTreeSet<&str> = facts.text(&record).unwrap_or_default().lines().collect();
    let made = changes.iter().flat_map(|change| &change.makes);
    let new: BTreeSet<&Owned> = made.filter(|owned| !known.contains(owned.to_string().as_str())).collect();
    if new.is_empty() {
        return Script::new();
    }
    let (folders, others): (Vec<&Owned>, Vec<&Owned>) =
        new.into_iter().partition(|owned| owned.kind == Kind::Folder);
    let quoted = quote(&record);
    let mut lines = format!("{{ [ ! -e {quoted} ] || tail -n +2 {quoted}; }} && {}", printing(others));
    for folder in folders {
        lines += &format!(
            " && folder={} && while [ -n \"$folder\" ] && [ ! -e \"$folder\" ]; do echo \"folder $folder\"; folder=${{folder%/*}}; done",
            quote(&folder.name)
        );
    }
    Script::new()
        .line(format_args!(
            "[ ! -e {quoted} ] || [ \"$(head -n 1 {quoted})\" = {} ] || {{ echo {quoted}' is of another ocp2' >&2; exit 1; }}",
            quote(HEAD)
        ))
        .line(replacing(&record, &lines).source().trim_end())
}

/// Returns the source that leaves nothing but these lines in a cluster's record.
#[must_use]
pub fn rewriting(cluster: &str, owned: &BTreeSet<Owned>) -> Script {
    replacing(&record_path(cluster), &printing(owned))
}

/// Returns source that prints lines.
fn printing<'a>(owned: impl IntoIterator<Item = &'a Owned>) -> String {
    let words: Vec<String> = owned.into_iter().map(|owned| quote(&owned.to_string())).collect();
    if words.is_empty() { ":".to_owned() } else { format!("printf '%s\\n' {}", words.join(" ")) }
}

/// Returns the source that puts the lines that `lines` prints in the record's place: whole, and on the disk
/// before anything is done that it speaks of.
fn replacing(record: &str, lines: &str) -> Script {
    let folder = quote(record.rsplit_once('/').map_or("/", |(folder, _)| folder));
    let new = format!("{record}.ocp2-new");
    Script::new()
        .line(format_args!("[ -d {folder} ] || install -d -m 755 {folder}"))
        .line(format_args!(
            "( umask 077; {{ echo {} && {{ {lines}; }} | LC_ALL=C sort -u; }} > {} ) || {{ echo {}' cannot be written' >&2; exit 1; }}",
            quote(HEAD),
            quote(&new),
            quote(record)
        ))
        .line(into_place(&new, record))
}

/// The record of a host that an earlier version, which kept none, has made things on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The cluster.
    pub cluster: String,
    /// What is sure to be its own.
    pub owned: BTreeSet<Owned>,
}

impl Record {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.files.insert(record_path(&self.cluster));
    }

    /// Returns the change that makes the record, where there is none.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let path = record_path(&self.cluster);
        if self.owned.is_empty() || facts.files.contains_key(&path) {
            return Vec::new();
        }
        let count = |kind: Kind| match self.owned.iter().filter(|owned| owned.kind == kind).count() {
            0 => None,
            1 => Some(format!("1 {}", kind.word())),
            several => Some(format!("{several} {}s", kind.word())),
        };
        let counted: Vec<String> = Kind::ALL.into_iter().filter_map(count).collect();
        let summary = format!("write down what is ours: {}", counted.join(", "));
        let diff = Detail::diff(&path, "", &record_text(&self.owned));
        // What a change makes is written down before it: of this one there is nothing else to do.
        vec![
            Change::shell(format!("record {path}"), &summary, Script::new())
                .within(Scope::Ours)
                .because(vec![diff])
                .making(self.owned.iter().cloned()),
        ]
    }
}
