//! The story: the phases of a bring-up, and what each wants on every host.
//!
//! A phase is a function from (cluster, host, what is known of the host) to
//! resources, all of it pure. The phases from `image` on also have milestones,
//! whose outcome is a file on the first host; [`crate::install`] gets them done.

mod balancer;
mod begun;
mod bootstrap;
mod daemon;
mod derivation;
mod gateway;
mod heirs;
mod hosts;
mod ignition;
mod image;
pub mod installer_inputs;
mod leaving;
mod machines;
mod names;
mod neighbours;
mod overlay;
mod own_domain;
mod ownership;
mod phase;
mod place;
mod preflight;
mod readiness;
mod record;
mod release;
mod removal;
mod sighting;
mod signing;
mod storage;
mod strangers;
mod unread;

pub use begun::is_begun;
pub use bootstrap::retire;
pub use hosts::kvm_proof;
pub use ignition::{IgnitionError, ignition, ignition_file, own_files};
pub use image::{ImageRecord, ImageStep, frozen_inputs, image_folder, image_step};
pub use leaving::{KeptDisk, Leave, kept_disks, leave, leaving};
pub use machines::{domain, ignition_path, image_path};
pub use neighbours::RELAY_PORT;
pub use own_domain::own_domain;
pub use ownership::unfit;
pub use phase::{Phase, STORY, questions};
pub use place::Place;
pub use preflight::{Finding, preflight};
pub use readiness::{has_quorum, lacks, readiness_question};
pub use record::settled;
pub use release::{ReleaseRecord, release};
pub use removal::{Removal, departure, removal};
pub use sighting::{Sighting, sighting};
pub use signing::{Judgement, SigningRequest, judge};
pub use unread::unread;
