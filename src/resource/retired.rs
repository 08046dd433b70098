//! A VM that has done its work and goes, disk and all.

use crate::{
    command::{Command, Script, quote},
    resource::{
        Change, Facts, Questions,
        hypervisor::{Call, DomainSeen, DomainState},
    },
};

/// A domain that is wanted no more, and the files that were only for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// Name of the domain.
    pub domain: String,
    /// The cluster it is marked with; another one's is left alone.
    pub cluster: String,
    /// Pool of its disk.
    pub pool: String,
    /// The file of its disk, where that was made for it.
    pub disk: Option<String>,
    /// Other files of its own.
    pub files: Vec<String>,
}

impl Retired {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.pools.insert(self.pool.clone());
    }

    /// Returns the changes after which nothing of it is left.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let seen = facts.hypervisor.as_ref();
        let domains = seen.map(|seen| seen.domains.as_slice()).unwrap_or_default();
        let ours = |domain: &&DomainSeen| {
            domain.name == self.domain && domain.cluster().as_ref() == Some(&self.cluster)
        };
        let mut changes: Vec<Change> = domains.iter().find(ours).map(DomainSeen::removal).unwrap_or_default();
        let volumes = seen.map(|seen| seen.volumes.as_slice()).unwrap_or_default();
        if let Some(disk) = &self.disk {
            let told = volumes.iter().find(|volume| volume.pool == self.pool && volume.path == *disk);
            if let Some(volume) = told {
                let call = Call::DeleteVolume { pool: self.pool.clone(), volume: volume.name.clone() };
                changes.push(Change::hypervisor(format!("volume {}", volume.name), "delete", call));
            } else if facts.listing.contains_key(disk) {
                changes.push(delete(disk));
            }
        }
        changes.extend(self.files.iter().filter(|file| facts.listing.contains_key(*file)).map(|f| delete(f)));
        changes
    }
}

fn delete(path: &str) -> Change {
    let script = Script::new().line(Command::new("rm").args(["-f", path]));
    Change::shell(format!("file {path}"), "delete", script)
}

impl DomainSeen {
    /// Returns the changes that remove it, its logs included; its disks stay.
    #[must_use]
    pub fn removal(&self) -> Vec<Change> {
        let resource = format!("domain {}", self.name);
        let step = |summary: &str, call| Change::hypervisor(resource.clone(), summary, call);
        let name = || self.name.clone();
        let mut steps = Vec::new();
        if self.state != DomainState::Off {
            steps.push(step("cut its power", Call::DestroyDomain { domain: name() }));
        }
        steps.push(step("undefine", Call::UndefineDomain { domain: name() }));
        let log = format!("/var/log/libvirt/qemu/{}", self.name);
        let script = Script::new().line(format_args!("rm -f {0}.log {0}-console.log*", quote(&log)));
        steps.push(Change::shell(resource.clone(), "delete its logs", script));
        steps
    }
}
