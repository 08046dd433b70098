//! The one place that maps errors to exit codes and prints them.

use std::{io::IsTerminal, process::ExitCode};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

use crate::{
    bringup::Finding,
    engine, host, install,
    inventory::{LoadError, Problems},
    lab, render,
    ui::{Color, Style, say},
};

/// Exit code of a command line that makes no sense.
pub(super) const USAGE: u8 = 2;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The inventory cannot be read or is wrong.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The inventory does not fit its hosts.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The hosts are not fit for the inventory.
    #[error("{}", if .0.len() == 1 { "a host is not ready".to_owned() } else { format!("the hosts are not ready: {} findings", .0.len()) })]
    NotReady(Vec<Finding>),
    /// The loop failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The installation failed.
    #[error(transparent)]
    Install(install::Error),
    /// A template could not be filled.
    #[error(transparent)]
    Render(#[from] render::Error),
    /// The lab failed.
    #[error(transparent)]
    Lab(#[from] lab::LabError),
    /// The workstation refused something.
    #[error("{what} failed: {source}")]
    Local {
        /// What was tried.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// A VM that was to power off is still on.
    #[error("{vm} is still on, {seconds} s after it was asked to power off")]
    StillOn {
        /// The VM.
        vm: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A master stays on, for etcd needs it while another one is not ready.
    #[error("{vm} is not restarted: {other} is not ready ({})", lacks.join("; "))]
    OtherNotReady {
        /// The master that was to be restarted.
        vm: String,
        /// The one that is not ready.
        other: String,
        /// What that one lacks.
        lacks: Vec<String>,
    },
    /// A restarted master did not become ready.
    #[error("{vm} is not ready {minutes} min after its restart ({})", lacks.join("; "))]
    NotBack {
        /// The master.
        vm: String,
        /// How long it was waited for.
        minutes: u64,
        /// What it lacks.
        lacks: Vec<String>,
    },
    /// The user said no.
    #[error("nothing was done")]
    Declined,
    /// `plan --check` found differences; they were printed.
    #[error("the hosts differ from the inventory")]
    Differs,
}

impl From<install::Error> for Failure {
    fn from(error: install::Error) -> Self {
        match error {
            install::Error::Engine(error) => Self::Engine(error),
            install::Error::Render(error) => Self::Render(error),
            other => Self::Install(other),
        }
    }
}

impl Failure {
    /// Returns the exit code the contract gives this failure.
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Load(_) | Self::Problems(_) | Self::NotReady(_) => 3,
            Self::Engine(error) => engine_code(error),
            Self::Install(install::Error::TimedOut { .. }) | Self::StillOn { .. } | Self::NotBack { .. } => 7,
            Self::Install(install::Error::Artefact { .. }) => 5,
            Self::Differs => 8,
            Self::Lab(error) if error.is_usage() => USAGE,
            Self::Install(_)
            | Self::Render(_)
            | Self::Lab(_)
            | Self::Local { .. }
            | Self::OtherNotReady { .. }
            | Self::Declined => 1,
        }
    }

    /// Prints the failure and returns its exit code.
    pub(super) fn report(&self, color: Color) -> ExitCode {
        let style = Style::new(color, std::io::stderr().is_terminal());
        let error = style.bad("error:");
        match self {
            Self::Differs => {}
            Self::Load(LoadError::Invalid(problems)) | Self::Problems(problems) => {
                for problem in problems.list() {
                    say(&diagnostic(problem, style));
                }
                say(&format!("{error} {self}"));
            }
            Self::NotReady(findings) => {
                for finding in findings {
                    say(&format!("{error} {}: {}", finding.host, finding.what));
                    say(&format!("  hint: {}", finding.fix));
                }
            }
            Self::Engine(several) => {
                for single in several.each() {
                    say(&format!("{error} {single}"));
                    causes(single);
                    if let Some(hint) = engine_hint(single) {
                        say(&format!("  hint: {hint}"));
                    }
                }
            }
            other => {
                say(&format!("{error} {other}"));
                causes(other);
                if let Some(hint) = hint(other) {
                    say(&format!("  hint: {hint}"));
                }
            }
        }
        ExitCode::from(self.code())
    }
}

fn causes(error: &dyn std::error::Error) {
    let mut source = error.source();
    while let Some(cause) = source {
        say(&format!("  caused by: {cause}"));
        source = cause.source();
    }
}

fn hint(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Usage(_) => Some("`ocp2 --help` shows the commands and options".into()),
        Failure::Load(error) => error.help().map(|help| help.to_string()),
        Failure::Install(install::Error::TimedOut { hint, .. }) => Some(hint.clone()),
        Failure::StillOn { vm, .. } => {
            Some(format!("`ocp2 vms restart --force {vm}` cuts its power if it must"))
        }
        Failure::OtherNotReady { other, .. } => Some(format!(
            "without both of them etcd may lose its quorum: see to {other} first (`ocp2 vms list`, `ocp2 vms start {other}`), then again"
        )),
        Failure::NotBack { vm, .. } => Some(format!(
            "no other VM is restarted meanwhile: look at {vm} on its console, and run the same command for the others once it is ready"
        )),
        Failure::Lab(error) => error.hint(),
        _ => None,
    }
}

fn engine_hint(error: &engine::Error) -> Option<String> {
    match error {
        engine::Error::Host(error) => error.hint(),
        engine::Error::Conflict { conflict, .. } => Some(conflict.fix.clone()),
        engine::Error::Step { .. } => {
            Some("mend the cause and run the same command again: it carries on here".into())
        }
        engine::Error::Undone { .. } => Some(
            "something on the host (another rule, a route) closes SSH together with this change: mend it there and run the same command again"
                .into(),
        ),
        engine::Error::CutOff { .. } => {
            Some("look at it on its console; the same command carries on once it can be reached".into())
        }
        engine::Error::Differs { .. } => {
            Some("something on the host puts it back; `ocp2 plan` shows the difference".into())
        }
        engine::Error::Locked { .. } => {
            Some("wait for it; the lock ends with its connection, or 40 s after its last sign of life".into())
        }
        _ => None,
    }
}

/// Several hosts failing differently: the lowest code.
fn engine_code(error: &engine::Error) -> u8 {
    match error {
        engine::Error::Host(error) => host_code(error),
        engine::Error::Conflict { .. } => 3,
        engine::Error::Facts { .. } | engine::Error::Step { .. } | engine::Error::Undone { .. } => 5,
        engine::Error::CutOff { .. } => 4,
        engine::Error::Differs { .. } => 6,
        engine::Error::Locked { .. } => 1,
        engine::Error::Interrupted => 130,
        engine::Error::Several(errors) => errors.iter().map(engine_code).min().unwrap_or(1),
    }
}

fn host_code(error: &host::Error) -> u8 {
    match error {
        host::Error::LockLost { .. } => 1,
        error if error.is_access() => 4,
        _ => 5,
    }
}

fn diagnostic(problem: &dyn Diagnostic, style: Style) -> String {
    let theme = if style.is_on() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = GraphicalReportHandler::new_themed(theme).with_links(false).render_report(&mut text, problem);
    text
}
