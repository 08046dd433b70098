//! A host over SSH. This room obeys; it does not decide.
//!
//! - [`Target`] says where a host is; the rest comes from `~/.ssh/config`, as `ssh -G` resolves it.
//! - [`Session`] is one verified, authenticated SSH connection: it runs scripts as root, reads
//!   and sends files, and opens TCP connections from the host.
//! - [`relay`] lets a file go from host to host without passing this machine; [`relay_upload`] does so
//!   while it goes up.
//! - [`Keyring`] asks the user ([`Ask`]) what only the user can know, and remembers the answer.
//! - A [`Lease`] is the lock of the run a session is of: without it nothing is done on the host.
//! - [`Error`] says which host, what happened and how to put it right.

mod ask;
mod authentication;
mod bounds;
mod channel;
mod clock;
mod configuration;
mod connection;
mod dial;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod hint;
mod hypervisor;
mod identity;
mod jump;
mod known_hosts;
mod lanes;
mod lease;
mod output;
mod pipe;
mod preamble;
mod process;
mod relay;
mod run;
mod session;
mod short_scalar;
mod sink;
mod target;
mod tokens;
mod transfer;
mod trust;
mod upload;

pub use ask::{Ask, Keyring, Refuse, UnknownKey};
pub use bounds::Bounds;
pub use clock::{Clock, uptime};
pub use error::Error;
pub use hypervisor::Hypervisor;
pub use lease::{Fence, Lease, REFUSAL, REFUSED};
pub use output::Output;
pub use process::Process;
pub use relay::{Parcel, Stop, Uploaded, relay, relay_upload};
pub use session::Session;
pub use target::{ANSWER, Target};
pub use transfer::Digest;
