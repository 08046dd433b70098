//! What keeps OpenShift from being installed.

use crate::{engine, host, install::trouble::Trouble, render};

/// A failure of the installation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A host or a step on it failed.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// A template could not be filled.
    #[error(transparent)]
    Render(#[from] render::Error),
    /// What the installer left is not what it should be.
    #[error("{host}: {path}: {reason}")]
    Artefact {
        /// Host.
        host: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file on the workstation could not be read or written.
    #[error("{path}: {source}")]
    Local {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A wait ended without what was waited for.
    #[error("{milestone} did not complete: {reason}{}", listed(troubles))]
    TimedOut {
        /// Which.
        milestone: &'static str,
        /// The installer's last words.
        reason: String,
        /// What was wrong when it gave up.
        troubles: Vec<Trouble>,
        /// Where to look.
        hint: String,
    },
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        Self::Engine(error.into())
    }
}

/// Shows each trouble with its fix below the message.
fn listed(troubles: &[Trouble]) -> String {
    troubles.iter().map(|trouble| format!("\n  - {}\n    {}", trouble.what, trouble.fix)).collect()
}
