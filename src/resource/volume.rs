//! A VM's disk.

use crate::resource::{Action, Change, Detail, Facts, Questions, hypervisor::Call};

/// A volume in a pool; once there it is never emptied, only grown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Name of its pool.
    pub pool: String,
    /// Its name.
    pub name: String,
    /// Its file on the host.
    pub path: String,
    /// Virtual size, bytes.
    pub capacity: u64,
    /// Its XML description.
    pub xml: String,
    /// Name of the domain whose disk it is.
    pub domain: String,
}

impl Volume {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.pools.insert(self.pool.clone());
    }

    /// Returns the changes from `facts` to this volume.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let resource = format!("volume {}", self.name);
        let volumes = facts.hypervisor.as_ref().map(|seen| seen.volumes.as_slice()).unwrap_or_default();
        let known = volumes.iter().find(|v| v.pool == self.pool && v.name == self.name);
        // libvirt tells nothing of a pool that does not run; the file itself does.
        let capacity = known.map(|v| v.capacity).or_else(|| facts.listing.get(&self.path).copied());
        let Some(capacity) = capacity else {
            let call = Call::CreateVolume { pool: self.pool.clone(), xml: self.xml.clone() };
            return vec![Change::hypervisor(resource, &format!("create {}", gib(self.capacity)), call)];
        };
        let Some(difference) = Detail::field("size", Some(&gib(capacity)), &gib(self.capacity)) else {
            return Vec::new();
        };
        let summary = difference.in_words();
        if capacity > self.capacity {
            let advice =
                "a disk is never shrunk: give the size it has in the inventory, or delete the VM first";
            let action = Action::Manual(advice.into());
            return vec![Change { resource, summary, details: vec![difference], action, undo: None }];
        }
        let call = Call::GrowVolume {
            pool: self.pool.clone(),
            volume: self.name.clone(),
            capacity: self.capacity,
            domain: self.domain.clone(),
        };
        vec![Change::hypervisor(resource, &summary, call).because(vec![difference])]
    }
}

fn gib(bytes: u64) -> String {
    let gib = bytes >> 30;
    if gib << 30 == bytes { format!("{gib} GiB") } else { format!("{bytes} bytes") }
}
