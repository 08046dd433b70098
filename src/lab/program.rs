//! Programs of this machine: which ones the lab needs, and how they are run.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use super::LabError;

/// What the lab runs on, and the Debian package of each; the rest is in the hosts' own root.
const NEEDED: [(&str, &str); 8] = [
    ("ip", "iproute2"),
    ("mmdebstrap", "mmdebstrap"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
    ("setsid", "util-linux"),
    ("ssh-keygen", "openssh-client"),
    ("systemd-nspawn", "systemd-container"),
    ("unshare", "util-linux"),
];

/// Checks that the lab can work here at all: root, and every program there.
pub(super) fn check_machine() -> Result<(), LabError> {
    let own = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = own.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    if effective != Some("0") {
        return Err(LabError::NotRoot);
    }
    for (program, package) in NEEDED {
        if !on_path(program) {
            return Err(LabError::MissingProgram { program, package });
        }
    }
    Ok(())
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Starts a command line from its words; the first one is the program.
pub(super) fn program(words: &[&str]) -> Command {
    let mut command = Command::new(words.first().copied().unwrap_or("false"));
    command.args(words.get(1..).unwrap_or_default());
    command
}

/// Runs a program to its end and returns its standard output.
pub(super) fn run(words: &[&str]) -> Result<String, LabError> {
    output(program(words).stdin(Stdio::null()))
}

/// Runs a prepared command to its end and returns its standard output.
pub(super) fn output(command: &mut Command) -> Result<String, LabError> {
    let done = command.output().map_err(|source| LabError::Start { command: shown(command), source })?;
    if !done.status.success() {
        return Err(LabError::Program {
            command: shown(command),
            status: done.status,
            stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Starts a program that outlives this one, its output in `log`.
pub(super) fn start(command: &mut Command, log: &Path) -> Result<Child, LabError> {
    let file = std::fs::File::create(log).map_err(LabError::file("write", log))?;
    let same = file.try_clone().map_err(LabError::file("write", log))?;
    command.stdin(Stdio::null()).stdout(file).stderr(same);
    command.spawn().map_err(|source| LabError::Start { command: shown(command), source })
}

/// Returns the end of a log, the part that says why.
pub(super) fn tail(log: &Path) -> String {
    let said = std::fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
