//! Firewalls that may have the last word on a host.

use std::collections::BTreeSet;

/// A firewall that drops what it does not know, whatever our own table accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firewall {
    /// Docker: forwards nothing but its own, and leaves the chain `DOCKER-USER` to others.
    Docker,
    /// Rules of iptables that forward nothing by default.
    Forward,
    /// Rules of iptables that let nothing in by default.
    Input,
    /// Rules of ip6tables that let nothing in by default.
    Input6,
    /// ufw, enabled.
    Ufw,
    /// firewalld, running.
    Firewalld,
}

impl Firewall {
    /// All that are known.
    pub const ALL: [Self; 6] =
        [Self::Docker, Self::Forward, Self::Input, Self::Input6, Self::Ufw, Self::Firewalld];

    fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Forward => "forward",
            Self::Input => "input",
            Self::Input6 => "input6",
            Self::Ufw => "ufw",
            Self::Firewalld => "firewalld",
        }
    }
}

/// Returns the probe's source.
///
/// iptables is asked only where it has a table already: asking makes one.
pub(super) fn ask() -> String {
    "echo \"@@${mark-}firewalls\"\n\
     if grep -qsx filter /proc/net/ip_tables_names || nft list chain ip filter FORWARD >/dev/null 2>&1; then\n\
     rules=$(iptables -w -S 2>/dev/null || true)\n\
     grep -qx -e '-N DOCKER-USER' <<<\"$rules\" && echo docker\n\
     grep -qx -e '-P FORWARD DROP' <<<\"$rules\" && echo forward\n\
     grep -qx -e '-P INPUT DROP' <<<\"$rules\" && echo input\n\
     fi\n\
     if grep -qsx filter /proc/net/ip6_tables_names || nft list chain ip6 filter INPUT >/dev/null 2>&1; then\n\
     ip6tables -w -S INPUT 2>/dev/null | grep -qx -e '-P INPUT DROP' && echo input6\n\
     fi\n\
     grep -qsix 'ENABLED=\"\\?yes\"\\?' /etc/ufw/ufw.conf && echo ufw\n\
     command -v firewall-cmd >/dev/null && systemctl is-active --quiet firewalld.service && echo firewalld"
        .into()
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> BTreeSet<Firewall> {
    let known = |word: &str| Firewall::ALL.into_iter().find(|firewall| firewall.word() == word);
    section.lines().filter_map(known).collect()
}
