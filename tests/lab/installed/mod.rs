//! What is tried on one installed cluster, the shipped inventory's.
//!
//! They stand together so that they run one after the other: each would install
//! it anew after a test that took it down.

mod again;
mod dns;
mod drift;
mod growing;
mod install;
mod operators;
mod outside;
mod packets;
mod reboot;
