//! Where everything of one cluster is on a host: every name carries the cluster's.

use crate::{cluster::Cluster, resource::record_path};

/// Names and paths of one cluster on every host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    cluster: String,
}

impl Place {
    /// Returns the place of a cluster.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        Self::named(&cluster.name)
    }

    /// Returns the place of the cluster of that name.
    #[must_use]
    pub fn named(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned() }
    }

    /// Returns the cluster's name.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Returns a path below /etc/ocp2/CLUSTER: what is configured.
    #[must_use]
    pub fn etc(&self, name: &str) -> String {
        format!("/etc/ocp2/{}/{name}", self.cluster)
    }

    /// Returns a path below /var/lib/ocp2/CLUSTER: what has to be remembered.
    #[must_use]
    pub fn var(&self, name: &str) -> String {
        format!("/var/lib/ocp2/{}/{name}", self.cluster)
    }

    /// Returns a path below /run/ocp2-CLUSTER: what runs.
    #[must_use]
    pub fn run(&self, name: &str) -> String {
        format!("/run/ocp2-{}/{name}", self.cluster)
    }

    /// Returns the name of a unit of ours: `ocp2-CLUSTER-NAME.service`.
    #[must_use]
    pub fn unit(&self, name: &str) -> String {
        format!("ocp2-{}-{name}.service", self.cluster)
    }

    /// Returns how the names of the transient units begin in which the installer waits.
    #[must_use]
    pub fn waits(&self) -> String {
        // A dot, as in `relay`.
        format!("ocp2-{}.wait-", self.cluster)
    }

    /// Returns how the names of the transient units begin in which an image goes from host to host.
    #[must_use]
    pub fn relay(&self) -> String {
        // A dot, for no cluster's name has one: `ocp2-a-relay-*` would be of a cluster `a-relay`, too.
        format!("ocp2-{}.relay", self.cluster)
    }

    /// Returns the path of a unit file of ours.
    #[must_use]
    pub fn unit_file(&self, name: &str) -> String {
        format!("/etc/systemd/system/{}", self.unit(name))
    }

    /// Returns the path of our file in sysctl.d.
    #[must_use]
    pub fn settings_file(&self) -> String {
        format!("/etc/sysctl.d/ocp2-{}.conf", self.cluster)
    }

    /// Returns the path of our file in NetworkManager's conf.d.
    #[must_use]
    pub fn network_manager_file(&self) -> String {
        format!("/etc/NetworkManager/conf.d/ocp2-{}.conf", self.cluster)
    }

    /// Returns the alias our links carry.
    #[must_use]
    pub fn alias(&self) -> String {
        format!("ocp2:{}", self.cluster)
    }

    /// Returns the path of our file in /run/sysctl.d, which comes and goes with our rules.
    #[must_use]
    pub fn forwarding_file(&self) -> String {
        // A dot, for one of that name in /etc would hide it, and no cluster's name has one.
        format!("/run/sysctl.d/ocp2-{}.forwarding.conf", self.cluster)
    }

    /// Returns a pattern of the paths of what all clusters remember under `name`.
    #[must_use]
    pub fn of_any(name: &str) -> String {
        format!("/var/lib/ocp2/*/{name}")
    }

    /// Returns the name of our table of nftables; cluster names have no `_`, so no two clash.
    #[must_use]
    pub fn nft_table(&self) -> String {
        format!("ocp2_{}", self.cluster.replace('-', "_"))
    }

    /// Returns the name of our storage pool.
    #[must_use]
    pub fn pool(&self) -> String {
        format!("ocp2-{}", self.cluster)
    }

    /// Returns the record of what was made for the cluster on a host.
    #[must_use]
    pub fn owned(&self) -> String {
        record_path(&self.cluster)
    }

    /// Returns the file that says that `down` has begun to remove the cluster from a host.
    #[must_use]
    pub fn leaving(&self) -> String {
        self.var("leaving")
    }

    /// Returns the file that says what the VMs of the host have booted from.
    #[must_use]
    pub fn begun(&self) -> String {
        self.var("begun")
    }

    /// Returns the file that describes the boot image on a host.
    #[must_use]
    pub fn image(&self) -> String {
        self.var("image.json")
    }

    /// Returns the file that says that the VMs need the boot image no more.
    #[must_use]
    pub fn ejected(&self) -> String {
        self.var("ejected")
    }

    /// Returns the first host's copy of what the boot image was made from, its secrets masked.
    #[must_use]
    pub fn inputs(&self) -> String {
        self.var("inputs")
    }

    /// Returns the file that says which release is installed.
    #[must_use]
    pub fn release(&self) -> String {
        self.var("release.json")
    }

    /// Returns the file that says that a milestone is reached.
    #[must_use]
    pub fn milestone(&self, name: &str) -> String {
        self.var(&format!("{name}.done"))
    }
}
