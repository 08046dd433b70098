//! The record of ownership: what ocp2 makes on a host is written down there first, and of disks, files and
//! folders among other people's only what is written down is ever removed.
//!
//! The record is `/var/lib/ocp2/CLUSTER/owned`, and root's alone:
//!
//! ```text
//! ocp2-owned 1
//! domain ocp-master0
//! folder /var/lib/libvirt/images/ocp
//! volume /var/lib/libvirt/images/ocp/ocp-master0.img
//! ```
//!
//! It is written before the things are made, so that a run that is cut off in between leaves a line
//! without its thing, and never a thing without its line. What it says is a host's word: see [`read_record`].

use std::{collections::BTreeSet, fmt};

use crate::resource::FileSeen;

/// The record's first line: its format, which only a later ocp2 may raise.
pub(super) const HEAD: &str = "ocp2-owned 1";

/// Longest name of a thing, bytes: Linux's PATH_MAX.
const LONGEST: usize = 4096;

/// Kind of a thing that ocp2 makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A libvirt domain, by name.
    Domain,
    /// A file, by path.
    File,
    /// A folder that was not there before, by path.
    Folder,
    /// A network link, by name.
    Link,
    /// A libvirt storage pool, by name.
    Pool,
    /// A table of nftables, by name.
    Table,
    /// A systemd unit, by name.
    Unit,
    /// The file of a VM's disk, by path.
    Volume,
}

/// One thing of ocp2's on a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owned {
    /// What it is.
    pub kind: Kind,
    /// Its name, or its path.
    pub name: String,
}

/// Says why a record is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Others than root can write it, or it is somewhere else.
    #[error("it is a symbolic link, or not root's alone ({owner}, mode {mode:o})")]
    Exposed {
        /// `user:group`.
        owner: String,
        /// Permission bits.
        mode: u32,
    },
    /// It is no text.
    #[error("it is no text file")]
    NoText,
    /// Another ocp2 wrote it.
    #[error("its first line is {0:?}, and this ocp2 knows {HEAD:?}")]
    Format(String),
    /// It has a line that ocp2 does not write.
    #[error("its line {0} names nothing that ocp2 makes")]
    Line(usize),
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Domain,
        Self::File,
        Self::Folder,
        Self::Link,
        Self::Pool,
        Self::Table,
        Self::Unit,
        Self::Volume,
    ];

    /// Returns the word that a line of this kind begins with.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::File => "file",
            Self::Folder => "folder",
            Self::Link => "link",
            Self::Pool => "pool",
            Self::Table => "table",
            Self::Unit => "unit",
            Self::Volume => "volume",
        }
    }

    fn is_path(self) -> bool {
        matches!(self, Self::File | Self::Folder | Self::Volume)
    }
}

impl Owned {
    /// Names a thing.
    #[must_use]
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// Reads a line; `None` where ocp2 writes no such line.
    fn read(line: &str) -> Option<Self> {
        let (word, name) = line.split_once(' ')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
        let plain = |path: &str| path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let shaped = match name.strip_prefix('/') {
            Some(path) => kind.is_path() && plain(path),
            None => !kind.is_path() && plain(name) && !name.contains('/'),
        };
        (shaped && name.len() <= LONGEST && name.chars().all(allowed)).then(|| Self::new(kind, name))
    }
}

impl fmt::Display for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// Returns the path of a cluster's record.
#[must_use]
pub fn record_path(cluster: &str) -> String {
    format!("/var/lib/ocp2/{cluster}/owned")
}

/// Reads a record: every line of it has to be one that ocp2 writes.
///
/// Whether a path is one of the cluster's is not known here.
///
/// # Errors
/// Returns why it is not believed.
pub fn read_record(seen: &FileSeen) -> Result<BTreeSet<Owned>, RecordError> {
    // A link's own mode is 777, whatever it leads to.
    if seen.owner != "root:root" || seen.mode & 0o022 != 0 {
        return Err(RecordError::Exposed { owner: seen.owner.clone(), mode: seen.mode });
    }
    let mut lines = seen.text.as_deref().ok_or(RecordError::NoText)?.lines();
    let head = lines.next().unwrap_or_default();
    if head != HEAD {
        return Err(RecordError::Format(head.chars().take(LONGEST).collect()));
    }
    let read = |(index, line)| Owned::read(line).ok_or(RecordError::Line(index + 2));
    lines.enumerate().map(read).collect()
}

/// Returns how a record of these lines reads.
#[must_use]
pub fn record_text(owned: &BTreeSet<Owned>) -> String {
    owned.iter().fold(format!("{HEAD}\n"), |text, owned| format!("{text}{owned}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> FileSeen {
        FileSeen { mode: 0o600, owner: "root:root".into(), sha256: String::new(), text: Some(text.into()) }
    }

    #[test]
    fn a_record_reads_as_it_is_written() {
        let owned: BTreeSet<Owned> = [
            Owned::new(Kind::Volume, "/srv/vms/ocp-master0.img"),
            Owned::new(Kind::Unit, "ocp2-ocp-dns.service"),
            Owned::new(Kind::Link, "bond0.7:1"),
        ]
        .into();
        assert_eq!(read_record(&record(&record_text(&owned))), Ok(owned));
    }

    #[test]
    fn a_line_that_ocp2_does_not_write_is_refused() {
        for line in [
            "volume ../../etc/passwd",
            "volume /srv/vms/../../etc/passwd",
            "folder /",
            "folder /srv//vms",
            "folder /srv/./vms",
            "volume /srv/vms/a b.img",
            "volume /srv/vms/$(reboot).img",
            "file /etc/ocp2/\u{1b}]52;c;x",
            "file etc/passwd",
            "unit /etc/systemd/system/ssh.service",
            "link ..",
            "disk /srv/vms/ocp-master0.img",
            "volume",
            "",
        ] {
            let text = format!("{HEAD}\nlink br-vm\n{line}\n");
            assert_eq!(read_record(&record(&text)), Err(RecordError::Line(3)), "{line:?}");
        }
        let long = format!("{HEAD}\nvolume /{}\n", "a".repeat(LONGEST));
        assert_eq!(read_record(&record(&long)), Err(RecordError::Line(2)));
    }

    #[test]
    fn only_a_record_of_roots_own_and_of_this_format_is_read() {
        let good = record("ocp2-owned 1\n");
        assert_eq!(read_record(&good), Ok(BTreeSet::new()));
        let exposed = |mode, owner: &str| {
            let seen = FileSeen { mode, owner: owner.into(), ..good.clone() };
            matches!(read_record(&seen), Err(RecordError::Exposed { .. }))
        };
        assert!(exposed(0o777, "root:root"), "a symbolic link");
        assert!(exposed(0o620, "root:root") && exposed(0o602, "root:root"));
        assert!(exposed(0o600, "libvirt-qemu:root") && exposed(0o600, "root:kvm"));
        let binary = FileSeen { text: None, ..good.clone() };
        assert_eq!(read_record(&binary), Err(RecordError::NoText));
        for head in ["ocp2-owned 2", "", "link br-vm"] {
            let seen = record(&format!("{head}\n"));
            assert_eq!(read_record(&seen), Err(RecordError::Format(head.into())));
        }
    }
}
