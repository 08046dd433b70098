//! What keeps the loop from its end.

use crate::{
    host,
    resource::{Conflict, FactsError},
};

/// A failure of the loop; where several hosts failed, all of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A host was not reached, or SSH or libvirt failed on it.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// A host's answer makes no sense.
    #[error("{host}: the probe's answer cannot be read")]
    Facts {
        /// Host.
        host: String,
        /// Why.
        source: FactsError,
    },
    /// Something is in the way that is not ocp2's.
    #[error("{host}: {conflict}")]
    Conflict {
        /// Host.
        host: String,
        /// What, and the fix.
        conflict: Conflict,
    },
    /// A change failed on a host.
    #[error("{host}: {step} failed with status {status}{}", indented(output))]
    Step {
        /// Host.
        host: String,
        /// The change.
        step: String,
        /// Exit status.
        status: i32,
        /// What it printed.
        output: String,
    },
    /// Everything was applied, and still something differs.
    #[error("{host}: after applying, this still differs: {}", remaining.join("; "))]
    Differs {
        /// Host.
        host: String,
        /// What.
        remaining: Vec<String>,
    },
    /// After a change no fresh connection came about, and the host undid it by itself.
    #[error(
        "{host}: undone by the host itself, for no new connection came about afterwards: {}{}",
        undone.join("; "), indented(output)
    )]
    Undone {
        /// Host.
        host: String,
        /// The changes, in the order they were made.
        undone: Vec<String>,
        /// What the undoing printed.
        output: String,
        /// What became of the new connection, where it was not just late.
        source: Option<Box<host::Error>>,
    },
    /// After a change no connection came about any more, though the host was to undo it.
    #[error("{host}: cannot be reached any more after: {}; it was to undo that by itself", changes.join("; "))]
    CutOff {
        /// Host.
        host: String,
        /// The changes, in the order they were made.
        changes: Vec<String>,
        /// What became of the new connection.
        source: Box<host::Error>,
    },
    /// Another run is at work.
    #[error("{host}: another ocp2 works on this cluster: {holder}")]
    Locked {
        /// Host.
        host: String,
        /// Who and since when.
        holder: String,
    },
    /// The user pressed Ctrl-C.
    #[error("interrupted; the same command carries on where this one stopped")]
    Interrupted,
    /// Several hosts failed.
    #[error("{} hosts failed", .0.len())]
    Several(Vec<Error>),
}

impl Error {
    /// Makes one error of several; `None` of none.
    #[must_use]
    pub fn collect(errors: Vec<Self>) -> Option<Self> {
        let mut errors = errors;
        if errors.len() > 1 { Some(Self::Several(errors)) } else { errors.pop() }
    }

    /// Returns the single failures.
    pub fn each(&self) -> Vec<&Self> {
        match self {
            Self::Several(errors) => errors.iter().flat_map(Self::each).collect(),
            single => vec![single],
        }
    }
}

/// Shows a program's output below the message.
fn indented(output: &str) -> String {
    output.trim().lines().fold(String::new(), |text, line| format!("{text}\n  {line}"))
}
