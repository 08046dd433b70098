//! A change is data: `plan` prints it, `up` executes the same value.

use similar::TextDiff;

use crate::{
    command::Script,
    resource::{Owned, Scope, hypervisor},
};

/// One step from what was seen to what is wanted.
#[derive(Debug, Clone)]
pub struct Change {
    /// The thing, as one names it: `bridge br-vm`, `file /etc/ocp2/ocp/haproxy.cfg`.
    pub resource: String,
    /// What happens to it, in a few words: `create`, `mtu 1500 → 1400`.
    pub summary: String,
    /// Fields or text that differ.
    pub details: Vec<Detail>,
    /// How it is done.
    pub action: Action,
    /// How much of the host has to be asked again after it.
    pub touches: Scope,
    /// For a change that could cut the way in: bash source that puts back what was there before.
    pub undo: Option<Script>,
    /// What it makes, which is written down on the host before.
    pub makes: Vec<Owned>,
}

/// One difference, shown by `plan`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Detail {
    /// A field with its two values; `None` where there is nothing.
    Field {
        /// Name of the field.
        name: String,
        /// Value seen.
        from: Option<String>,
        /// Value wanted.
        to: Option<String>,
    },
    /// A unified diff of a text.
    Diff {
        /// The diff itself.
        text: String,
    },
}

/// How a change is carried out.
#[derive(Debug, Clone)]
pub enum Action {
    /// Bash source, run as root with `set -eu -o pipefail`; running it twice does no harm.
    Shell(Script),
    /// A call to the host's libvirt.
    Hypervisor(hypervisor::Call),
    /// Nothing ocp2 may do unasked; the text says what the user can do.
    Manual(String),
}

impl Change {
    /// Makes a change carried out by shell source.
    #[must_use]
    pub fn shell(resource: String, summary: &str, script: Script) -> Self {
        Self::new(resource, summary, Action::Shell(script))
    }

    /// Makes a change carried out by libvirt.
    #[must_use]
    pub fn hypervisor(resource: String, summary: &str, call: hypervisor::Call) -> Self {
        Self::new(resource, summary, Action::Hypervisor(call))
    }

    /// Makes a change that is left to the user.
    #[must_use]
    pub fn manual(resource: String, summary: &str, advice: String) -> Self {
        Self::new(resource, summary, Action::Manual(advice))
    }

    fn new(resource: String, summary: &str, action: Action) -> Self {
        let (summary, details, makes) = (summary.to_owned(), Vec::new(), Vec::new());
        Self { resource, summary, details, action, touches: Scope::Whole, undo: None, makes }
    }

    /// Tells whether it is left to the user.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self.action, Action::Manual(_))
    }

    /// Says that it touches nothing but what a look of this scope asks.
    #[must_use]
    pub fn within(mut self, scope: Scope) -> Self {
        self.touches = scope;
        self
    }

    /// Says what it makes.
    #[must_use]
    pub fn making(mut self, made: impl IntoIterator<Item = Owned>) -> Self {
        self.makes.extend(made);
        self
    }

    /// Adds the differences that are the reason for the change.
    #[must_use]
    pub fn because(mut self, details: Vec<Detail>) -> Self {
        self.details = details;
        self
    }

    /// Adds what puts back the state before, for a change that could cut the way in.
    #[must_use]
    pub fn undone_by(mut self, undo: Option<Script>) -> Self {
        self.undo = undo;
        self
    }
}

impl Detail {
    /// Compares one field; `None` where it is as wanted.
    #[must_use]
    pub fn field(name: &str, from: Option<&str>, to: &str) -> Option<Self> {
        (from != Some(to)).then(|| Self::Field {
            name: name.to_owned(),
            from: from.map(str::to_owned),
            to: Some(to.to_owned()),
        })
    }

    /// Makes a unified diff of two texts.
    #[must_use]
    pub fn diff(path: &str, from: &str, to: &str) -> Self {
        let text =
            TextDiff::from_lines(from, to).unified_diff().context_radius(2).header(path, path).to_string();
        Self::Diff { text }
    }

    /// Returns the difference in a few words, for summaries.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Field { name, from, to } => {
                let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
                format!("{name} {} → {}", shown(from), shown(to))
            }
            Self::Diff { .. } => "content".into(),
        }
    }
}
