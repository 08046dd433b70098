//! The rehearsal: real hosts on this one Linux machine, and a stand-in release.
//!
//! A host is a systemd container with a network namespace of its own: real
//! sshd, libvirtd, QEMU, `HAProxy`, dnsmasq and nftables. Beside the hosts there
//! is a workstation, where `ocp2` runs, and an internet with public DNS and a
//! release mirror. What the mirror serves is a stand-in and says so.
//!
//! Every host has IPv6 beside IPv4, sshd on ports 22 and 2222, and the user `ops` with
//! passwordless sudo. On demand it has a second card on a network that the workstation is not
//! on (a host is then reached there through another one only), or all public addresses are
//! behind 1:1 NAT.
//!
//! The room does its work with the machine's own programs and blocks while they
//! run: call it off the async threads.

mod apt;
mod container;
mod down;
mod error;
mod exec;
mod group;
mod identity;
mod internet;
mod network;
mod place;
mod process;
mod program;
mod reboot;
mod recipe;
mod release;
mod status;
mod up;

pub use down::down;
pub use error::LabError;
pub use exec::exec;
pub use place::{Home, Host, MOST_HOSTS, Wiring};
pub use reboot::reboot;
pub use status::{Record, Status, status};
pub use up::{Order, Outcome, up};
