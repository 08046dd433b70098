//! Phase `image`: what has to be done for every host to have the boot image.

use serde::{Deserialize, Serialize};

use crate::{
    bringup::{Place, iso_path},
    cluster::Cluster,
    resource::Facts,
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
    /// These hosts lack it; the first one has it.
    Copy(Vec<usize>),
}

impl ImageRecord {
    /// Reads what a host remembers; `None` where the image itself is not there in full.
    #[must_use]
    pub fn read(cluster: &Cluster, facts: &Facts) -> Option<Self> {
        let record: Self = serde_json::from_str(facts.text(&Place::of(cluster).image())?).ok()?;
        (facts.listing.get(&iso_path(cluster)) == Some(&record.size)).then_some(record)
    }
}

/// Decides the next step; `inputs` is the digest of what the image is to be made from.
#[must_use]
pub fn image_step(cluster: &Cluster, inputs: &str, hosts: &[&Facts]) -> ImageStep {
    let begun = |facts: &&Facts| facts.text(&Place::of(cluster).begun()).map(str::to_owned);
    if let Some(begun) = hosts.iter().find_map(begun) {
        let booted = serde_json::from_str::<ImageRecord>(&begun).ok();
        // A host that joins later still has to get the image the nodes of the others booted from,
        // whatever the inventory says by now.
        let records: Vec<_> = hosts.iter().map(|facts| ImageRecord::read(cluster, facts)).collect();
        let lacking = lacking(&records);
        if booted.is_some() && records.first() == Some(&booted) && !lacking.is_empty() {
            return ImageStep::Copy(lacking);
        }
        let same = booted.is_some_and(|record| record.inputs == inputs);
        return if same { ImageStep::Done } else { ImageStep::Frozen };
    }
    let records: Vec<_> = hosts.iter().map(|facts| ImageRecord::read(cluster, facts)).collect();
    match records.first() {
        Some(Some(first)) if first.inputs == inputs => {
            let lacking = lacking(&records);
            if lacking.is_empty() { ImageStep::Done } else { ImageStep::Copy(lacking) }
        }
        _ => ImageStep::Make,
    }
}

fn lacking(records: &[Option<ImageRecord>]) -> Vec<usize> {
    let first = records.first().and_then(Option::as_ref);
    (1..records.len()).filter(|&host| records[host].as_ref() != first).collect()
}
