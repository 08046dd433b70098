//! The inventory resolved: every address, name, size and placement, decided.
//!
//! Everything below is pure. What only a host can tell (the tunnel's address,
//! the MTU) comes in as [`Underlay`], seen or, offline, assumed.

mod model;

pub use model::*;
