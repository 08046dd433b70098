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
    /// File that lists all that its installations brought, so that `down --packages` can remove it.
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

    /// Returns the source that installs, keeps their services quiet, and records what came.
    ///
    /// A service is masked only for the time of the installation and only where it was not there before:
    /// the user's own stays as it is. What an installation that was cut off (by a reboot, say) found
    /// there is kept until the next one ends, so that nothing it brought is taken for the user's.
    fn script(&self, missing: &[&str]) -> Script {
        let folder = self.record.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let units = self.quiet.iter().map(|unit| quote(unit)).collect::<Vec<_>>().join(" ");
        let install = match self.manager {
            Manager::Apt => {
                let install = apt("install").arg("--no-install-recommends").arg("--").args(missing);
                format!("{install} || {{ apt-get update -q; {install}; }}")
            }
            Manager::Dnf => Command::new("dnf")
                .args(["install", "-y", "-q", "--setopt=install_weak_deps=False", "--"])
                .args(missing)
                .to_string(),
        };
        Script::new()
            .line(self.manager.begin())
            .line(format_args!("install -d -m 755 {}; record={}", quote(folder), quote(&self.record)))
            .line("[ -e \"$record.were\" ] || { list > \"$record.new\"; sync -- \"$record.new\"; mv -f \"$record.new\" \"$record.were\"; }")
            .line(format_args!(
                "[ -e \"$record.quiet\" ] || {{ for u in {units}; do systemctl cat \"$u\" >/dev/null 2>&1 || echo \"$u\"; done > \"$record.new\"; \
                 sync -- \"$record.new\"; mv -f \"$record.new\" \"$record.quiet\"; sync -- {}; }}",
                quote(folder)
            ))
            .line("quiet=$(cat \"$record.quiet\"); for u in $quiet; do systemctl mask --runtime --quiet \"$u\"; done")
            .line("ended() { for u in $quiet; do systemctl unmask --runtime --quiet \"$u\"; done; list | comm -13 \"$record.were\" - >> \"$record\"; sync -- \"$record\"; rm -f \"$record.were\"; }")
            .line("trap ended EXIT")
            .line(self.manager.carry_on())
            .line(install)
            .line("for u in $quiet; do systemctl unmask --runtime --quiet \"$u\"; systemctl disable --quiet \"$u\" 2>/dev/null || true; done")
            .line("rm -f \"$record.quiet\"")
    }

    /// Returns the change that removes what is listed in `record`, a file [`Package::record`], and is there still.
    ///
    /// What something else has come to need stays, and nothing goes that is not listed.
    #[must_use]
    pub fn removal(manager: Manager, record: &str, summary: &str) -> Change {
        let script = Script::new()
            .line(manager.begin())
            .line(format_args!(
                "mapfile -t names < <(list | comm -12 - <(tr -s '[:space:]' '\\n' < {} | sort -u))",
                quote(record)
            ))
            .line("[ ${#names[@]} != 0 ] || exit 0")
            .line(manager.carry_on());
        let script = match manager {
            // dpkg names each package that it would not take, and those that such a one needs.
            Manager::Apt => script
                .line("needed=$(dpkg --no-act --purge --abort-after=9999 \"${names[@]}\" 2>&1 | sed -n 's/^dpkg: error processing package \\(.*\\) (--purge):$/\\1/p' || true)")
                .line("mapfile -t names < <(printf '%s\\n' \"${names[@]}\" | grep -vxF -- \"${needed:-/}\" || true)")
                .line(format_args!(
                    "[ ${{#names[@]}} = 0 ] || {} -- \"${{names[@]}}\"",
                    apt("purge").args(["-o", "APT::Get::AutomaticRemove=false"])
                )),
            // rpm names what is needed of them: file, library or package, and dnf would take along whatever needs it.
            Manager::Dnf => script
                .line("while [ ${#names[@]} != 0 ]; do")
                .line("needed=$(rpm -e --test -- \"${names[@]}\" 2>&1 | sed -n 's/^[[:space:]]*\\(.*\\) is needed by (installed).*/\\1/p' || true)")
                .line("needed=$(while read -r what; do [ -z \"$what\" ] || rpm -q --qf '%{NAME}\\n' --whatprovides \"${what%% *}\"; done <<< \"$needed\" | sort -u)")
                .line("[ -n \"$needed\" ] || break")
                .line("left=${#names[@]}; mapfile -t names < <(printf '%s\\n' \"${names[@]}\" | grep -vxF -- \"$needed\" || true)")
                .line("[ ${#names[@]} != \"$left\" ] || { echo \"other packages need $needed\" >&2; exit 1; }")
                .line("done")
                .line("[ ${#names[@]} = 0 ] || dnf remove -y -q --setopt=clean_requirements_on_remove=False -- \"${names[@]}\""),
        };
        Change::shell("packages".into(), summary, script)
    }
}

impl Manager {
    /// Returns the source that begins: `list` prints the names of all packages installed.
    fn begin(self) -> &'static str {
        match self {
            Self::Apt => {
                "export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1\n\
                 list() { dpkg-query -W -f '${db:Status-Status} ${binary:Package}\\n' | sed -n 's/^installed //p' | sort; }"
            }
            Self::Dnf => "list() { rpm -qa --qf '%{NAME}\\n' | sort -u; }",
        }
    }

    /// Returns the source that ends what an earlier run of the package manager left half done.
    ///
    /// apt does nothing at all after dpkg was cut off, by a reboot say, and asks its user to do this.
    /// Somebody else's dpkg, that is at work now, is waited for.
    fn carry_on(self) -> &'static str {
        match self {
            Self::Apt => {
                "if compgen -G '/var/lib/dpkg/updates/[0-9]*' >/dev/null || [ -n \"$(dpkg --audit 2>&1)\" ]; then\n\
                 until said=$(dpkg --configure -a --force-confdef --force-confold 2>&1); do\n\
                 [[ $said == *'lock'*'locked'* && $SECONDS -lt 300 ]] || { printf '%s\\n' \"$said\" >&2; break; }\n\
                 sleep 2; done; fi"
            }
            Self::Dnf => ":",
        }
    }
}

/// Starts a command of apt's that asks nothing, and waits for others that are at work.
fn apt(verb: &str) -> Command {
    Command::new("apt-get").args([verb, "-y", "-q", "-o", "DPkg::Lock::Timeout=300"])
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
