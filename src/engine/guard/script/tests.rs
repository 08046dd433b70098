//! The guard's scripts, by bash, on a disk of their own.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::*;

/// A host: its root, and what stands in for its systemd.
struct Host {
    root: TempDir,
    guard: Guard,
}

impl Host {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let guard = Guard::below(&root.path().display().to_string(), "c");
        for folder in ["etc/systemd/system", "run", "bin", "var/lib"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for program in ["systemctl", "systemd-run"] {
            let path = root.path().join("bin").join(program);
            fs::write(&path, "#!/bin/sh\necho \"$(basename $0) $*\" >> $(dirname $0)/asked\n").unwrap();
            assert!(Command::new("chmod").arg("755").arg(&path).status().unwrap().success());
        }
        fs::write(root.path().join("etc/setting"), "0\n").unwrap();
        Self { root, guard }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn start(&self, script: &Script) -> Child {
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.path("bin").display());
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(script.source()).env("PATH", path);
        bash.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn run(&self, script: &Script) -> Output {
        self.start(script).wait_with_output().unwrap()
    }

    /// Arms the undoing of a setting that is to become 1, and makes it so.
    fn change(&self, id: &str) {
        let setting = self.path("etc/setting");
        let undo = Script::new().line(format_args!("echo undoing; echo 0 > {}", setting.display()));
        // One that fails does not keep the others from being undone.
        let changes = [Some(undo), Some(Script::new().line("false; echo never"))]
            .map(|undo| Change::shell("x".into(), "y", Script::new()).undone_by(undo));
        let armed = self.run(&self.guard.arm(id, &changes, Duration::from_secs(55)));
        assert!(armed.status.success(), "{armed:?}");
        fs::write(setting, "1\n").unwrap();
        let asked = fs::read_to_string(self.path("bin/asked")).unwrap();
        assert!(asked.contains("--on-active=55 /bin/bash "), "{asked}");
    }

    /// Runs what the timer runs, or systemd at boot by what is enabled in the unit's folder.
    fn fire(&self) {
        let unit =
            fs::read_to_string(self.path("etc/systemd/system/sysinit.target.wants/ocp2-c-guard.service"));
        let start = unit.unwrap().lines().find_map(|line| line.strip_prefix("ExecStart=").map(str::to_owned));
        assert!(self.run(&Script::new().line(start.unwrap())).status.success());
    }

    /// Loses the power: what is in /run is gone, and the host boots.
    fn lose_power(&self) {
        fs::remove_dir_all(self.path("run")).unwrap();
        fs::create_dir(self.path("run")).unwrap();
        if self.path("etc/systemd/system/sysinit.target.wants").exists() {
            self.fire();
        }
    }

    fn confirm(&self, id: &str) -> (Option<i32>, String) {
        let output = self.run(&self.guard.confirmation(id));
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn setting(&self) -> String {
        fs::read_to_string(self.path("etc/setting")).unwrap().trim().to_owned()
    }

    /// Demands that nothing of the guard's is on the disk.
    fn is_clean(&self) {
        let left: Vec<_> = ["var/lib", "etc/systemd/system"]
            .iter()
            .flat_map(|folder| fs::read_dir(self.path(folder)).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_confirmation_is_remembered_for_who_did_not_hear_the_answer() {
    let host = Host::new();
    host.change("one");
    assert_eq!(host.confirm("one"), (Some(CONFIRMED), String::new()));
    // The answer was lost.
    assert_eq!(host.confirm("one"), (Some(CONFIRMED), String::new()));
    assert_eq!(host.setting(), "1");
    host.is_clean();
    assert!(host.run(&host.guard.forget()).status.success());
    assert_eq!(host.confirm("one").0, Some(NEVER_ARMED));
}

#[test]
fn what_was_undone_is_never_confirmed() {
    let host = Host::new();
    host.change("one");
    host.fire();
    assert_eq!(host.setting(), "0");
    host.is_clean();
    for _ in 0..2 {
        assert_eq!(host.confirm("one"), (Some(UNDONE), "undoing\n".to_owned()));
    }
    assert_eq!(host.setting(), "0");
}

#[test]
fn a_confirmation_of_another_probation_confirms_nothing() {
    let host = Host::new();
    assert_eq!(host.confirm("one").0, Some(NEVER_ARMED), "nothing was ever armed");
    host.change("one");
    assert_eq!(host.confirm("other").0, Some(NEVER_ARMED));
    host.fire();
    assert_eq!(host.setting(), "0");
    // A later one does not answer for an earlier one.
    host.change("two");
    assert_eq!(host.confirm("two").0, Some(CONFIRMED));
    assert_eq!(host.confirm("one").0, Some(NEVER_ARMED));
}

#[test]
fn a_power_cut_before_the_confirmation_undoes_the_changes_at_boot() {
    let host = Host::new();
    host.change("one");
    host.lose_power();
    assert_eq!(host.setting(), "0");
    assert_eq!(host.confirm("one"), (Some(UNDONE), "undoing\n".to_owned()));
    host.is_clean();
}

#[test]
fn a_power_cut_within_the_undoing_undoes_the_rest_at_boot() {
    let host = Host::new();
    host.change("one");
    let armed = PathBuf::from(host.guard.armed());
    fs::rename(&armed, armed.with_file_name("undoing")).unwrap();
    assert_eq!(host.confirm("one").0, Some(1), "it is neither");
    host.lose_power();
    assert_eq!((host.setting().as_str(), host.confirm("one").0), ("0", Some(UNDONE)));
    host.is_clean();
}

#[test]
fn a_power_cut_after_the_confirmation_undoes_nothing() {
    let host = Host::new();
    host.change("one");
    assert_eq!(host.confirm("one").0, Some(CONFIRMED));
    host.lose_power();
    assert_eq!(host.setting(), "1");
    // Cut off between the decision and the word of it.
    host.change("two");
    let armed = PathBuf::from(host.guard.armed());
    fs::rename(&armed, armed.with_file_name("kept")).unwrap();
    assert_eq!(host.confirm("two").0, Some(CONFIRMED));
    host.change("three");
    fs::rename(&armed, armed.with_file_name("kept")).unwrap();
    host.lose_power();
    assert_eq!(host.setting(), "1");
    host.is_clean();
}

#[test]
fn what_is_armed_is_called_off_by_a_later_run() {
    let host = Host::new();
    host.change("one");
    assert!(host.run(&host.guard.call_off()).status.success());
    host.is_clean();
    assert_eq!((host.setting().as_str(), host.confirm("one").0), ("1", Some(CONFIRMED)));
    assert!(
        fs::read_to_string(host.path("bin/asked"))
            .unwrap()
            .contains("systemctl stop --quiet ocp2-c-undo.timer")
    );
}

#[test]
fn a_step_that_does_not_end_changes_nothing_after_the_undoing() {
    let host = Host::new();
    host.change("one");
    let (up, changed) = (host.path("up"), host.path("etc/setting"));
    let source = format!(
        "exec 8>>{}; flock -s 8; touch {}; sleep 60; echo 1 > {}",
        host.path("run/ocp2-c.work").display(),
        up.display(),
        changed.display()
    );
    let mut step = host.start(&Script::new().line(source));
    let begin = Instant::now();
    while !up.exists() {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(5));
    }
    // Nobody confirms within a step either.
    assert_eq!(host.confirm("one").0, Some(1));
    host.fire();
    assert!(step.try_wait().unwrap().is_some_and(|status| !status.success()), "it goes on");
    assert_eq!((host.setting().as_str(), host.confirm("one").0), ("0", Some(UNDONE)));
}
