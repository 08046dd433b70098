//! End-to-end tests on real hosts: the lab's systemd containers with real sshd,
//! libvirt, QEMU, HAProxy, dnsmasq and kernel VXLAN; OpenShift is a stand-in.
//!
//! They need root and run one at a time (`make test`). Each begins by running
//! `ocp2 up`, which is quick where nothing differs, so any of them can be run alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bare;
mod clusters;
mod dhcp;
mod disconnected;
mod down;
mod downloads;
mod drift;
mod first_start;
mod fleet;
mod footprint;
mod growth;
mod guard;
mod images;
mod installed;
mod interruption;
mod lock;
mod mesh;
mod neighbours;
mod proxy;
mod refusals;
mod reload;
mod roundtrips;
mod stage;
mod upi;
mod waits;
mod ways;
