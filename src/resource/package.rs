//! Packages of the host's distribution.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::{Command, Script, quote},
    resource::{Change, Detail, Facts, Questions, answer},
};

/// A package manager ocp2 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Debian and Ubuntu.
    Apt,
    /// Fedora, RHEL and its rebuilds.
    Dnf,
}

/// Packages that have to be there, installed in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Who installs them.
    pub manager: Manager,
    /// Their names.
    pub names: Vec<String>,
    /// Services that such a package would start by itself and that are not wanted.
    pub quiet: Vec<String>,
    /// File that lists what ocp2 installed, so that `down --packages` can remove it.
    pub record: String,
}

/// A package as the host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSeen {
    /// Its version.
    pub version: String,
}

impl Package {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.packages.extend(self.names.iter().cloned());
        questions.files.insert(self.record.clone());
    }

    /// Returns the one change that installs what is missing.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let missing: Vec<&str> = self
            .names
            .iter()
            .filter(|name| !facts.packages.contains_key(*name))
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return Vec::new();
        }
        let details = missing.iter().filter_map(|name| Detail::field(name, None, "installed")).collect();
        vec![
            Change::shell(
                "packages".into(),
                &format!("install {}", missing.join(" ")),
                self.script(&missing),
            )
            .because(details),
        ]
    }

    /// Returns the source that installs, keeps their services quiet, and records.
    ///
    /// A service is masked only for the time of the installation and only
    /// where it was not there before: the user's own stays as it is.
    fn script(&self, missing: &[&str]) -> Script {
        let folder = self.record.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let quiet = self.quiet.iter().map(|unit| quote(unit)).collect::<Vec<_>>().join(" ");
        let record = quote(&self.record);
        let install = match self.manager {
            Manager::Apt => Command::new("apt-get")
                .args([
                    "install",
                    "-y",
                    "-q",
                    "--no-install-recommends",
                    "-o",
                    "DPkg::Lock::Timeout=300",
                    "--",
                ])
                .args(missing)
                .to_string(),
            Manager::Dnf => Command::new("dnf")
                .args(["install", "-y", "-q", "--setopt=install_weak_deps=False", "--"])
                .args(missing)
                .to_string(),
        };
        let install = match self.manager {
            Manager::Apt => format!("{install} || {{ apt-get update -q; {install}; }}"),
            Manager::Dnf => install,
        };
        Script::new()
            .line("export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1")
            .line(format_args!("install -d -m 755 {}", quote(folder)))
            .line(format_args!("quiet=; for u in {quiet}; do systemctl cat \"$u\" >/dev/null 2>&1 || quiet=\"$quiet $u\"; done"))
            .line("for u in $quiet; do systemctl mask --runtime --quiet \"$u\"; done")
            .line("trap 'for u in $quiet; do systemctl unmask --runtime --quiet \"$u\"; done' EXIT")
            .line(install)
            .line("for u in $quiet; do systemctl unmask --runtime --quiet \"$u\"; systemctl disable --quiet \"$u\" 2>/dev/null || true; done")
            .line("trap - EXIT")
            .line(format_args!("printf '%s\\n' {} >> {record}", missing.join(" ")))
    }
}

/// Returns the probe's source.
pub(super) fn ask(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return answer::head("packages");
    }
    let names = names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(" ");
    // Both say with status 1 that one of the packages is not installed; what rpm cannot do, it calls an error.
    format!(
        r#"{}
if command -v dpkg-query >/dev/null; then
{{ said=$(dpkg-query -W -f '${{Package}} ${{db:Status-Status}} ${{Version}}\n' {names} 2>&1 >&7 7>&-) || [ $? = 1 ] || unknown packages "dpkg-query: $said"; }} 7>&1
elif command -v rpm >/dev/null; then
{{ said=$(rpm -q --qf '%{{NAME}} installed %{{VERSION}}-%{{RELEASE}}\n' {names} 2>&1 >&7 7>&-) || true; }} 7>&1
case $said in *error:*) unknown packages "rpm: $said";; esac
fi"#,
        answer::head("packages")
    )
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> BTreeMap<String, PackageSeen> {
    let entry = |line: &str| {
        let mut words = line.split(' ');
        let (name, state, version) = (words.next()?, words.next()?, words.next()?);
        (state == "installed").then(|| (name.to_owned(), PackageSeen { version: version.to_owned() }))
    };
    section.lines().filter_map(entry).collect()
}
