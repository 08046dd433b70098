//! What happens while a command runs, as data; `ui` alone decides how it looks.

use std::{borrow::Cow, sync::Arc};

use crate::untrusted;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "event", rename_all_fields = "camelCase")]
pub enum Event {
    /// A host answered for the first time.
    Connected {
        /// Host.
        host: String,
    },
    /// A phase is looked at.
    Phase {
        /// Its name.
        phase: &'static str,
        /// What will be true afterwards.
        title: &'static str,
    },
    /// A host begins to carry out its changes of a phase.
    Applying {
        /// Host.
        host: String,
        /// How many.
        changes: usize,
    },
    /// A host begins one change.
    Step {
        /// Host.
        host: String,
        /// From 1.
        index: usize,
        /// How many there are.
        of: usize,
        /// Resource and what happens to it.
        text: String,
    },
    /// A program on a host said something.
    Output {
        /// Host.
        host: String,
        /// The line.
        line: String,
    },
    /// A phase is done.
    PhaseDone {
        /// Its name.
        phase: &'static str,
        /// Changes carried out on all hosts together.
        changed: usize,
    },
    /// Bytes are on their way to a host.
    Transfer {
        /// Host they go to.
        host: String,
        /// What they are.
        what: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
    },
    /// Something the cluster does itself is waited for.
    Waiting {
        /// What it hangs on.
        text: String,
    },
    /// A node, or the cluster as a whole, has come further by itself.
    Stage {
        /// Its short name.
        node: String,
        /// How far it is.
        text: String,
    },
    /// Something is wrong that does not mend itself; what is waited for is still waited for.
    Trouble {
        /// Who, and what is wrong.
        what: String,
        /// What the user can do.
        fix: String,
    },
    /// Something may not be as the user thinks it is; the run goes on.
    Warning {
        /// The sentence.
        text: String,
    },
    /// Something the user should know, though nothing is wrong.
    Note {
        /// The sentence.
        text: String,
    },
}

impl Event {
    /// Returns it with its texts as a terminal may be given them: hosts and their programs made them.
    #[must_use]
    pub fn shown(mut self) -> Self {
        for text in self.texts() {
            if let Cow::Owned(shown) = untrusted::shown(text) {
                *text = shown;
            }
        }
        self
    }

    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Connected { host } | Self::Applying { host, .. } => vec![host],
            Self::Step { host, text, .. } | Self::Output { host, line: text } => vec![host, text],
            Self::Transfer { host, what, .. } => vec![host, what],
            Self::Waiting { text } | Self::Note { text } | Self::Warning { text } => vec![text],
            Self::Stage { node, text } => vec![node, text],
            Self::Trouble { what, fix } => vec![what, fix],
            Self::Phase { .. } | Self::PhaseDone { .. } => Vec::new(),
        }
    }
}

/// Takes events as they happen; it may be called from several tasks.
pub type Sink = Arc<dyn Fn(Event) + Send + Sync>;
