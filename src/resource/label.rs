//! What SELinux lets QEMU read: the label of a folder of disks.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::{Command, Script, into_place, quote},
    resource::{Change, Detail, Facts, Kind, Owned, Questions},
};

/// The type that SELinux's policy gives the folder `/var/lib/libvirt/images`, and that we ask for others.
const TYPE: &str = "virt_image_t";

/// A folder, and all in it, labelled for disks of VMs: by a rule of the host's own, so that
/// relabelling keeps it. Where there is no SELinux, nothing is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The folder.
    pub path: String,
    /// File that keeps the rule and the folder, so that `down` can take it back.
    pub record: String,
}

impl Label {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.labels.insert(self.path.clone());
    }

    /// Returns the changes from `facts` to this label.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let Some(seen) = facts.labels.get(&self.path) else { return Vec::new() };
        let seen = Some(seen.as_str()).filter(|seen| !seen.is_empty());
        let Some(difference) = Detail::field("type", seen, TYPE) else { return Vec::new() };
        let (record, path, rule) = (quote(&self.record), quote(&self.path), self.rule());
        let new = format!("{}.ocp2-new", self.record);
        let folder = self.record.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let script = Script::new()
            .line(format_args!("[ -d {0} ] || install -d -m 755 {0}", quote(folder)))
            .line(format_args!(
                "[ -e {record} ] || {{ printf '%s\\n' {} {path} > {}; {}; }}",
                quote(&rule),
                quote(&new),
                into_place(&new, &self.record)
            ))
            .line(Command::new("semanage").args(["fcontext", "-a", "-t", TYPE, &rule]))
            .line(format_args!("[ -d {path} ] || install -d -m 711 {path}"))
            .line(Command::new("restorecon").args(["-R", &self.path]));
        let summary = difference.in_words();
        vec![
            Change::shell(format!("SELinux label of {}", self.path), &summary, script)
                .because(vec![difference])
                .making([Owned::new(Kind::Folder, &self.path)]),
        ]
    }

    /// Returns the regular expression that means the folder and all in it.
    fn rule(&self) -> String {
        let special = |c: char| ".+*?()[]{}^$|\\".contains(c);
        let escaped: String =
            self.path.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect();
        format!("{escaped}(/.*)?")
    }
}

/// Returns the probe's source: the type of each folder, nothing for one that is not there.
pub(super) fn ask(paths: &BTreeSet<String>) -> String {
    let source = paths.iter().fold(
        "echo \"@@${mark-}labels\"\nif [ -d /sys/fs/selinux/booleans ]; then :".to_owned(),
        |source, path| {
            let path = quote(path);
            format!("{source}\nprintf '%s=%s\\n' {path} \"$(stat -c %C {path} 2>/dev/null | cut -d: -f3)\"")
        },
    );
    source + "\nfi"
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> BTreeMap<String, String> {
    let entry = |line: &str| line.rsplit_once('=').map(|(path, kind)| (path.to_owned(), kind.to_owned()));
    section.lines().filter_map(entry).collect()
}
