//! systemd units: ours, and the system's that we need running.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::{Command, Script, quote},
    resource::{Change, Detail, Facts, File, Kind, Owned, Questions, Scope, answer, before},
};

/// A unit, enabled and running what is wanted.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its full name, `ocp2-ocp-dns.service`.
    pub name: String,
    /// What it has to be running, for units of ours.
    pub runs: Option<Reload>,
    /// Folder where the state found first is kept, for units that are not ours.
    ///
    /// Such a daemon only has to be enabled: its socket starts it on demand,
    /// and libvirt's end themselves when nobody needs them.
    pub before: Option<String>,
    /// It is started whenever certain other units are, and not only when the host boots.
    pub follows: bool,
}

/// What a running unit has read: it says so itself, in stamp files below /run.
///
/// The unit writes the SHA-256 sums of its inputs when it starts or reloads.
/// So a run that was cut off between writing a file and reloading the service
/// is seen by the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// Stamp written at every start.
    pub started: Stamp,
    /// Stamp written at every start and every reload, where the unit can reload.
    pub loaded: Option<Stamp>,
}

/// A stamp file: the output of `sha256sum` over some files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Where it is.
    pub path: String,
    /// What is in it when the unit has read what is wanted.
    pub content: String,
    /// The files it is about.
    pub files: Vec<String>,
}

/// A unit as systemd has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitSeen {
    /// `loaded`, `not-found`, `masked`.
    pub load: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`.
    pub active: String,
    /// `enabled`, `disabled`, `static`; empty where there is no file.
    pub file: String,
}

/// How much of its journal is told of a unit that failed.
const LINES_SHOWN: usize = 15;

impl Stamp {
    /// Makes the stamp that `files` leave.
    #[must_use]
    pub fn of(path: String, files: &[&File]) -> Self {
        let content = files.iter().map(|file| format!("{}  {}\n", file.sha256(), file.path)).collect();
        Self { path, content, files: files.iter().map(|file| file.path.clone()).collect() }
    }

    /// Makes a stamp by its files' names alone, for the unit file that has to write it.
    #[must_use]
    pub fn naming(path: String, files: Vec<String>) -> Self {
        Self { path, content: String::new(), files }
    }

    /// Returns the command a unit runs to leave it.
    #[must_use]
    pub fn command(&self) -> String {
        format!("/bin/sh -c 'sha256sum {} > {}'", self.files.join(" "), self.path)
    }

    fn is_as_wanted(&self, facts: &Facts) -> bool {
        facts.text(&self.path) == Some(self.content.as_str())
    }
}

impl UnitSeen {
    /// Tells whether it is running (a one-shot: has run).
    ///
    /// A daemon may say itself that it reloads, as HAProxy does.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading")
    }
}

impl Unit {
    /// Makes a unit of the system's, whose present state is kept below `before`.
    #[must_use]
    pub fn foreign(name: &str, before: &str) -> Self {
        Self { name: name.to_owned(), runs: None, before: Some(before.to_owned()), follows: false }
    }

    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.units.insert(self.name.clone());
        let stamps = self.runs.iter().flat_map(|runs| std::iter::once(&runs.started).chain(&runs.loaded));
        questions.files.extend(stamps.map(|stamp| stamp.path.clone()));
    }

    /// Returns the changes from `facts` to this unit.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let seen = facts.units.get(&self.name).cloned().unwrap_or_default();
        let systemctl = |verb: &str| Command::new("systemctl").args([verb, &self.name]);
        let mut differences: Vec<Detail> = Vec::new();
        let mut script = self.keep();
        if !matches!(seen.file.as_str(), "enabled" | "static" | "indirect") {
            differences.extend(Detail::field("enabled", Some(shown(&seen.file)), "enabled"));
            let enable = Command::new("systemctl").args(["enable", "--quiet"]);
            // It has systemd read all unit files anew, as `reenable` does: that takes longer than all the
            // rest, and a unit that systemd does not know yet is read when it is started. Only that
            // others are to start it would be missed.
            let unknown = seen.load != "loaded" && self.before.is_none() && !self.follows;
            let enable = if unknown { enable.arg("--no-reload") } else { enable };
            script = script.line(enable.arg(&self.name));
        } else if !self.starts_by_another_file(&seen, facts) {
            script = script.line("systemctl daemon-reload");
        }
        if self.before.is_some() {
            script = script.line(systemctl("start"));
        } else if !seen.is_active() {
            differences.extend(Detail::field("state", Some(shown(&seen.active)), "active"));
            script = script.line(self.said(&systemctl("restart")));
        } else if let Some(runs) = &self.runs {
            if self.starts_by_another_file(&seen, facts) {
                differences.extend(Detail::field("running", Some("an older configuration"), "this one"));
                // What starts it may have changed with the unit file.
                script = script
                    .line(Command::new("systemctl").args(["reenable", "--quiet", &self.name]))
                    .line(self.said(&systemctl("restart")));
            } else if runs.loaded.as_ref().is_some_and(|loaded| !loaded.is_as_wanted(facts)) {
                differences.extend(Detail::field("loaded", Some("an older configuration"), "this one"));
                script = script.line(self.said(&systemctl("reload")));
            }
        }
        if differences.is_empty() {
            return Vec::new();
        }
        let summary = differences.iter().map(Detail::in_words).collect::<Vec<_>>().join(", ");
        // Units that are not ours may start whatever they like.
        let scope = if self.before.is_none() { Scope::Ours } else { Scope::Whole };
        let made = self.before.is_none().then(|| Owned::new(Kind::Unit, &self.name));
        vec![
            Change::shell(format!("unit {}", self.name), &summary, script)
                .within(scope)
                .because(differences)
                .making(made),
        ]
    }

    /// Returns the source that runs `call`, and where it fails says what the unit has said since.
    fn said(&self, call: &Command) -> String {
        format!(
            "since=$(date +%s); {call} || {{ status=$?; journalctl -q --no-pager -o cat -u {} --since \"@$since\" \
             | tail -n {LINES_SHOWN} >&2 || true; exit $status; }}",
            quote(&self.name)
        )
    }

    /// Tells whether it runs by other files than it is to be started with.
    fn starts_by_another_file(&self, seen: &UnitSeen, facts: &Facts) -> bool {
        let own = self.runs.as_ref().filter(|_| self.before.is_none() && seen.is_active());
        own.is_some_and(|runs| !runs.started.is_as_wanted(facts))
    }

    /// Returns the source that keeps a foreign unit's present state, once and whole.
    fn keep(&self) -> Script {
        let Some(folder) = &self.before else { return Script::new() };
        let name = quote(&self.name);
        let tell = format!(
            "{{ systemctl is-enabled {name} || true; systemctl is-active {name} || true; }} 2>/dev/null"
        );
        before::keep(folder, &self.name, &tell)
    }
}

fn shown(state: &str) -> &str {
    if state.is_empty() { "nothing" } else { state }
}

/// Returns the probe's source.
pub(super) fn ask(names: &BTreeSet<String>) -> String {
    let mut source = answer::head("units");
    if !names.is_empty() {
        let (own, others): (Vec<&String>, Vec<&String>) =
            names.iter().partition(|name| name.starts_with("ocp2-"));
        let quoted =
            |names: Vec<&String>| names.into_iter().map(|name| quote(name)).collect::<Vec<_>>().join(" ");
        source += &format!(
            "\nunits=({})\nfor u in {}; do for d in {FOLDERS}; do\n\
             if [ -e $d/systemd/system/$u ]; then units+=($u); break; fi\ndone; done\n\
             told units systemctl show -p Id,LoadState,ActiveState,UnitFileState -- \"${{units[@]}}\"",
            quoted(own),
            quoted(others)
        );
    }
    source
}

/// Where unit files of others are. systemd is not asked of what is nowhere: it would look for each name
/// in all its folders, every time.
const FOLDERS: &str = "/etc /run /usr/local/lib /usr/lib /lib";

/// Reads `systemctl show`: blocks of `Key=value`, parted by empty lines.
pub(super) fn read(section: &str) -> BTreeMap<String, UnitSeen> {
    let mut units = BTreeMap::new();
    for block in section.split("\n\n") {
        let mut seen = UnitSeen::default();
        let mut id = None;
        for (key, value) in block.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "Id" => id = Some(value.to_owned()),
                "LoadState" => value.clone_into(&mut seen.load),
                "ActiveState" => value.clone_into(&mut seen.active),
                "UnitFileState" => value.clone_into(&mut seen.file),
                _ => {}
            }
        }
        if let Some(id) = id {
            units.insert(id, seen);
        }
    }
    units
}
