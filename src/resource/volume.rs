//! A VM's disk.

use crate::{
    command::{Command, Script, into_place, quote},
    resource::{Change, Detail, Facts, Kind, Owned, Questions, hypervisor::Call},
};

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
    /// A disk image on the host that its content is copied from; `None`: it begins empty.
    pub from: Option<String>,
    /// Its XML description.
    pub xml: String,
    /// Name of the domain whose disk it is.
    pub domain: String,
    /// The cluster is installed: a system that this disk does not have comes by no image of its installation.
    pub late: bool,
}

/// What is added where an empty disk would be a puzzle.
const LATE: &str = ", empty: its node joins by an image that `oc adm node-image create` makes";

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
            if let Some(image) = &self.from {
                return self.copied(&resource, image);
            }
            let call = Call::CreateVolume { pool: self.pool.clone(), xml: self.xml.clone() };
            let late = if self.late { LATE } else { "" };
            let create = Change::hypervisor(resource, &format!("create {}{late}", gib(self.capacity)), call);
            return vec![create.making([self.made()])];
        };
        let Some(difference) = Detail::field("size", Some(&gib(capacity)), &gib(self.capacity)) else {
            return Vec::new();
        };
        let summary = difference.in_words();
        if capacity > self.capacity {
            let advice =
                "a disk is never shrunk: give the size it has in the inventory, or delete the VM first";
            return vec![Change::manual(resource, &summary, advice.into()).because(vec![difference])];
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

impl Volume {
    fn made(&self) -> Owned {
        Owned::new(Kind::Volume, &self.path)
    }

    /// Returns the changes that make it from a disk image.
    ///
    /// A whole copy and not a file on top of the image: a node's disk then depends on no other
    /// file, which may be replaced by another release's, and etcd's writes go through no second
    /// map of blocks. Zeros stay holes, so it costs what the image holds and no more. The file
    /// has its name only when it is whole, for one that is there is never written again.
    fn copied(&self, resource: &str, image: &str) -> Vec<Change> {
        let new = format!("{}.new", self.path);
        let script = Script::new()
            .line(format_args!("umask 077; rm -f {}", quote(&new)))
            .line(Command::new("qemu-img").args(["convert", "-O", "raw", "-S", "4k", image, &new]))
            .line(Command::new("qemu-img").args(["resize", "-q", "-f", "raw", &new]).arg(self.capacity))
            .line(into_place(&new, &self.path));
        let name = image.rsplit('/').next().unwrap_or(image);
        let summary = format!("create {} from {name}", gib(self.capacity));
        vec![
            Change::shell(resource.to_owned(), &summary, script).making([self.made()]),
            Change::hypervisor(
                format!("pool {}", self.pool),
                "look for it",
                Call::RefreshPool { pool: self.pool.clone() },
            ),
        ]
    }
}

fn gib(bytes: u64) -> String {
    let gib = bytes >> 30;
    if gib << 30 == bytes { format!("{gib} GiB") } else { format!("{bytes} bytes") }
}
