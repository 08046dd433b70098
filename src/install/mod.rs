//! OpenShift's own installer on the first host, and the waits for its milestones.
//!
//! The installer runs there and not on the workstation: its `wait-for` calls
//! nodes inside the overlay, and its image then travels from host to host.

mod advice;
pub mod api;
pub mod assisted;
mod boot_image;
mod credentials;
mod download;
mod encoded;
mod error;
mod first_host;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod gather;
mod image;
mod inputs;
mod installer;
pub mod kubeconfig;
mod obtain;
mod pem;
pub mod progress;
pub mod redact;
mod rendezvous;
mod signature;
mod spread;
pub mod trouble;
mod upi;
mod wait;
mod watch;

pub use boot_image::{release_boot_image, with_boot_image};
pub use credentials::{Credentials, fetch, write_private};
pub use error::Error;
pub use gather::gather;
pub use image::{bring_image, next_image_step};
pub use wait::{Milestone, wait};
