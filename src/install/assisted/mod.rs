//! What the rendezvous node's assisted API tells of the hosts: read and judged, pure.
//!
//! Field names and statuses are those of openshift/assisted-service (models/cluster.go, models/host.go); what
//! its answers are like was recorded from the service itself (tests/recordings/assisted).

mod judge;
mod registered;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

pub use self::judge::{Judgement, missing};

/// A cluster, as `GET /v2/clusters/ID` shows it. Only there have its hosts names of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClusterSeen {
    id: String,
    #[serde(deserialize_with = "or_nothing")]
    status: String,
    #[serde(deserialize_with = "or_nothing")]
    status_info: String,
    validations_info: Option<String>,
    #[serde(deserialize_with = "or_nothing")]
    hosts: Vec<HostSeen>,
}

/// A host that has registered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct HostSeen {
    #[serde(deserialize_with = "or_nothing")]
    id: String,
    /// Its id until it has told its hardware, and its MAC with dashes where it does not know its name.
    #[serde(deserialize_with = "or_nothing")]
    requested_hostname: String,
    #[serde(deserialize_with = "or_nothing")]
    status: String,
    #[serde(deserialize_with = "or_nothing")]
    status_info: String,
    progress: Option<StageSeen>,
    validations_info: Option<String>,
    /// What the host has reported so far, each empty until then: checks are made of them.
    #[serde(deserialize_with = "or_nothing")]
    inventory: String,
    #[serde(deserialize_with = "or_nothing")]
    connectivity: String,
    #[serde(deserialize_with = "or_nothing")]
    ntp_sources: String,
    #[serde(deserialize_with = "or_nothing")]
    domain_name_resolutions: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct StageSeen {
    #[serde(deserialize_with = "or_nothing")]
    current_stage: String,
    #[serde(deserialize_with = "or_nothing")]
    progress_info: String,
}

/// One validation, in JSON of its own in a group's list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Validation {
    id: String,
    status: String,
    message: String,
}

/// The service leaves out or nulls what it does not know yet.
fn or_nothing<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(reader: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

impl ClusterSeen {
    /// Reads the API's answer; `None` where it is none of a cluster.
    #[must_use]
    pub fn read(answer: &str) -> Option<Self> {
        serde_json::from_str::<Self>(answer).ok().filter(|cluster| !cluster.id.is_empty())
    }
}

/// Returns the validations that fail; the service has them as JSON in a string, in groups.
fn failing(packed: Option<&str>) -> Vec<Validation> {
    let groups: BTreeMap<String, Vec<Validation>> =
        packed.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    // `pending` waits for another check, `disabled` was switched off.
    groups
        .into_values()
        .flatten()
        .filter(|check| matches!(check.status.as_str(), "failure" | "error"))
        .collect()
}
