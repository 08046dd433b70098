//! Where a host is, as the inventory says it.

use std::{path::PathBuf, time::Duration};

/// A host to connect to. What is `None` comes from `~/.ssh/config`, then from OpenSSH's defaults.
///
/// ```
/// use ocp2::host::Target;
/// let target = Target::new("bm1", "192.168.0.23").user("root");
/// assert_eq!(target.port, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The inventory's name for the host; errors begin with it.
    pub name: String,
    /// Address, DNS name or a `Host` alias of `~/.ssh/config`.
    pub address: String,
    /// TCP port.
    pub port: Option<u16>,
    /// User to log in as: root, or one with passwordless sudo.
    pub user: Option<String>,
    /// Private key to offer first.
    pub identity_file: Option<PathBuf>,
    /// The one `known_hosts` file to read, and to write an accepted key to.
    pub known_hosts_file: Option<PathBuf>,
    /// Hops on the way, `[USER@]HOST[:PORT]` with commas between, as in `ssh -J`; `none` for none.
    pub proxy_jump: Option<String>,
    /// Configuration to read instead of `~/.ssh/config` and `/etc/ssh/ssh_config`, as `ssh -F`.
    pub config_file: Option<PathBuf>,
    /// How long the host may take to answer a question, and to get as far as running a script.
    pub answer: Duration,
}

/// [`Target::answer`] where nobody says another. A probe asks libvirt twice, 30 s each at the most.
pub const ANSWER: Duration = Duration::from_secs(120);

impl Target {
    /// Names a host and its address; everything else as `~/.ssh/config` has it.
    #[must_use]
    pub fn new(name: &str, address: &str) -> Self {
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            port: None,
            user: None,
            identity_file: None,
            known_hosts_file: None,
            proxy_jump: None,
            config_file: None,
            answer: ANSWER,
        }
    }

    /// Sets the user.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }
}
