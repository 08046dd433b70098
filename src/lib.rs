//! ocp2: OpenShift on two (or more) bare-metal Linux servers, as VMs on one
//! stretched L2 network, brought up by one command over SSH.
//!
//! The rooms, in reading order:
//!
//! - [`inventory`] is the YAML as the user wrote it, with line and column of every field.
//! - [`cluster`] is the inventory resolved: addresses, MACs, placement, the MTU ladder.
//! - [`resource`] holds one file per kind of thing on a host: what is wanted, how it is
//!   seen, and which changes lead from one to the other.
//! - [`bringup`] tells the story: the phases, and what each wants on every host.
//! - [`render`] fills templates, strictly.
//! - [`engine`] is the loop: probe, changes, apply, probe again. It emits events.
//! - [`host`] obeys: SSH, sudo, transfer, libvirt.
//! - [`install`] runs the OpenShift installer and waits for the cluster's own milestones.
//! - [`ui`] turns events into bars, plain lines or JSON.
//! - [`cli`] has one file per command, and the one place that maps errors to exit codes.
//! - [`lab`] is the rehearsal: real hosts on this one machine, and a stand-in release.
//! - [`address`], [`command`], [`secret`] and [`untrusted`] are leaves that any room may use.
//!
//! The core (`inventory`, `cluster`, `resource`, `render`, `bringup`) is pure: no
//! tokio, no SSH, no libvirt, no clock. `tests/fast/layers.rs` reads the sources and
//! holds the house to that.

pub mod address;
pub mod command;
pub mod secret;
pub mod untrusted;

pub mod bringup;
pub mod cli;
pub mod cluster;
pub mod engine;
pub mod host;
pub mod install;
pub mod inventory;
pub mod lab;
pub mod render;
pub mod resource;
pub mod ui;
