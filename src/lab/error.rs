//! What can go wrong with the lab, with the fields and the hint a reader needs.

use std::{io, path::PathBuf, process::ExitStatus};

/// A failure of the lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Namespaces, mounts and containers need root.
    #[error("the lab needs root: it makes network namespaces, mounts and containers")]
    NotRoot,
    /// A program of this machine is missing.
    #[error("{program} is not installed")]
    MissingProgram {
        /// The program's name.
        program: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// The machine's own package sources name no Debian suite to build hosts from.
    #[error("the apt sources of this machine name no suite {codename}")]
    NoAptSource {
        /// The machine's release, `bookworm`.
        codename: String,
    },
    /// The number of hosts is out of range.
    #[error("the lab has room for 1 to {most} hosts, not {wanted}")]
    HostCount {
        /// What was asked for.
        wanted: u8,
        /// What the documentation network has room for.
        most: u8,
    },
    /// The machine does not let so many systemds watch files; those that may not hang while they boot.
    #[error("{hosts} hosts need {needed} inotify instances, and this machine allows {allowed}")]
    TooFewInstances {
        /// How many hosts are to boot.
        hosts: usize,
        /// What they take.
        needed: usize,
        /// `fs.inotify.max_user_instances`.
        allowed: usize,
    },
    /// The lab is up, but not as asked.
    #[error("the lab is already up, with {found}; asked for: {wanted}")]
    UpDifferently {
        /// What there is.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// Something needs a lab that is up.
    #[error("the lab is not up")]
    NotUp,
    /// `down` would end the very process that runs it.
    #[error("this command runs inside the lab")]
    Inside,
    /// No place of this name.
    #[error("the lab has no {name:?}, only {}", known.join(", "))]
    UnknownPlace {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The host's container is not running.
    #[error("host {host} is off")]
    HostOff {
        /// Its name.
        host: String,
    },
    /// Another `ocp2 lab` command holds the lab's lock.
    #[error("another `ocp2 lab` command is at work")]
    Busy,
    /// A file could not be read or written.
    #[error("cannot {action} {path}")]
    File {
        /// `read`, `write`, `remove`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start `{command}`")]
    Start {
        /// Its command line.
        command: String,
        /// The system's words.
        source: io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed ({status}): {}", stderr.trim())]
    Program {
        /// Its command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// All it said on standard error.
        stderr: String,
    },
    /// A recipe's build failed.
    #[error("building {what} failed ({status})\n{tail}")]
    Build {
        /// What was being built.
        what: String,
        /// How the recipe ended.
        status: ExitStatus,
        /// The end of its output.
        tail: String,
        /// The whole of it.
        log: PathBuf,
    },
    /// A host's container ended while it booted.
    #[error("{host} did not boot\n{tail}")]
    Boot {
        /// Its name.
        host: String,
        /// The end of what is on its console.
        tail: String,
        /// The whole of it.
        log: PathBuf,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {seconds} s")]
    Timeout {
        /// What was waited for, as a noun: "the answer of bm1's sshd".
        what: String,
        /// How long.
        seconds: u64,
        /// Where to look.
        log: PathBuf,
    },
    /// `down` could not end these processes.
    #[error("processes of the lab are still there: {}", list(pids))]
    Left {
        /// Their ids.
        pids: Vec<u32>,
    },
}

impl LabError {
    /// Returns what the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotRoot => Some("run it with sudo".into()),
            Self::MissingProgram { package, .. } => Some(format!("apt-get install {package}")),
            Self::NoAptSource { .. } => Some("the lab builds its hosts from the machine's own Debian".into()),
            Self::TooFewInstances { needed, .. } => {
                // Whatever else root runs takes some, too.
                Some(format!("sysctl -w fs.inotify.max_user_instances={}", needed * 2))
            }
            Self::UpDifferently { .. } => Some("run `ocp2 lab down` first".into()),
            Self::NotUp | Self::HostOff { .. } => Some("run `ocp2 lab up`".into()),
            Self::Inside => Some("run it outside, not by `ocp2 lab exec`".into()),
            Self::Build { log, .. } | Self::Boot { log, .. } | Self::Timeout { log, .. } => {
                Some(format!("see {}", log.display()))
            }
            Self::HostCount { .. }
            | Self::UnknownPlace { .. }
            | Self::Busy
            | Self::File { .. }
            | Self::Start { .. }
            | Self::Program { .. }
            | Self::Left { .. } => None,
        }
    }

    /// Tells whether the command itself was wrong, as opposed to the machine.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::HostCount { .. } | Self::UnknownPlace { .. })
    }

    /// Wraps an I/O error of one file.
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}

fn list(pids: &[u32]) -> String {
    pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
