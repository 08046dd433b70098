//! Phase `image`: what has to be done for every host to have what its VMs boot from.

use serde::{Deserialize, Serialize};

use crate::{
    bringup::{
        Place, begun,
        ignition::FRESH_SECONDS,
        machines::{ignition_path, image_path},
    },
    cluster::Cluster,
    command::{Script, quote},
    resource::{Change, Detail, Facts, Kind, Owned},
};

/// What a host remembers of the boot image it has; kept beside it, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// SHA-256 of the image, hexadecimal.
    pub sha256: String,
    /// Its size, bytes.
    pub size: u64,
    /// SHA-256 over everything it was made from.
    pub inputs: String,
    /// When the ignition that goes with it was made, seconds since the epoch by the first host's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignited: Option<i64>,
}

/// What to do next for the boot image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageStep {
    /// Every host has it.
    Done,
    /// The nodes have booted from an image with other inputs: nothing is changed any more.
    Frozen,
    /// The first host has to make or get it.
    Make,
    /// These hosts lack it or its ignition; the first one has both.
    Copy(Vec<usize>),
}

impl ImageRecord {
    /// Reads what a host remembers; `None` where the image itself is not there in full.
    #[must_use]
    pub fn read(cluster: &Cluster, facts: &Facts) -> Option<Self> {
        let record = Self::parse(facts.text(&Place::of(cluster).image())?)?;
        (facts.listing.get(&image_path(cluster)) == Some(&record.size)).then_some(record)
    }

    /// Reads a record. A host has written it, and what it says goes to the others: digests are digests.
    fn parse(text: &str) -> Option<Self> {
        let record: Self = serde_json::from_str(text).ok()?;
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_digest(&record.sha256) && is_digest(&record.inputs)).then_some(record)
    }

    /// Returns what a host is to remember.
    #[must_use]
    pub fn text(&self) -> String {
        // Of strings and numbers: there is nothing that could not be said.
        format!("{}\n", serde_json::to_string(self).unwrap_or_default())
    }

    /// Tells whether nothing in it expires before the VMs have booted.
    fn is_fresh(&self, now: i64) -> bool {
        self.ignited.is_none_or(|ignited| now.saturating_sub(ignited) < FRESH_SECONDS)
    }
}

/// Decides the next step; `inputs` is the digest of what the image is to be made from.
#[must_use]
pub fn image_step(cluster: &Cluster, inputs: &str, hosts: &[&Facts]) -> ImageStep {
    let place = Place::of(cluster);
    let lacking = lacking(cluster, hosts);
    if begun::is_begun(cluster, hosts) {
        let booted = hosts.iter().find_map(|facts| ImageRecord::parse(begun::booted_from(&place, facts)?));
        // A host that joins later still has to get the image the nodes of the others booted from,
        // whatever the inventory says by now.
        // Of hosts whose VMs run from their disks, none needs it any more.
        let needs = |host: &usize| !hosts[*host].files.contains_key(&place.ejected());
        let lacking: Vec<usize> = lacking.unwrap_or_default().into_iter().filter(needs).collect();
        let first = hosts.first().and_then(|first| ImageRecord::read(cluster, first));
        if booted.is_some() && first == booted && !lacking.is_empty() {
            return ImageStep::Copy(lacking);
        }
        let same = booted.is_some_and(|record| record.inputs == inputs);
        return if same { ImageStep::Done } else { ImageStep::Frozen };
    }
    let first = hosts.first().and_then(|first| Some((ImageRecord::read(cluster, first)?, first.system.now)));
    match (first, lacking) {
        (Some((first, now)), Some(lacking)) if first.inputs == inputs && first.is_fresh(now) => {
            if lacking.is_empty() { ImageStep::Done } else { ImageStep::Copy(lacking) }
        }
        _ => ImageStep::Make,
    }
}

/// Returns the change that makes the pool's folder on a host for the boot image and what goes with it, which
/// are written down with it.
#[must_use]
pub fn image_folder(cluster: &Cluster, host: usize) -> Change {
    let folder = cluster.machines.pool.display().to_string();
    let script = Script::new().line(format_args!("[ -d {0} ] || install -d -m 711 {0}", quote(&folder)));
    let ignition = cluster.machines_on(host).filter(|_| cluster.is_upi());
    let ignition = ignition.map(|node| ignition_path(cluster, node));
    let files = ignition.chain([image_path(cluster)]).map(|path| Owned::new(Kind::File, path));
    let made = [Owned::new(Kind::Folder, &folder)].into_iter().chain(files);
    Change::shell(format!("folder {folder}"), "make it for the boot image", script).making(made)
}

/// Says what has changed in the installer's inputs since the nodes booted with them; `inputs` are those of now,
/// their secrets masked.
#[must_use]
pub fn frozen_inputs(cluster: &Cluster, inputs: &str, first: &Facts) -> Change {
    let path = Place::of(cluster).inputs();
    let (summary, details) = match first.text(&path) {
        Some(before) if before == inputs => ("a secret among them has changed", Vec::new()),
        Some(before) => (
            "changed after the installation has begun",
            vec![Detail::diff("installer inputs", before, inputs)],
        ),
        None => ("changed after the installation has begun; what they were is not known", Vec::new()),
    };
    let advice = "the cluster was made from the old ones, and this is never applied: change them back, \
                  or start over with `ocp2 down` and `ocp2 up`";
    Change::manual("installer inputs".into(), summary, advice.into()).because(details)
}

/// Lists the hosts that have not what the first one has, or not all of their VMs' ignition;
/// `None` where the first one has no image.
fn lacking(cluster: &Cluster, hosts: &[&Facts]) -> Option<Vec<usize>> {
    let first = ImageRecord::read(cluster, hosts.first()?)?;
    let has = |host: usize| ImageRecord::read(cluster, hosts[host]).as_ref() == Some(&first);
    Some((0..hosts.len()).filter(|&host| !(has(host) && is_ignited(cluster, host, hosts[host]))).collect())
}

/// Tells whether the ignition of all of a host's VMs is there, where there has to be one.
fn is_ignited(cluster: &Cluster, host: usize, facts: &Facts) -> bool {
    let has = |path: &String| facts.listing.contains_key(path);
    !cluster.is_upi() || cluster.machines_on(host).all(|node| has(&ignition_path(cluster, node)))
}
