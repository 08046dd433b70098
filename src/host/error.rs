//! What can go wrong on the way to a host and on it.

use std::path::{Path, PathBuf};

use super::Digest;

/// A failure on one host. Every variant says which.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// `ssh -G` refuses the configuration, or it asks for something ocp2 cannot do.
    #[error("{host}: the SSH configuration does not work: {reason}")]
    Configuration {
        /// Host.
        host: String,
        /// What `ssh` said.
        reason: String,
    },
    /// No SSH connection came about.
    #[error("{host}: cannot reach {address}: {reason}")]
    Unreachable {
        /// Host.
        host: String,
        /// Address and port that were tried.
        address: String,
        /// Why.
        reason: String,
    },
    /// No `known_hosts` file has a key of this host, and nobody said it may be trusted.
    #[error("{host}: the host key of {address} is not known: {algorithm} {fingerprint}")]
    HostKeyUnknown {
        /// Host.
        host: String,
        /// Name a key would be recorded under.
        address: String,
        /// Type of the key.
        algorithm: String,
        /// Its fingerprint.
        fingerprint: String,
    },
    /// The host has another key than the recorded one.
    #[error(
        "{host}: the host key of {address} has changed to {algorithm} {fingerprint}; \
         {}:{line} has another", file.display()
    )]
    HostKeyChanged {
        /// Host.
        host: String,
        /// Name the key is recorded under.
        address: String,
        /// Type of the key the host showed.
        algorithm: String,
        /// Its fingerprint.
        fingerprint: String,
        /// File with the recorded key.
        file: Box<Path>,
        /// Line of the recorded key.
        line: usize,
    },
    /// The host's key is marked `@revoked`.
    #[error("{host}: the host key of {address} is revoked in {}:{line}: {fingerprint}", file.display())]
    HostKeyRevoked {
        /// Host.
        host: String,
        /// Name the key is recorded under.
        address: String,
        /// Fingerprint of the key.
        fingerprint: String,
        /// File that revokes it.
        file: PathBuf,
        /// Line that revokes it.
        line: usize,
    },
    /// The host took none of the keys.
    #[error("{host}: {user} cannot log in to {address}: {}", tried.join("; "))]
    AuthenticationFailed {
        /// Host.
        host: String,
        /// Name or address of the host.
        address: String,
        /// User that was tried.
        user: String,
        /// What was tried, and what became of it.
        tried: Vec<String>,
    },
    /// The login works, but no command can be run.
    #[error("{host}: {user} can log in but not run commands: {reason}")]
    LoginRefused {
        /// Host.
        host: String,
        /// User.
        user: String,
        /// What came instead.
        reason: String,
    },
    /// The user is not root, and sudo wants a password or refuses.
    #[error("{host}: {user} cannot become root: {reason}")]
    SudoRefused {
        /// Host.
        host: String,
        /// User.
        user: String,
        /// What sudo said.
        reason: String,
    },
    /// The host has no bash.
    #[error("{host}: bash does not run: {reason}")]
    NoBash {
        /// Host.
        host: String,
        /// What came instead.
        reason: String,
    },
    /// The connection ended while something was under way.
    #[error("{host}: the connection was lost: {reason}")]
    ConnectionLost {
        /// Host.
        host: String,
        /// Why, as far as it is known.
        reason: String,
    },
    /// The lock that this run held on the host is another run's now, or nobody's.
    #[error("{host}: this run has lost its lock: {reason}")]
    LockLost {
        /// Host.
        host: String,
        /// To whom, or why.
        reason: String,
    },
    /// The host is there, and what it was asked for does not come.
    #[error("{host}: no answer within {seconds} s: {what}")]
    Silent {
        /// Host.
        host: String,
        /// How far it got.
        what: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The host says more than any answer has.
    #[error("{host}: it printed more than {limit} bytes: {what}")]
    TooMuch {
        /// Host.
        host: String,
        /// How far it got.
        what: String,
        /// The most that is read.
        limit: usize,
    },
    /// The host's sshd does not open another channel, or not of this kind.
    #[error("{host}: sshd refuses {what}: {reason}")]
    ChannelRefused {
        /// Host.
        host: String,
        /// What was asked for.
        what: String,
        /// What it answered.
        reason: String,
    },
    /// A script ended with another status than 0.
    #[error("{host}: {what} failed with status {status}{}", last_line(stderr))]
    CommandFailed {
        /// Host.
        host: String,
        /// What was tried.
        what: String,
        /// Exit status.
        status: i32,
        /// All of standard error.
        stderr: String,
    },
    /// A file that was asked for is not there.
    #[error("{host}: there is no {path}")]
    NoFile {
        /// Host.
        host: String,
        /// Path of the file.
        path: String,
    },
    /// A file is larger than it may be.
    #[error("{host}: {path} has more than {limit} bytes")]
    TooLarge {
        /// Host.
        host: String,
        /// Path of the file.
        path: String,
        /// The most that was asked for.
        limit: usize,
    },
    /// A file arrived with another content than it was sent with.
    #[error("{host}: {path} arrived as {} bytes with SHA-256 {}, not {} bytes with {}",
        arrived.size, arrived.sha256, wanted.size, wanted.sha256)]
    Corrupt {
        /// Host.
        host: String,
        /// Path it was sent to; what arrived is beside it, as `.part`.
        path: String,
        /// What was sent.
        wanted: Box<Digest>,
        /// What arrived.
        arrived: Box<Digest>,
    },
    /// A host did not get a file from another one over the overlay.
    #[error("{host}: {path} does not come from {from} ({address} port {port}) over the overlay: {reason}")]
    RelayFailed {
        /// Host that was to get it.
        host: String,
        /// Path of the file on both.
        path: String,
        /// Host that was to give it.
        from: String,
        /// Its address on the overlay.
        address: std::net::Ipv4Addr,
        /// TCP port there.
        port: u16,
        /// Why.
        reason: String,
    },
    /// Something on this machine stands in the way.
    #[error("{host}: {what}: {reason}")]
    Local {
        /// Host it was for.
        host: String,
        /// What was tried.
        what: String,
        /// Why it failed.
        reason: String,
    },
    /// The host has no libvirt, or it does not run.
    #[error("{host}: no way to libvirt: {reason}")]
    HypervisorMissing {
        /// Host.
        host: String,
        /// What came instead.
        reason: String,
    },
    /// libvirt refused or failed.
    #[error("{host}: {what} failed: {message}")]
    Hypervisor {
        /// Host.
        host: String,
        /// What was tried.
        what: String,
        /// libvirt's number for it (`virErrorNumber`), 0 where it is none of libvirt's.
        code: u32,
        /// What libvirt said.
        message: String,
    },
}

/// Long error output is kept whole in the field; the message has its end, where the reason is.
fn last_line(stderr: &str) -> String {
    stderr.trim_end().lines().next_back().map_or_else(String::new, |line| format!(": {}", line.trim()))
}

impl Error {
    /// Returns the host's name.
    #[must_use]
    pub fn host(&self) -> &str {
        match self {
            Self::Configuration { host, .. }
            | Self::Unreachable { host, .. }
            | Self::HostKeyUnknown { host, .. }
            | Self::HostKeyChanged { host, .. }
            | Self::HostKeyRevoked { host, .. }
            | Self::AuthenticationFailed { host, .. }
            | Self::LoginRefused { host, .. }
            | Self::SudoRefused { host, .. }
            | Self::NoBash { host, .. }
            | Self::ConnectionLost { host, .. }
            | Self::LockLost { host, .. }
            | Self::Silent { host, .. }
            | Self::TooMuch { host, .. }
            | Self::ChannelRefused { host, .. }
            | Self::CommandFailed { host, .. }
            | Self::NoFile { host, .. }
            | Self::TooLarge { host, .. }
            | Self::Corrupt { host, .. }
            | Self::RelayFailed { host, .. }
            | Self::Local { host, .. }
            | Self::HypervisorMissing { host, .. }
            | Self::Hypervisor { host, .. } => host,
        }
    }

    /// Tells whether trying again later may help without anything being changed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::ConnectionLost { .. })
    }

    /// Tells whether the host was not reached, not trusted or did not let the user in.
    #[must_use]
    pub fn is_access(&self) -> bool {
        matches!(
            self,
            Self::Configuration { .. }
                | Self::Unreachable { .. }
                | Self::HostKeyUnknown { .. }
                | Self::HostKeyChanged { .. }
                | Self::HostKeyRevoked { .. }
                | Self::AuthenticationFailed { .. }
                | Self::LoginRefused { .. }
                | Self::SudoRefused { .. }
                | Self::ConnectionLost { .. }
                | Self::Silent { .. }
        )
    }
}
