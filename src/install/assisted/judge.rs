//! Whether what the hosts report keeps the installation from its begin or its end.

use super::{ClusterSeen, HostSeen, Validation, failing};
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

/// How long a check may fail, seconds: hosts report every 60 s what the service asks of them
/// (assisted-service, `internal/host/hostcommands/instruction_manager.go`), and the next report may mend it.
const SETTLING: u64 = 60;

/// How long a host's clock may be without a server, seconds: chrony takes a while, and 66 s were seen.
const CLOCK: u64 = 150;

/// How long a host may take from its registration until it has told its hardware, seconds.
const HARDWARE: u64 = 180;

/// How long until a VM registers, seconds: it boots the image, and the rendezvous node pulls the release's
/// and the service's images first, which takes 3 to 15 minutes.
const BOOTING: u64 = 900;

/// Checks of the cluster that say the same as its hosts' own.
const ABOUT_HOSTS: &[&str] = &["all-hosts-are-ready-to-install", "sufficient-masters-count"];

/// What the service says of a host because of another one.
const BECAUSE_OF_ANOTHER: &str = "Host is part of a cluster that failed to install";

/// What a cluster's `status_info` says between two attempts to prepare it.
const NOT_PREPARED: &str = "Cluster failed to prepare for installation";

const MAJORITY: &str = "belongs-to-majority-group";

const START_OVER: &str = "`ocp2 gather` collects the logs; `ocp2 down` and `ocp2 up` start over";

impl ClusterSeen {
    /// Judges it against the nodes there should be.
    #[must_use]
    pub fn judge(&self, cluster: &Cluster) -> Judgement {
        let hosts: Vec<Known> = self.hosts.iter().map(|host| Known::of(host, cluster)).collect();
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
fn line(cluster: &Cluster, hosts: &[Known<'_>], is_there: impl Fn(&Node) -> bool) -> String {
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
fn majority(hosts: &[Known<'_>], group_is_told: bool) -> Option<Trouble> {
    let apart = |host: &&Known<'_>| host.checks().iter().any(|check| check.id == MAJORITY);
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

/// A host that has registered, and the node it is.
struct Known<'a> {
    seen: &'a HostSeen,
    node: Option<&'a Node>,
    /// The node's short name, else what the host calls itself.
    name: String,
}

impl<'a> Known<'a> {
    fn of(seen: &'a HostSeen, cluster: &'a Cluster) -> Self {
        let node = cluster.nodes.iter().find(|node| {
            let hostname = cluster.hostname(node);
            seen.is_called(&hostname) || seen.has_no_name_but(node)
        });
        let name = node.map_or_else(|| seen.requested_hostname.clone(), |node| node.name.clone());
        Self { seen, node, name }
    }

    /// Tells whether it has not told its hardware yet, and so has no name.
    fn is_anonymous(&self) -> bool {
        self.seen.requested_hostname.is_empty() || self.seen.requested_hostname == self.seen.id
    }

    /// Returns the checks that fail, of those whose input the host has reported.
    fn checks(&self) -> Vec<Validation> {
        let host = self.seen;
        // Once it is being installed, its checks are of yesterday: it reboots, and does not answer them.
        let begun = host.status.starts_with("install")
            || host.status.starts_with("preparing") && host.status != "preparing-failed";
        if begun || matches!(host.status.as_str(), "disconnected" | "error") || host.inventory.is_empty() {
            return Vec::new();
        }
        let mut checks = failing(host.validations_info.as_deref());
        checks.retain(|check| match check.id.as_str() {
            "ntp-synced" => !host.ntp_sources.is_empty(),
            "dns-wildcard-not-configured" => !host.domain_name_resolutions.is_empty(),
            id if id.ends_with("-domain-name-resolved-correctly") => !host.domain_name_resolutions.is_empty(),
            // The status says it, with the message.
            "container-images-available" => host.status != "preparing-failed",
            _ => true,
        });
        checks
    }

    fn troubles(&self, cluster: &Cluster, group_is_told: bool) -> Vec<Trouble> {
        let (name, host) = (&self.name, self.seen);
        let trouble = |kind: &str, what: String, fix: &str, patience| Trouble {
            key: format!("{}/{kind}", host.id),
            what,
            fix: fix.to_owned(),
            patience,
        };
        if self.is_anonymous() {
            let what = format!("a host has registered as {} and does not tell its hardware", host.id);
            return vec![trouble(
                "inventory",
                what,
                "look at the consoles of the nodes that are missing",
                HARDWARE,
            )];
        }
        let mut troubles = Vec::new();
        if let Some((what, fix)) = self.failure() {
            let what = format!("{name} {what}: {}", first_line(&host.status_info));
            troubles.push(trouble("status", what, fix, 0));
        }
        match self.node {
            None => troubles.push(trouble(
                "unknown",
                format!("a host called {name} has registered, which is not in the inventory"),
                "another machine boots this cluster's image, or a node does not know its name: compare the MACs in `ocp2 vms list`",
                SETTLING,
            )),
            Some(node) if host.has_no_name_but(node) => troubles.push(trouble(
                "nameless",
                format!("{name} does not know its name and has registered as {}", host.requested_hostname),
                "it asks its host's dnsmasq for it, by DHCP and by the PTR record of its address (`ocp2 plan`)",
                SETTLING,
            )),
            Some(_) => {}
        }
        let checks = self.checks().into_iter();
        // Told once, of all hosts together.
        let checks =
            checks.filter(|check| check.id != MAJORITY && (group_is_told || !is_of_the_group(&check.id)));
        troubles.extend(checks.map(|mut check| {
            // The service speaks of the host itself by its id.
            check.message = check.message.replace(&host.id, name);
            check.trouble(&host.id, name)
        }));
        if let Some(node) = self.node.filter(|_| host.status == "disconnected") {
            for trouble in &mut troubles {
                trouble.fix += &format!("; {}", Trouble::console(cluster, node));
            }
        }
        troubles
    }

    /// Returns what is wrong with it as a whole, and the fix.
    fn failure(&self) -> Option<(&'static str, &'static str)> {
        match self.seen.status.as_str() {
            "error" if self.seen.status_info.starts_with(BECAUSE_OF_ANOTHER) => None,
            "error" => Some(("has failed", START_OVER)),
            "disconnected" => {
                Some(("has stopped reporting", "look whether the VM still runs (`ocp2 vms list`)"))
            }
            "preparing-failed" => Some(("cannot be prepared", advice("container-images-available"))),
            "installing-pending-user-action" => Some((
                "waits for somebody to act",
                "it has booted the image again and not its disk: its boot order must begin with the disk (`ocp2 plan`)",
            )),
            _ => None,
        }
    }
}

/// Tells whether a check is made of what several hosts have measured between each other.
fn is_of_the_group(check: &str) -> bool {
    matches!(
        check,
        "mtu-valid"
            | "no-ip-collisions-in-network"
            | "sufficient-network-latency-requirement-for-role"
            | "sufficient-packet-loss-requirement-for-role"
    )
}

impl HostSeen {
    /// Tells whether it has this name, with or without the domain.
    fn is_called(&self, hostname: &str) -> bool {
        let short = hostname.split_once('.').map_or(hostname, |(short, _)| short);
        self.requested_hostname == hostname || self.requested_hostname == short
    }

    /// Tells whether it goes by the node's MAC.
    fn has_no_name_but(&self, node: &Node) -> bool {
        self.requested_hostname == node.mac.to_string().to_ascii_lowercase().replace(':', "-")
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
}

impl Validation {
    /// Returns the trouble it is, of a host or of the cluster.
    fn trouble(&self, key: &str, who: &str) -> Trouble {
        Trouble {
            key: format!("{key}/{}", self.id),
            what: format!("{who}: {} fails: {}", self.id, first_line(&self.message)),
            fix: advice(&self.id).to_owned(),
            patience: if self.id == "ntp-synced" { CLOCK } else { SETTLING },
        }
    }
}

/// Returns a message without the recipes that follow it, which the service has written for its own console.
fn first_line(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.split("\\n").next().unwrap_or_default().trim_end()
}
