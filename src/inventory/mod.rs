//! The inventory: the YAML as the user wrote it, with line and column of every field.
//!
//! [`load`] reads it and the files it names and finds everything wrong with it
//! that needs no host; [`crate::cluster::resolve`] finds the rest. Both report
//! all [`Problems`] at once, each at its place in the text.

mod anchor;
mod check;
mod cluster;
mod decode;
mod host;
mod install;
mod load;
mod member;
mod mirror_key;
mod network;
mod node;
mod nodes;
mod problem;
mod source;
mod span;
mod value;
mod wrong;

use schemars::JsonSchema;
use serde::Deserialize;

pub use check::LEAST_MTU;
pub use cluster::{Capabilities, ClusterSettings};
pub use host::{HostSettings, Ssh, SshError, UnderlaySettings};
pub use install::{
    ImageDigestSource, InstallSettings, Method, PUBLIC_MIRROR, ProxySettings, TrustBundlePolicy, os_image,
};
pub use load::{LoadError, Loaded, load};
pub use member::Member;
pub use mirror_key::{RELEASE_KEY, keyring};
pub use network::{Addressing, ClusterNetwork, Encryption, NetworkSettings, Vxlan};
pub use nodes::{BelowMinimum, Group, Item, MachineSettings, NodeSettings, Role, VirtType};
pub use problem::{Problem, Problems, Source, Warning};
pub use source::{Disk, Files};
pub use span::{Located, Span};
pub use value::{Cidr, Mtu, Public, Size, SizeError};

/// The commented inventory `ocp2 init` writes.
pub const STARTER: &str = include_str!("starter.yaml");

/// The inventory of one cluster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inventory {
    /// Version of this format.
    pub api_version: ApiVersion,
    /// The cluster's name, version and credentials.
    pub cluster: ClusterSettings,
    /// The physical servers; the first one runs the installer.
    pub hosts: Vec<HostSettings>,
    /// The overlay and the cluster's own networks.
    #[serde(default)]
    pub network: NetworkSettings,
    /// The VMs, by role.
    #[serde(default)]
    pub nodes: NodeSettings,
    /// How domains are made.
    #[serde(default)]
    pub machines: MachineSettings,
    /// How OpenShift gets onto the VMs, and from where.
    #[serde(default)]
    pub install: InstallSettings,
}

/// Version of the inventory's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The only one so far.
    #[serde(rename = "ocp2/v1")]
    V1,
}

/// Returns the JSON Schema of the inventory, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Inventory).to_value()
}
