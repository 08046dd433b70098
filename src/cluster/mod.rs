//! The inventory resolved: every address, name, size and placement, decided.
//!
//! Everything below is pure. What only a host can tell (the tunnel's address,
//! the MTU) comes in as [`Underlay`], seen or, offline, assumed.

mod address_plan;
mod assume;
mod decided;
mod identity;
mod installation;
mod model;
mod mtu;
mod placement;
mod resolve;
mod risks;
mod settings;
mod settled;
mod underlay;

pub use assume::{Assumed, assume, unseen};
pub use decided::{Decided, DecidedHost};
pub use identity::uuid;
pub use installation::{ImageDigestSource, Install, Method, MirrorKey, OsImage, Proxy};
pub use model::*;
pub use mtu::overhead;
pub use resolve::{Resolved, resolve, resolve_around};
pub use settled::{Settled, Trace};

pub use crate::inventory::{Role, TrustBundlePolicy};
