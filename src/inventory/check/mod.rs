//! Everything that must hold between the fields, and that no host is needed for.
//!
//! All checks run, whatever the others find. One that would misunderstand
//! because a field it reads could not be read itself is left out that time.

mod addresses;
mod capabilities;
mod credentials;
mod downloads;
mod install;
mod links;
mod mirrors;
mod names;
mod networks;
mod proxy;
mod release;
mod sizes;
mod trust;

use super::{
    Inventory,
    problem::{Problem, Warning},
};

pub use sizes::LEAST_MTU;

/// What is checked: the inventory, and the content of the files it names.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub inventory: &'a Inventory,
    pub pull_secret: Option<&'a str>,
    pub ssh_key: Option<&'a str>,
    pub trust_bundle: Option<&'a str>,
    pub mirror_key: Option<&'a str>,
}

/// What the checks found.
#[derive(Default)]
pub(super) struct Findings {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Warning>,
}

impl Findings {
    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn warning(&mut self, field: &str, message: impl Into<String>) {
        self.warnings.push(Warning { field: field.to_owned(), message: message.into() });
    }
}

/// One check.
struct Check {
    /// Fields (and all below them) without which it would misunderstand the rest.
    reads: &'static [&'static str],
    run: fn(&Subject<'_>, &mut Findings),
}

const NETWORKS: &[&str] = &["network.machineNetwork", "network.clusterNetwork", "network.serviceNetwork"];

/// All checks, in the order of the inventory.
const CHECKS: &[Check] = &[
    Check { reads: &[], run: names::cluster },
    Check { reads: &[], run: release::version },
    Check { reads: &["cluster.version", "cluster.capabilities"], run: capabilities::check },
    Check { reads: &[], run: release::kind },
    Check { reads: &["hosts"], run: names::hosts },
    Check { reads: &["hosts", "nodes", "install.method"], run: names::nodes },
    Check { reads: &["cluster.pullSecretFile", "install.iso"], run: credentials::pull_secret },
    Check { reads: &["cluster.sshKeyFile", "cluster.fips", "install.iso"], run: credentials::ssh_key },
    Check { reads: &["hosts"], run: links::hosts },
    Check { reads: &["network.bridge", "network.vxlan"], run: links::overlay },
    Check { reads: NETWORKS, run: networks::overlaps },
    Check { reads: &[], run: networks::each },
    Check { reads: &["network.clusterNetwork", "nodes"], run: networks::room_for_pods },
    Check { reads: &["network.machineNetwork", "hosts", "nodes"], run: addresses::in_machine_network },
    Check { reads: NETWORKS, run: addresses::underlay },
    Check { reads: &[], run: addresses::macs },
    Check { reads: &["nodes.masters.count", "nodes.workers.count"], run: sizes::counts },
    Check { reads: &["nodes", "machines.belowMinimum"], run: sizes::minimums },
    Check { reads: &[], run: sizes::mtu },
    Check { reads: &[], run: install::not_yet },
    Check { reads: &["install"], run: install::method },
    Check { reads: &[], run: install::sources },
    Check { reads: &["install.allowHttp"], run: downloads::http },
    Check { reads: &[], run: downloads::key },
    Check { reads: &[], run: install::installer },
    Check { reads: &[], run: install::time },
    Check { reads: &[], run: install::pool },
    Check { reads: NETWORKS, run: proxy::check },
    Check { reads: &[], run: mirrors::check },
    Check { reads: &[], run: trust::check },
];

/// Runs every check that does not depend on a field whose value is lost.
pub(super) fn all(subject: &Subject<'_>, lost: &[String]) -> Findings {
    let mut findings = Findings::default();
    for check in CHECKS {
        let blind = |read: &&str| lost.iter().any(|lost| below(lost, read) || below(read, lost));
        if !check.reads.iter().any(blind) {
            (check.run)(subject, &mut findings);
        }
    }
    findings
}

/// Tells whether `path` is `top` or a part of it.
fn below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
