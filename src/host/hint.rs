//! What to do about what goes wrong on the way to a host and on it.

use super::Error;
use crate::command::quote;

impl Error {
    /// Returns what the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::HostKeyUnknown { address, .. } => format!(
                "compare the fingerprint on the host (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), \
                 then connect once with ssh to {address}, or run ocp2 on a terminal and answer yes"
            ),
            Self::HostKeyChanged { address, file, .. } => format!(
                "somebody may be listening in; if the host was reinstalled: \
                 ssh-keygen -f {} -R {}",
                quote(&file.display().to_string()),
                quote(address)
            ),
            Self::HostKeyRevoked { .. } => {
                String::from("give the host a new key; this one is not to be used")
            }
            Self::AuthenticationFailed { user, host, address, .. } => format!(
                "let a key in: ssh-copy-id {user}@{address}, or name one with `identityFile` under `ssh` of {host}; \
                 ocp2 logs in by key only"
            ),
            Self::SudoRefused { user, .. } => format!(
                "log in as root, or let {user} use sudo without a password: \
                 echo '{user} ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/ocp2"
            ),
            Self::NoBash { .. } => String::from("install bash"),
            Self::LockLost { .. } => String::from(
                "nothing more was done there since; the same command carries on, once no other run is at work",
            ),
            Self::Silent { host, .. } => format!(
                "look at what keeps {host} busy, or at what its login shell and sudo wait for; \
                 `--timeout 10m` waits longer"
            ),
            Self::TooMuch { host, .. } => format!(
                "log in to {host} by hand and see what prints there: a login shell's start-up file, or a command that \
                 does not do what its name says"
            ),
            Self::ChannelRefused { .. } => {
                String::from("look at MaxSessions and AllowTcpForwarding in the host's sshd_config")
            }
            Self::RelayFailed { from, address, port, .. } => format!(
                "`ocp2 plan` shows what differs on the overlay; a firewall of {from}'s must let TCP {port} in \
                 to {address}, and the tunnel's packets must pass between the hosts; the same command carries on"
            ),
            Self::HypervisorMissing { .. } => String::from(
                "install libvirt-daemon-system (apt) or libvirt-daemon-driver-qemu and libvirt-daemon (dnf), \
                 and start libvirtd or virtqemud",
            ),
            _ => return None,
        })
    }
}
