//! What can be wanted on a host, one file per kind.
//!
//! A resource knows how it is asked about, how the answer reads, and which
//! [`Change`]s lead from what was seen to what is wanted. All of it is pure;
//! [`crate::host`] carries it out.

mod change;
pub mod hypervisor;

pub use change::{Action, Change, Detail};
