//! `cluster:` — its name, its version and its credentials.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::span::Located;

/// The cluster's name, version and credentials.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSettings {
    /// First part of the cluster's domain; everything on the hosts carries it.
    pub name: Located<String>,
    /// The DNS domain the cluster's own is in: `ocp` in `example.com` is `ocp.example.com`.
    pub base_domain: Located<String>,
    /// OpenShift release (`4.18.30`), or a channel (`stable-4.18`, `latest-4.18`).
    pub version: Located<String>,
    /// File with the pull secret, as downloaded from Red Hat. Not needed with `install.iso`.
    #[serde(default)]
    pub pull_secret_file: Option<Located<PathBuf>>,
    /// File with the public SSH keys that may log in to the nodes. Not needed with `install.iso`.
    #[serde(default)]
    pub ssh_key_file: Option<Located<PathBuf>>,
    /// Architecture of the nodes: `amd64`, for the hosts are.
    #[serde(default)]
    pub architecture: Option<Located<String>>,
    /// Who reaches the cluster: `External`; each host's `public` says where.
    #[serde(default)]
    pub publish: Option<Located<String>>,
    /// Only FIPS 140 validated cryptography; the first host has to be in FIPS mode.
    #[serde(default)]
    pub fips: Option<Located<bool>>,
    /// Optional components; all of them where nothing is said.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
}

/// Which of the optional components are installed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capabilities {
    /// The set to start from: `None`, `vCurrent`, `v4.18`.
    pub baseline_capability_set: Located<String>,
    /// Components beside those of the set.
    #[serde(default)]
    pub additional_enabled_capabilities: Vec<Located<String>>,
}
