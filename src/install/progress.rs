//! From what the cluster says of itself to how far it is: pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{cluster::Cluster, install::trouble::Trouble};

/// What the API told of a cluster, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Conditions of the `ClusterVersion`.
    pub version: Conditions,
    /// Every `ClusterOperator` with its conditions.
    pub operators: BTreeMap<String, Conditions>,
    /// Every `Node` with its conditions.
    pub nodes: BTreeMap<String, Conditions>,
    /// Certificate signing requests that nobody has decided on, by name, and who asks.
    pub pending: BTreeMap<String, String>,
}

/// Conditions of an object: its type, whether it holds, and what the object says to it.
pub type Conditions = BTreeMap<String, (bool, String)>;

/// How far a cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// One line: n of m, and what it hangs on.
    pub line: String,
    /// What keeps it from its end, if it stays so.
    pub troubles: Vec<Trouble>,
}

/// How long an operator may be degraded, or a node not Ready, before it is worth a word, seconds.
///
/// While a cluster is installed, many are for a while: workers reboot only after two masters are Ready, and
/// authentication, console and ingress are degraded until workers run. The service itself allows 40 minutes
/// for the stage Rebooting and 60 for Joined (assisted-service, `internal/host/config.go`).
const SETTLING: u64 = 1800;

/// How long a certificate request may be pending before it is worth a word, seconds: whoever approves it looks
/// every few seconds, but has to run first.
const UNDECIDED: u64 = 600;

/// How many things a line names before it only counts them.
const NAMED: usize = 3;

/// Reads the conditions in an object's status.
#[must_use]
pub fn conditions(object: &Value) -> Conditions {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.map(|one| (text(&one["type"]), (one["status"] == "True", text(&one["message"])))).collect()
}

impl Seen {
    /// Judges what was seen of `cluster`.
    #[must_use]
    pub fn progress(&self, cluster: &Cluster) -> Progress {
        let holds = |conditions: &Conditions, name: &str| conditions.get(name).is_some_and(|(on, _)| *on);
        let ready = self.nodes.values().filter(|node| holds(node, "Ready")).count();
        let settled = |all: &Conditions| holds(all, "Available") && !holds(all, "Degraded");
        let available = self.operators.values().filter(|operator| settled(operator)).count();
        let mut line = format!("{ready} of {} nodes are Ready", cluster.nodes.len());
        if !self.operators.is_empty() {
            line += &format!(", {available} of {} operators available", self.operators.len());
        }
        if !self.pending.is_empty() {
            line += &format!(", {} certificate requests pending", self.pending.len());
        }
        let mut troubles = self.operator_troubles();
        troubles.extend(self.node_troubles(cluster));
        let waits: Vec<String> = self
            .operators
            .iter()
            .filter(|(_, operator)| !settled(operator))
            .map(|(name, operator)| match why(operator) {
                "" => name.clone(),
                message => format!("{name} ({})", short(message)),
            })
            .collect();
        if !waits.is_empty() {
            line += &format!("; it hangs on {}", counted(&waits));
        }
        Progress { line, troubles }
    }

    fn operator_troubles(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        for (name, operator) in &self.operators {
            if let Some((true, message)) = operator.get("Degraded") {
                troubles.push(Trouble {
                    key: format!("operator/{name}"),
                    what: format!("operator {name} is degraded: {message}"),
                    fix: format!(
                        "`oc describe clusteroperator {name}` and the pods of its namespace say more"
                    ),
                    patience: SETTLING,
                });
            }
        }
        if let Some((true, message)) = self.version.get("Failing")
            && troubles.is_empty()
        {
            troubles.push(Trouble {
                key: "version".into(),
                what: format!("the cluster version operator fails: {message}"),
                fix: "`oc describe clusterversion version` says more".into(),
                patience: SETTLING,
            });
        }
        troubles
    }

    fn node_troubles(&self, cluster: &Cluster) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        for node in &cluster.nodes {
            let what = match self.nodes.get(&cluster.hostname(node)).map(|node| node.get("Ready")) {
                None => "has not joined the cluster".to_owned(),
                Some(Some((true, _))) => continue,
                Some(Some((false, message))) if !message.is_empty() => format!("is not Ready: {message}"),
                Some(_) => "is not Ready".to_owned(),
            };
            troubles.push(Trouble {
                key: format!("node/{}", node.name),
                what: format!("{} {what}", node.name),
                fix: Trouble::console(cluster, node),
                patience: SETTLING,
            });
        }
        for (name, who) in &self.pending {
            troubles.push(Trouble {
                key: format!("csr/{name}"),
                what: format!("certificate request {name} of {who} is pending"),
                fix: "`oc get csr` shows it; approve only a node of this cluster: `oc adm certificate approve NAME`"
                    .into(),
                patience: UNDECIDED,
            });
        }
        troubles
    }
}

/// Returns what an operator says about why it is not there yet.
fn why(operator: &Conditions) -> &str {
    let message = |name: &str, bad: bool| {
        operator
            .get(name)
            .filter(|(on, message)| *on == bad && !message.is_empty())
            .map(|(_, text)| text.as_str())
    };
    message("Degraded", true)
        .or_else(|| message("Available", false))
        .or_else(|| message("Progressing", true))
        .unwrap_or_default()
}

/// Returns the first line of a message, and of that as much as fits beside others.
fn short(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    if line.chars().count() <= 80 { line.to_owned() } else { line.chars().take(79).chain(['…']).collect() }
}

fn counted(names: &[String]) -> String {
    let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{first} and {} more", names.len() - NAMED) } else { first }
}
