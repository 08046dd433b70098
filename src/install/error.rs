//! What keeps OpenShift from being installed.

use crate::{engine, host, render};

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
    #[error("{milestone} did not complete: {reason}")]
    TimedOut {
        /// Which.
        milestone: &'static str,
        /// The installer's last words.
        reason: String,
        /// Where to look.
        hint: String,
    },
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        Self::Engine(error.into())
    }
}
