//! Firewalls that keep rules of ocp2's themselves, in words of their own.

use std::collections::BTreeSet;

use crate::resource::answer;

/// A firewall that is told what to let pass, and makes rules of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firewall {
    /// ufw, enabled.
    Ufw,
    /// firewalld, running.
    Firewalld,
}

impl Firewall {
    /// All that are known.
    pub const ALL: [Self; 2] = [Self::Ufw, Self::Firewalld];

    fn word(self) -> &'static str {
        match self {
            Self::Ufw => "ufw",
            Self::Firewalld => "firewalld",
        }
    }
}

/// Returns the probe's source.
pub(super) fn ask() -> String {
    format!(
        r#"{}
if [ -e /etc/ufw/ufw.conf ]; then
grep -qix 'ENABLED="\?yes"\?' /etc/ufw/ufw.conf && echo ufw || [ $? = 1 ] || unknown firewalls '/etc/ufw/ufw.conf cannot be read'
fi
if command -v firewall-cmd >/dev/null; then
status=0; systemctl is-active --quiet firewalld.service || status=$?
case $status in 0) echo firewalld;; 3|4) ;; *) unknown firewalls "systemctl is-active firewalld.service ended with status $status";; esac
fi"#,
        answer::head("firewalls")
    )
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> BTreeSet<Firewall> {
    let known = |word: &str| Firewall::ALL.into_iter().find(|firewall| firewall.word() == word);
    section.lines().filter_map(known).collect()
}
