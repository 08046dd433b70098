//! Switches of SELinux's policy.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::{Command, Script, into_place, quote},
    resource::{Change, Detail, Facts, Questions, answer},
};

/// A boolean of SELinux, on and kept over reboots; where there is no SELinux, nothing is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boolean {
    /// Its name, `haproxy_connect_any`.
    pub name: String,
    /// Folder where it is kept that it was off, so that `down` can turn it off again.
    pub before: String,
}

impl Boolean {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.booleans.insert(self.name.clone());
    }

    /// Returns the changes from `facts` to this boolean being on.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        if facts.booleans.get(&self.name) != Some(&false) {
            return Vec::new();
        }
        let kept_path = format!("{}/{}", self.before, self.name);
        let (kept, new) = (quote(&kept_path), format!("{kept_path}.ocp2-new"));
        let script = Script::new()
            .line(format_args!("install -d -m 755 {}", quote(&self.before)))
            .line(format_args!(
                "[ -e {kept} ] || {{ echo off > {}; {}; }}",
                quote(&new),
                into_place(&new, &kept_path),
            ))
            .line(Command::new("setsebool").args(["-P", &self.name, "on"]));
        let details = Detail::field("value", Some("off"), "on").into_iter().collect();
        vec![Change::shell(format!("SELinux boolean {}", self.name), "off → on", script).because(details)]
    }
}

/// Returns the probe's source; the kernel says the present and the pending value.
pub(super) fn ask(names: &BTreeSet<String>) -> String {
    names.iter().fold(answer::head("booleans"), |source, name| {
        let path = quote(&format!("/sys/fs/selinux/booleans/{name}"));
        format!(
            "{source}\n[ -r {path} ] && v=$(cat {path}) && printf '%s=%s\\n' {} \"${{v%% *}}\"",
            quote(name)
        )
    })
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> BTreeMap<String, bool> {
    let entry = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value == "1"));
    section.lines().filter_map(entry).collect()
}
