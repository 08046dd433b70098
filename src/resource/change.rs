//! A change is data: `plan` prints it, `up` executes the same value.

use crate::{command::Script, resource::hypervisor};

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
    /// Bash source, run as root with `set -eu -o pipefail`.
    Shell(Script),
    /// A call to the host's libvirt.
    Hypervisor(hypervisor::Call),
    /// Nothing ocp2 may do unasked; the text says what the user can do.
    Manual(String),
}
