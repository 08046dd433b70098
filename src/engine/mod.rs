//! The loop: probe, changes, apply, probe again, on all hosts at once.
//!
//! A [`Fleet`] holds one session per host and what was last seen there. A
//! phase is converged by [`Fleet::converge`]; what happens meanwhile is told
//! as [`Event`]s, which `ui` shows.

mod apply;
mod error;
mod event;
mod fleet;
mod guard;
mod lock;
mod plan;
mod token;

pub use error::Error;
pub use event::{Event, Sink};
pub use fleet::{Fleet, Member};
pub use plan::{HostPlan, plan};
