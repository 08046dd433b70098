//! A kernel setting, and what it was before.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::{Script, quote},
    resource::{Change, Detail, Facts, Questions, Scope, answer, before},
};

/// A kernel setting (sysctl) at runtime; what makes it last is a [`super::File`] in sysctl.d.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Dotted name, with `/` for a dot inside an interface's name: `net.ipv4.ip_forward`.
    pub name: String,
    /// The value.
    pub value: String,
    /// Folder where the value found first is kept, so that `down` can put it back.
    pub before: Option<String>,
}

impl Setting {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.settings.insert(self.name.clone());
    }

    /// Returns the changes from `facts` to this value.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let seen = facts.settings.get(&self.name).map(String::as_str);
        if seen == Some(NO_IPV6) {
            return Vec::new();
        }
        let Some(difference) = Detail::field("value", seen, &self.value) else { return Vec::new() };
        let shown = seen.unwrap_or("nothing");
        let summary = format!("{shown} → {}", self.value);
        vec![
            Change::shell(format!("setting {}", self.name), &summary, self.script())
                .within(Scope::Ours)
                .because(vec![difference])
                .undone_by(self.undo(seen)),
        ]
    }

    /// Returns the source that puts back the value seen, for a setting that was there before ocp2:
    /// those of ocp2's own links lead nowhere yet.
    fn undo(&self, seen: Option<&str>) -> Option<Script> {
        let seen = self.before.as_ref().and(seen)?;
        Some(Script::new().line(format_args!("echo {} > {}", quote(seen), quote(&path(&self.name)))))
    }

    /// Returns the source that keeps the old value, once and whole, and sets the new one.
    fn script(&self) -> Script {
        let path = quote(&path(&self.name));
        let script = match &self.before {
            None => Script::new(),
            Some(folder) => before::keep(folder, &self.name.replace('/', ":"), &format!("cat {path}")),
        };
        let set = format!("echo {} > {path}", quote(&self.value));
        // At boot nobody has asked whether the kernel has IPv6.
        if self.name.starts_with(IPV6) {
            script.line(format_args!("[ ! -e {IPV6_FOLDER} ] || {set}"))
        } else {
            script.line(set)
        }
    }
}

/// How names of IPv6's settings begin.
const IPV6: &str = "net.ipv6.";

/// Is missing where the kernel runs without IPv6.
const IPV6_FOLDER: &str = "/proc/sys/net/ipv6";

/// What the probe tells of an IPv6 setting where the kernel runs without IPv6: nothing is to be set.
const NO_IPV6: &str = "no IPv6";

/// Returns where the kernel keeps a setting.
fn path(name: &str) -> String {
    let swapped: String = name
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        })
        .collect();
    format!("/proc/sys/{swapped}")
}

/// Returns the probe's source: only shell builtins, no process.
///
/// Of reverse-path filters all are told: which NIC carries the tunnel may not be known yet.
pub(super) fn ask(names: &BTreeSet<String>, former: &BTreeMap<String, String>) -> String {
    let filters = "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do n=${f%/*}; n=${n##*/}; \
                   read -r v < \"$f\" && printf 'net.ipv4.conf.%s.rp_filter=%s\\n' \"${n//.//}\" \"$v\"; done";
    let settings = names.iter().fold(format!("{}\n{filters}", answer::head("settings")), |source, name| {
        let (path, quoted) = (quote(&path(name)), quote(name));
        let source =
            format!("{source}\n[ -r {path} ] && read -r v < {path} && printf '%s=%s\\n' {quoted} \"$v\"");
        if name.starts_with(IPV6) {
            format!("{source}\n[ -e {IPV6_FOLDER} ] || printf '%s=%s\\n' {quoted} '{NO_IPV6}'")
        } else {
            source
        }
    });
    // Patterns are ocp2's own and are to be expanded by the shell.
    former.iter().fold(format!("{settings}\n{}", answer::head("former")), |source, (name, pattern)| {
        format!(
            "{source}\nfor f in {pattern}; do [ -r \"$f\" ] && read -r v < \"$f\" && printf '%s=%s\\n' {} \"$v\"; done",
            quote(name)
        )
    })
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> BTreeMap<String, String> {
    section
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

/// Reads what settings were before: one value for each cluster that has changed one.
pub(super) fn read_former(section: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut former = BTreeMap::<String, BTreeSet<String>>::new();
    for (name, value) in section.lines().filter_map(|line| line.split_once('=')) {
        former.entry(name.to_owned()).or_default().insert(value.to_owned());
    }
    former
}
