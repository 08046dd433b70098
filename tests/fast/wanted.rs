//! A host as its phases want it, and a machine to have it on.

use ocp2::{
    bringup::{Phase, Place},
    cluster::{Cluster, Host},
    resource::{Action, Change, Facts, Resource, UnitSeen},
};

use crate::{inventories, programs::Machine};

/// The phases that put files on a host.
const PHASES: [Phase; 5] = [Phase::Overlay, Phase::Nat, Phase::Names, Phase::Balancer, Phase::Machines];

/// A host as its phases want it.
pub struct Wanted {
    pub cluster: Cluster,
    pub host: usize,
    pub resources: Vec<Resource>,
}

impl Wanted {
    pub fn new(cluster: &Cluster, host: usize) -> Self {
        // NetworkManager is told to leave our links alone only where it is.
        let loaded = UnitSeen { load: "loaded".into(), ..UnitSeen::default() };
        let facts =
            Facts { units: [("NetworkManager.service".to_owned(), loaded)].into(), ..Facts::default() };
        let wanted = PHASES.iter().flat_map(|phase| phase.wanted(cluster, host, &facts).unwrap());
        Self { cluster: cluster.clone(), host, resources: wanted.collect() }
    }

    pub fn this(&self) -> &Host {
        &self.cluster.hosts[self.host]
    }

    pub fn place(&self) -> Place {
        Place::of(&self.cluster)
    }

    /// Returns the path of the one file with this ending.
    pub fn path(&self, end: &str) -> String {
        let paths: Vec<&String> = self.files().filter(|path| path.ends_with(end)).collect();
        assert_eq!(paths.len(), 1, "{end}: {paths:?}");
        paths[0].clone()
    }

    pub fn files(&self) -> impl Iterator<Item = &String> {
        self.resources.iter().filter_map(|resource| match resource {
            Resource::File(file) => Some(&file.path),
            _ => None,
        })
    }

    /// Returns the source of the changes from nothing to the resources that `choose` picks.
    pub fn source(&self, choose: impl Fn(&Resource) -> bool) -> String {
        let chosen = self.resources.iter().filter(|resource| choose(resource));
        chosen
            .flat_map(|resource| resource.changes(&Facts::default()).unwrap())
            .map(|change| source(&change))
            .collect()
    }

    /// Returns a machine with this host's NIC.
    pub fn machine(&self) -> Machine {
        let underlay = &self.this().underlay;
        let nic = underlay.device.as_deref().unwrap_or("eno1");
        Machine::new().nic(nic, underlay.mtu, underlay.address)
    }

    /// Returns a machine that has this host's files, too.
    pub fn machine_with_files(&self) -> Machine {
        self.machine().step("files", &self.source(|resource| matches!(resource, Resource::File(_))))
    }
}

/// Returns a change's shell source, as a step of its own.
pub fn source(change: &Change) -> String {
    match &change.action {
        Action::Shell(script) => format!("( {} )\n", script.source().trim_end()),
        Action::Hypervisor(_) | Action::Manual(_) => panic!("{change:?}"),
    }
}

/// Runs `test` for every host of every inventory, all at once.
pub fn on_every_host(test: impl Fn(&Wanted) + Sync) {
    on_hosts(|cluster| (0..cluster.hosts.len()).collect(), test);
}

/// Runs `test` for the last host of every inventory: they are alike in all but numbers.
pub fn on_a_host_of_each(test: impl Fn(&Wanted) + Sync) {
    on_hosts(|cluster| vec![cluster.hosts.len() - 1], test);
}

fn on_hosts(which: impl Fn(&Cluster) -> Vec<usize>, test: impl Fn(&Wanted) + Sync) {
    std::thread::scope(|scope| {
        for path in inventories::all() {
            let cluster = inventories::cluster(&path);
            for host in which(&cluster) {
                let (wanted, test) = (Wanted::new(&cluster, host), &test);
                scope.spawn(move || test(&wanted));
            }
        }
    });
}
