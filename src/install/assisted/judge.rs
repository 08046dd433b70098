//! Whether what the hosts report keeps the installation from its begin or its end.

use super::{
    ClusterSeen, failing,
    registered::{MAJORITY, Registered, SETTLING, START_OVER, first_line},
};
use crate::{
    cluster::{Cluster, Node},
    install::{advice::advice, trouble::Trouble},
};

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

/// How long until a VM registers, seconds: it boots the image, and the rendezvous node pulls the release's
/// and the service's images first, which takes 3 to 15 minutes.
const BOOTING: u64 = 900;

/// Checks of the cluster that say the same as its hosts' own.
const ABOUT_HOSTS: &[&str] = &["all-hosts-are-ready-to-install", "sufficient-masters-count"];

/// What a cluster's `status_info` says between two attempts to prepare it.
const NOT_PREPARED: &str = "Cluster failed to prepare for installation";

impl ClusterSeen {
    /// Judges it against the nodes there should be.
    #[must_use]
    pub fn judge(&self, cluster: &Cluster) -> Judgement {
        let hosts: Vec<Registered> = self.hosts.iter().map(|host| Registered::of(host, cluster)).collect();
        let is_there =
            |node: &Node| hosts.iter().any(|host| host.node.is_some_and(|it| it.name == node.name));
        let mut troubles = self.failures();
        troubles.extend(missing(cluster, is_there));
        let group_is_told = self.hosts.iter().all(|host| !host.connectivity.is_empty());
        for host in &hosts {
            troubles.extend(host.troubles(cluster, group_is_told));
        }
        troubles.extend(majority(&hosts, group_is_told));
        let named = hosts.iter().filter(|host| !host.is_anonymous());
        let mut stages: Vec<_> = named.map(|host| (host.name.clone(), host.seen.stage())).collect();
        stages.sort();
        Judgement { stages, line: line(cluster, &hosts, is_there), troubles }
    }

    /// Returns what is wrong with the cluster as a whole.
    fn failures(&self) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        let failed = match self.status.as_str() {
            "error" | "cancelled" => Some("the installation has failed"),
            _ if self.status_info.starts_with(NOT_PREPARED) => Some("the installation cannot begin"),
            _ => None,
        };
        if let Some(what) = failed {
            let what = format!("{what}: {}", first_line(&self.status_info));
            let fix = START_OVER.to_owned();
            troubles.push(Trouble { key: "cluster/status".into(), what, fix, patience: 0 });
        }
        let checks = failing(self.validations_info.as_deref()).into_iter();
        let checks = checks.filter(|check| !ABOUT_HOSTS.contains(&check.id.as_str()));
        troubles.extend(checks.map(|check| check.trouble("cluster", "the cluster")));
        troubles
    }
}

/// Returns how many have registered, and who has not.
fn line(cluster: &Cluster, hosts: &[Registered<'_>], is_there: impl Fn(&Node) -> bool) -> String {
    let absent: Vec<&str> =
        cluster.nodes.iter().filter(|node| !is_there(node)).map(|node| node.name.as_str()).collect();
    let of = cluster.nodes.len();
    let mut line = format!("{} of {of} hosts have registered", of - absent.len());
    if !absent.is_empty() {
        line += &format!("; not yet: {}", absent.join(", "));
    }
    match hosts.iter().filter(|host| host.is_anonymous()).count() {
        0 => {}
        1 => line += "; one more has not told its name yet",
        more => line += &format!("; {more} more have not told their names yet"),
    }
    line
}

/// Returns a trouble for each node that is not there, before anything can be read of it.
#[must_use]
pub fn missing(cluster: &Cluster, is_there: impl Fn(&Node) -> bool) -> Vec<Trouble> {
    let absent = cluster.nodes.iter().filter(|node| !is_there(node));
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

/// Returns the one trouble of hosts that do not reach all the others.
///
/// On platform `none` every host must reach every other: one that is cut off makes the check fail on all.
fn majority(hosts: &[Registered<'_>], group_is_told: bool) -> Option<Trouble> {
    let apart = |host: &&Registered<'_>| host.checks().iter().any(|check| check.id == MAJORITY);
    let names: Vec<&str> = hosts.iter().filter(apart).map(|host| host.name.as_str()).collect();
    if names.is_empty() || !group_is_told {
        return None;
    }
    let what = if names.len() == hosts.len() && names.len() > 2 {
        "hosts do not reach each other; one that is cut off is enough for that".to_owned()
    } else {
        format!("{} not reach every other host", do_or_does(&names))
    };
    let fix = advice(MAJORITY).to_owned();
    Some(Trouble { key: format!("cluster/{MAJORITY}"), what, fix, patience: SETTLING })
}

fn do_or_does(names: &[&str]) -> String {
    format!("{} {}", names.join(", "), if names.len() == 1 { "does" } else { "do" })
}
