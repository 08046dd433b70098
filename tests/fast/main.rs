//! The fast tests: the pure core, what it renders, and the command line.
//!
//! One crate, for every integration test of its own would link for seconds.
//! They need root (or sudo) and the programs that read what ocp2 renders (haproxy,
//! dnsmasq-base, nftables, libvirt-clients, libxml2-utils, systemd, iproute2, python3-yaml); a
//! program that is missing fails its tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod assisted;
mod balancer;
mod changes;
mod cli;
mod dnf;
mod durable;
mod extended;
mod facts;
mod filters;
mod inventories;
mod kernel;
mod kubeconfig;
mod layers;
mod leaving;
mod packages;
mod programs;
mod readers;
mod redaction;
mod signing;
mod standin;
mod story;
mod strangers;
mod upi;
mod waiting;
mod wanted;
