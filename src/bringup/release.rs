//! Which release is installed: a channel is looked up once, and what it stood for then is kept.

use serde::{Deserialize, Serialize};

use crate::{bringup::Place, cluster::Cluster, resource::Facts};

/// What a version or a channel was found to be; kept on the first host, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// `cluster.version` as the inventory had it.
    pub asked: String,
    /// The release.
    pub version: String,
}

impl ReleaseRecord {
    /// Returns the text of the file.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Two texts: there is nothing that could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Returns the release that is installed; `None` for a channel that was not looked up yet.
///
/// A channel's next release does not change what was looked up: only another channel does.
#[must_use]
pub fn release(cluster: &Cluster, first: &Facts) -> Option<String> {
    if cluster.channel().is_none() {
        return Some(cluster.version.clone());
    }
    let record: ReleaseRecord = serde_json::from_str(first.text(&Place::of(cluster).release())?).ok()?;
    (record.asked == cluster.version).then_some(record.version)
}
