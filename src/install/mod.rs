//! OpenShift's own installer on the first host, and the waits for its milestones.
//!
//! The installer runs there and not on the workstation: its `wait-for` calls
//! nodes inside the overlay, and its image then travels from host to host.

mod credentials;
mod download;
mod error;
mod image;
mod installer;
mod obtain;
mod spread;
mod wait;

pub use credentials::{Credentials, fetch};
pub use error::Error;
pub use image::{bring_image, next_image_step};
pub use wait::{Milestone, wait};
