//! One host that has registered: which node it is, and what is wrong with it.

use super::{HostSeen, Validation, failing};
use crate::{
    cluster::{Cluster, Node},
    install::{advice::advice, trouble::Trouble},
};

/// How long a check may fail, seconds: hosts report every 60 s what the service asks of them
/// (assisted-service, `internal/host/hostcommands/instruction_manager.go`), and the next report may mend it.
pub(super) const SETTLING: u64 = 60;

/// How long a host's clock may be without a server, seconds: chrony takes a while, and 66 s were seen.
const CLOCK: u64 = 150;

/// How long a host may take from its registration until it has told its hardware, seconds.
const HARDWARE: u64 = 180;

/// What the service says of a host because of another one.
const BECAUSE_OF_ANOTHER: &str = "Host is part of a cluster that failed to install";

/// The check that every host reaches the others.
pub(super) const MAJORITY: &str = "belongs-to-majority-group";

pub(super) const START_OVER: &str = "`ocp2 gather` collects the logs; `ocp2 down` and `ocp2 up` start over";

/// A host that has registered, and the node it is.
pub(super) struct Registered<'a> {
    pub(super) seen: &'a HostSeen,
    pub(super) node: Option<&'a Node>,
    /// The node's short name, else what the host calls itself.
    pub(super) name: String,
}

impl<'a> Registered<'a> {
    pub(super) fn of(seen: &'a HostSeen, cluster: &'a Cluster) -> Self {
        let node = cluster.nodes.iter().find(|node| {
            let hostname = cluster.hostname(node);
            seen.is_called(&hostname) || seen.has_no_name_but(node)
        });
        let name = node.map_or_else(|| seen.requested_hostname.clone(), |node| node.name.clone());
        Self { seen, node, name }
    }

    /// Tells whether it has not told its hardware yet, and so has no name.
    pub(super) fn is_anonymous(&self) -> bool {
        self.seen.requested_hostname.is_empty() || self.seen.requested_hostname == self.seen.id
    }

    /// Returns the checks that fail, of those whose input the host has reported.
    pub(super) fn checks(&self) -> Vec<Validation> {
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

    pub(super) fn troubles(&self, cluster: &Cluster, group_is_told: bool) -> Vec<Trouble> {
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
    pub(super) fn stage(&self) -> String {
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
    pub(super) fn trouble(&self, key: &str, who: &str) -> Trouble {
        Trouble {
            key: format!("{key}/{}", self.id),
            what: format!("{who}: {} fails: {}", self.id, first_line(&self.message)),
            fix: advice(&self.id).to_owned(),
            patience: if self.id == "ntp-synced" { CLOCK } else { SETTLING },
        }
    }
}

/// Returns a message without the recipes that follow it, which the service has written for its own console.
pub(super) fn first_line(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    line.split("\\n").next().unwrap_or_default().trim_end()
}
