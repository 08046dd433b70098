//! What the rendezvous node's assisted API tells of the hosts: read and judged, pure.

use serde::{Deserialize, Deserializer};

use crate::{
    cluster::Cluster,
    install::{advice::advice, trouble::Trouble},
};

/// A cluster, as `GET /v2/clusters?with_hosts=true` lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClusterSeen {
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
    requested_hostname: String,
    #[serde(deserialize_with = "or_nothing")]
    status: String,
    #[serde(deserialize_with = "or_nothing")]
    status_info: String,
    progress: Option<StageSeen>,
    validations_info: Option<String>,
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

/// What one look at the API comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Each node by its short name, and how far it is.
    pub stages: Vec<(String, String)>,
    /// n of m, and who is not there yet.
    pub line: String,
    /// What keeps the installation from its begin or its end.
    pub troubles: Vec<Trouble>,
}

/// While hosts come up, much is not well yet; what is wrong for longer will not mend itself, seconds.
const SETTLING: u64 = 20;

/// A VM needs a minute or two to boot the image; so long is no longer normal, seconds.
const BOOTING: u64 = 300;

/// Statuses of the cluster that say the same as its hosts' validations, or nothing is wrong.
const ABOUT_HOSTS: &[&str] = &["all-hosts-are-ready-to-install", "sufficient-masters-count"];

impl ClusterSeen {
    /// Reads the API's answer: the one cluster it knows, `None` before it has been registered.
    #[must_use]
    pub fn read(answer: &str) -> Option<Self> {
        serde_json::from_str::<Vec<Self>>(answer).ok()?.into_iter().next()
    }

    /// Judges it against the nodes there should be.
    #[must_use]
    pub fn judge(&self, cluster: &Cluster) -> Judgement {
        let mut stages = Vec::new();
        let mut troubles = missing(cluster, |hostname| self.hosts.iter().any(|host| host.is(hostname)));
        for host in &self.hosts {
            let node = cluster.nodes.iter().find(|node| host.is(&cluster.hostname(node)));
            let name = node.map_or_else(|| host.requested_hostname.clone(), |node| node.name.clone());
            stages.push((name.clone(), host.stage()));
            if node.is_none() {
                troubles.push(Trouble {
                    key: format!("{name}/unknown"),
                    what: format!("a host called {name} has registered, which is not in the inventory"),
                    fix: "another machine boots this cluster's image, or a node does not know its name: compare the MACs in `ocp2 vms list`".into(),
                    patience: SETTLING,
                });
            }
            troubles.extend(host.troubles(&name));
        }
        stages.sort();
        troubles.extend(self.troubles());
        let absent: Vec<&str> = (cluster.nodes.iter())
            .filter(|node| !self.hosts.iter().any(|host| host.is(&cluster.hostname(node))))
            .map(|node| node.name.as_str())
            .collect();
        let mut line = format!(
            "{} of {} hosts have registered",
            cluster.nodes.len() - absent.len(),
            cluster.nodes.len()
        );
        if !absent.is_empty() {
            line += &format!("; not yet: {}", absent.join(", "));
        }
        Judgement { stages, line, troubles }
    }

    /// Returns what is wrong with the cluster as a whole.
    fn troubles(&self) -> Vec<Trouble> {
        let failing = failing(self.validations_info.as_deref());
        let mut troubles: Vec<Trouble> = failing
            .into_iter()
            .filter(|check| !ABOUT_HOSTS.contains(&check.id.as_str()))
            .map(|check| check.trouble("the cluster"))
            .collect();
        if self.status == "error" || self.status == "cancelled" {
            troubles.push(Trouble {
                key: "cluster/status".into(),
                what: format!("the installation has failed: {}", self.status_info),
                fix: "`ocp2 gather` collects the logs; `ocp2 down` and `ocp2 up` start over".into(),
                patience: 0,
            });
        }
        troubles
    }
}

/// Returns a trouble for each node that `is_there` does not know, before anything can be read of it.
#[must_use]
pub fn missing(cluster: &Cluster, is_there: impl Fn(&str) -> bool) -> Vec<Trouble> {
    let absent = cluster.nodes.iter().filter(|node| !is_there(&cluster.hostname(node)));
    absent
        .map(|node| Trouble {
            key: format!("{}/registered", node.name),
            what: format!(
                "{} (MAC {}, on {}) has not registered",
                node.name, node.mac, cluster.hosts[node.host].name
            ),
            fix: format!(
                "it must boot the image and reach http://{}:8090; {}",
                cluster.rendezvous().address,
                Trouble::console(cluster, node)
            ),
            patience: BOOTING,
        })
        .collect()
}

impl HostSeen {
    /// Tells whether it has this name, with or without the domain.
    fn is(&self, hostname: &str) -> bool {
        let short = hostname.split_once('.').map_or(hostname, |(short, _)| short);
        self.requested_hostname == hostname || self.requested_hostname == short
    }

    /// Returns how far it is, in the service's own words.
    fn stage(&self) -> String {
        match &self.progress {
            Some(stage) if !stage.current_stage.is_empty() => {
                format!("{} {}", stage.current_stage, stage.progress_info).trim().to_owned()
            }
            _ => match self.status.as_str() {
                "discovering" => "is being looked at".to_owned(),
                "known" => "is ready to be installed".to_owned(),
                "insufficient" | "pending-for-input" => "is not ready: its checks fail".to_owned(),
                other => other.replace('-', " "),
            },
        }
    }

    fn troubles(&self, name: &str) -> Vec<Trouble> {
        // Once it is being installed, its checks are of yesterday: it reboots, and does not answer them.
        let begun = ["installing", "installed", "preparing"].iter().any(|word| self.status.starts_with(word));
        let checks = if begun { Vec::new() } else { failing(self.validations_info.as_deref()) };
        let mut troubles: Vec<Trouble> = checks.iter().map(|check| check.trouble(name)).collect();
        let (what, fix) = match self.status.as_str() {
            "error" => {
                ("has failed", "`ocp2 gather` collects its logs; `ocp2 down` and `ocp2 up` start over")
            }
            "disconnected" => ("has stopped reporting", "look at its console and whether the VM still runs"),
            "installing-pending-user-action" => (
                "waits for somebody to act",
                "it has booted the image again and not its disk: its boot order must begin with the disk (`ocp2 plan`)",
            ),
            _ => return troubles,
        };
        troubles.push(Trouble {
            key: format!("{name}/status"),
            what: format!("{name} {what}: {}", self.status_info),
            fix: fix.to_owned(),
            patience: 0,
        });
        troubles
    }
}

impl Validation {
    fn trouble(&self, who: &str) -> Trouble {
        Trouble {
            key: format!("{who}/{}", self.id),
            what: format!("{who}: {} fails: {}", self.id, self.message),
            fix: advice(&self.id).to_owned(),
            patience: SETTLING,
        }
    }
}

/// Returns the validations that fail; the service has them as JSON in a string, in groups.
fn failing(packed: Option<&str>) -> Vec<Validation> {
    let groups: std::collections::BTreeMap<String, Vec<Validation>> =
        packed.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    // `pending` waits for another check, `disabled` was switched off.
    groups
        .into_values()
        .flatten()
        .filter(|check| matches!(check.status.as_str(), "failure" | "error"))
        .collect()
}
