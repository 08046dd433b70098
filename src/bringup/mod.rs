//! The story: the phases of a bring-up, and what each wants on every host.

pub mod installer_inputs;
