//! The guard on a host: what is armed there, how it is undone, and how it is called off.
//!
//! What undoes the changes is on the host's disk before any of them, with a unit that runs it should the
//! host lose its power meanwhile: a timer alone would forget, and the changes stay for ever.

use std::time::Duration;

use crate::{
    command::{Command, Script, quote},
    engine::lock,
    resource::Change,
    secret::Secret,
};

/// Seconds that the steps which are to be undone are waited for; one that prints to a dead connection may
/// never end.
const STEP_SECONDS: u32 = 10;

/// How far the host got, as [`Guard::confirmation`] says by its status.
pub(super) const CONFIRMED: i32 = 0;
pub(super) const UNDONE: i32 = 3;
pub(super) const NEVER_ARMED: i32 = 4;

/// Where the guard of a cluster is on a host.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Guard {
    cluster: String,
    /// Folder on the disk; it is there as long as something is armed.
    folder: String,
    /// Unit that looks into the folder at boot, before anything of ocp2's or a network comes up.
    unit: String,
    /// What makes it start.
    wanted: String,
    /// What became of the last probation; it is asked for again where an answer is lost.
    result: String,
    /// What steps at work hold.
    work: String,
}

impl Guard {
    /// Returns a cluster's guard.
    pub(in crate::engine) fn of(cluster: &str) -> Self {
        Self::below("", cluster)
    }

    /// As [`Guard::of`], below another root than `/`.
    fn below(root: &str, cluster: &str) -> Self {
        let (units, name) = (format!("{root}/etc/systemd/system"), format!("ocp2-{cluster}-guard.service"));
        Self {
            cluster: cluster.to_owned(),
            // A dot, for no cluster's name has one.
            folder: format!("{root}/var/lib/ocp2/.guard.{cluster}"),
            unit: format!("{units}/{name}"),
            wanted: format!("{units}/sysinit.target.wants/{name}"),
            result: format!("{root}{}", lock::path(cluster, "probation")),
            work: format!("{root}{}", lock::path(cluster, "work")),
        }
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Returns the file that says that something is armed; who renames it has the say, so that it is undone
    /// or confirmed, never both.
    pub(in crate::engine) fn armed(&self) -> String {
        self.file("undo")
    }

    fn timer(&self) -> String {
        format!("ocp2-{}-undo", self.cluster)
    }

    /// Returns source that arms the undoing of `changes`, last one first, `after` so long.
    pub(super) fn arm(&self, id: &str, changes: &[Change], after: Duration) -> Script {
        let feed = |script: Script, text: &str, mode: &str, path: &str| {
            let sink = Command::new("install").args(["-D", "-m", mode, "/dev/stdin", path]);
            script.feed(&Secret::new(text.to_owned()), &sink)
        };
        let new = self.file("undo.ocp2-new");
        let mut script = Script::new()
            .line(format_args!("systemctl stop --quiet {}.timer 2>/dev/null || true", self.timer()))
            .line(Command::new("rm").args(["-rf", &self.folder]))
            .line(Command::new("install").args(["-d", "-m", "700", &self.folder]));
        script = feed(script, undoing(changes).source(), "600", &new);
        script = feed(script, self.trigger().source(), "600", &self.file("run"));
        script = feed(script, &format!("{id}\n"), "600", &self.file("id"));
        script = feed(script, &self.unit_file(), "644", &self.unit);
        let (wants, units) = (parent(&self.wanted), parent(&self.unit));
        script
            .line(format_args!("[ -d {0} ] || install -d -m 755 {0}", quote(wants)))
            .line(Command::new("ln").args(["-sfn", &self.unit, &self.wanted]))
            .line(Command::new("mv").args([&new, &self.armed()]))
            // On the disk before the first change is.
            .line(
                Command::new("sync")
                    .args([&self.armed(), &self.file("run"), &self.file("id"), &self.unit])
                    .args([&self.folder, parent(&self.folder), wants, units]),
            )
            .line(
                Command::new("systemd-run")
                    .args(["--quiet", "--collect", "--timer-property=AccuracySec=100ms"])
                    .arg(format_args!("--unit={}", self.timer()))
                    .arg(format_args!("--description={}", self.description()))
                    .arg(format_args!("--on-active={}", after.as_secs()))
                    .args(["/bin/bash", &self.file("run")]),
            )
    }

    fn description(&self) -> String {
        format!("ocp2 undoes what could have cut the way in ({})", self.cluster)
    }

    fn unit_file(&self) -> String {
        format!(
            "# Made by ocp2; it goes with what it guards.\n\
             [Unit]\n\
             Description={}\n\
             DefaultDependencies=no\n\
             ConditionPathExists={folder}\n\
             RequiresMountsFor={folder} /etc\n\
             After=local-fs.target systemd-sysctl.service\n\
             Before=sysinit.target network-pre.target ocp2-{}-overlay.service shutdown.target\n\
             Conflicts=shutdown.target\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             ExecStart=/bin/bash {}\n",
            self.description(),
            self.cluster,
            self.file("run"),
            folder = self.folder,
        )
    }

    /// Returns what the timer runs, and the unit at boot.
    fn trigger(&self) -> Script {
        let (work, folder) = (quote(&self.work), quote(&self.folder));
        Script::new()
            .line("export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C")
            .line(format_args!("exec 6>>{work}"))
            // Nothing is changed any more once the undoing has begun: not even by who does not end.
            .line(format_args!("if ! flock -w {STEP_SECONDS} 6; then"))
            .line("  for process in /proc/[0-9]*; do")
            .line(format_args!(
                "    [ ! \"$process/fd/8\" -ef {work} ] || kill -KILL \"${{process#/proc/}}\" 2>/dev/null"
            ))
            .line("  done")
            .line("  flock 6")
            .line("fi")
            .line(format_args!("cd {folder} 2>/dev/null || exit 0"))
            .line("mv -f undo undoing 2>/dev/null")
            // One that a power cut has interrupted begins anew.
            .line("if [ -e undoing ]; then")
            .line("  bash undoing >output 2>&1")
            .line(self.tell("$(cat id)", "undone", "cat output").source().trim_end())
            .line("fi")
            .line("cd /")
            .line(self.clearing().source().trim_end())
    }

    /// Returns source that remembers what became of a probation.
    fn tell(&self, id: &str, word: &str, more: &str) -> Script {
        let (result, new) = (quote(&self.result), quote(&format!("{}.ocp2-new", self.result)));
        Script::new().line(format_args!("{{ echo \"{id} {word}\"; {more}; }} >{new}; mv -f {new} {result}"))
    }

    /// Returns source that leaves nothing on the disk.
    fn clearing(&self) -> Script {
        Script::new()
            .line(Command::new("rm").args(["-f", &self.wanted, &self.unit]))
            .line(Command::new("rm").args(["-rf", &self.folder]))
            .line(format_args!(
                "rmdir {} {} 2>/dev/null || true",
                quote(parent(&self.wanted)),
                quote(parent(&self.folder))
            ))
    }

    /// Returns source that keeps what was changed, unless the host has begun to undo it; it says what became
    /// of this very probation, however often it is asked.
    pub(super) fn confirmation(&self, id: &str) -> Script {
        let result = quote(&self.result);
        Script::new()
            .line(format_args!("exec 8>>{}; flock -w 5 8 || exit 1", quote(&self.work)))
            .line(format_args!(
                "if [ \"$(cat {} 2>/dev/null)\" = {} ]; then",
                quote(&self.file("id")),
                quote(id)
            ))
            // It was cut off, and begins again at the next boot.
            .line(format_args!("  [ ! -e {} ] || exit 1", quote(&self.file("undoing"))))
            .line(self.call_off().source().trim_end())
            .line("fi")
            .line(format_args!("{{ read -r known word; }} 2>/dev/null <{result} || exit {NEVER_ARMED}"))
            .line(format_args!("[ \"$known\" = {} ] || exit {NEVER_ARMED}", quote(id)))
            .line(format_args!("[ \"$word\" != confirmed ] || exit {CONFIRMED}"))
            .line(format_args!("tail -n +2 {result}; exit {UNDONE}"))
    }

    /// Returns source that calls the undoing off; it is to run with nobody else at work.
    pub(in crate::engine) fn call_off(&self) -> Script {
        let kept = self.file("kept");
        Script::new()
            .line(format_args!("mv -f {} {} 2>/dev/null", quote(&self.armed()), quote(&kept)))
            .line(format_args!("if [ -e {} ]; then", quote(&kept)))
            .line(
                self.tell(&format!("$(cat {})", quote(&self.file("id"))), "confirmed", "true")
                    .source()
                    .trim_end(),
            )
            .line(self.clearing().source().trim_end())
            .line(format_args!("sync {} {}", quote(parent(&self.folder)), quote(parent(&self.unit))))
            .line("fi")
            .line(format_args!("systemctl stop --quiet {}.timer 2>/dev/null || true", self.timer()))
    }

    /// Returns source that removes what the guard leaves in /run.
    pub(in crate::engine) fn forget(&self) -> Script {
        Script::new().line(Command::new("rm").args(["-f", &self.result]))
    }
}

/// Returns source that undoes changes, last one first; what fails does not keep the others.
fn undoing(changes: &[Change]) -> Script {
    let undos = changes.iter().rev().filter_map(|change| change.undo.as_ref());
    undos.fold(Script::new(), |script, undo| {
        script.line("( set -eu -o pipefail").line(undo.source().trim_end()).line(")")
    })
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(parent, _)| parent)
}

#[cfg(test)]
mod tests;
