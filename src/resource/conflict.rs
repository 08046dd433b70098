//! What is in the way and not ours.

/// Something that is already there and not ocp2's: never adopted, never overwritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{resource} is already there and not ocp2's: {found}")]
pub struct Conflict {
    /// The thing wanted.
    pub resource: String,
    /// What stands in its place.
    pub found: String,
    /// What the user can do.
    pub fix: String,
}
