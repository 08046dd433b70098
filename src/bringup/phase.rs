//! The list of phases, in the order of the story.

use crate::{
    bringup::{
        Place, balancer, gateway, heirs, hosts, machines, names, neighbours, overlay, strangers, unread,
    },
    cluster::Cluster,
    command::quote,
    render,
    resource::{Facts, Firewall, Manager, Questions, Resource, System},
};

/// One phase of a bring-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Hosts are reachable and have what is needed.
    Hosts,
    /// The VMs' network spans all hosts.
    Overlay,
    /// VMs reach the outside, the outside does not reach them.
    Nat,
    /// VMs resolve the cluster's names.
    Names,
    /// API and ingress answer on one address per host.
    Balancer,
    /// The boot image is on every host.
    Image,
    /// The VMs exist and run.
    Machines,
    /// The cluster's control plane runs by itself.
    Bootstrap,
    /// OpenShift is installed.
    Install,
}

/// All phases, in order.
pub const STORY: [Phase; 9] = [
    Phase::Hosts,
    Phase::Overlay,
    Phase::Nat,
    Phase::Names,
    Phase::Balancer,
    Phase::Image,
    Phase::Machines,
    Phase::Bootstrap,
    Phase::Install,
];

impl Phase {
    /// Returns its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::Overlay => "overlay",
            Self::Nat => "nat",
            Self::Names => "names",
            Self::Balancer => "balancer",
            Self::Image => "image",
            Self::Machines => "machines",
            Self::Bootstrap => "bootstrap",
            Self::Install => "install",
        }
    }

    /// Returns what is true when it is done, as a sentence.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Hosts => "The hosts have what they need",
            Self::Overlay => "One L2 network spans all hosts",
            Self::Nat => "VMs reach the outside through their own host",
            Self::Names => "VMs resolve the cluster's names",
            Self::Balancer => "API and ingress answer on every host",
            Self::Image => "The boot image is on every host",
            Self::Machines => "The VMs run",
            Self::Bootstrap => "The control plane runs by itself",
            Self::Install => "OpenShift is installed",
        }
    }

    /// Returns what it wants on one host.
    ///
    /// # Errors
    /// Returns an error where a template cannot be filled, which is a defect of ocp2.
    pub fn wanted(
        self,
        cluster: &Cluster,
        host: usize,
        facts: &Facts,
    ) -> Result<Vec<Resource>, render::Error> {
        match self {
            Self::Hosts => Ok(hosts::wanted(cluster, facts)),
            Self::Overlay => overlay::wanted(cluster, host, facts),
            Self::Nat => gateway::wanted(cluster, host, facts),
            Self::Names => names::wanted(cluster, host),
            Self::Balancer => balancer::wanted(cluster, host),
            Self::Machines => machines::wanted(cluster, host, facts),
            Self::Image | Self::Bootstrap | Self::Install => Ok(Vec::new()),
        }
    }

    /// Tells whether it waits for something the cluster does itself.
    #[must_use]
    pub fn is_milestone(self) -> bool {
        matches!(self, Self::Image | Self::Bootstrap | Self::Install)
    }
}

/// Returns all that has to be asked on one host for the whole story and for taking it down.
///
/// What is wanted depends a little on the system (apt or dnf), which is not
/// known before the first answer: the questions are those of both, and of SELinux.
///
/// # Errors
/// As [`Phase::wanted`].
pub fn questions(cluster: &Cluster, host: usize) -> Result<Questions, render::Error> {
    let place = Place::of(cluster);
    let mut questions = Questions::default();
    for manager in [Manager::Apt, Manager::Dnf] {
        let system = System { manager: Some(manager), selinux: true, ..System::default() };
        let facts = Facts { system, firewalls: Firewall::ALL.into(), ..Facts::default() };
        for phase in STORY {
            for resource in phase.wanted(cluster, host, &facts)? {
                resource.ask(&mut questions);
            }
        }
    }
    questions.units.insert("NetworkManager.service".into());
    questions.units.extend(neighbours::UNITS.map(str::to_owned));
    neighbours::ask(&place, &mut questions);
    strangers::ask(&mut questions);
    questions.files.insert(place.network_manager_file());
    questions.files.extend([
        place.owned(),
        place.leaving(),
        place.begun(),
        place.ejected(),
        place.image(),
        place.inputs(),
        place.release(),
        place.milestone("bootstrap"),
        place.milestone("install"),
    ]);
    let pool = cluster.machines.pool.display();
    questions.space.insert(pool.to_string());
    questions.folders.insert(pool.to_string());
    questions.listings.extend([
        place.etc(""),
        place.var(""),
        format!("/etc/systemd/system/ocp2-{}-*.service", cluster.name),
        format!("{}*", quote(&format!("{pool}/{}-", cluster.name))),
        heirs::PATTERN.to_owned(),
    ]);
    questions.listings.extend(unread::patterns(&place));
    Ok(questions)
}
