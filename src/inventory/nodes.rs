//! `nodes:` and `machines:` — how many VMs, how large, where and made how.

use std::{net::Ipv4Addr, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{span::Located, value::Size};
use crate::address::Mac;

/// The VMs, by role.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodeSettings {
    /// The control plane: 1, 3, 4 or 5.
    pub masters: Group,
    /// The compute nodes; 0 lets the masters take the work.
    pub workers: Group,
}

/// All VMs of one role.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Group {
    /// How many.
    pub count: Located<u32>,
    /// Virtual CPUs of each.
    pub vcpus: Located<u32>,
    /// Memory of each.
    pub memory: Located<Size>,
    /// Disk of each.
    pub disk: Located<Size>,
    /// What single ones have of their own.
    pub items: Vec<Item>,
}

/// What one VM has of its own.
///
/// An item named like a VM of its group (`master1`) is about that one; the
/// others are about the VMs that remain, in order, and may rename them.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Item {
    /// Its name.
    pub name: Option<Located<String>>,
    /// Name of the host it is placed on.
    pub host: Option<Located<String>>,
    /// Its address in the machine network.
    pub ip: Option<Located<Ipv4Addr>>,
    /// MAC of its NIC.
    #[schemars(with = "Option<String>")]
    pub mac: Option<Located<Mac>>,
    /// Its virtual CPUs.
    pub vcpus: Option<Located<u32>>,
    /// Its memory.
    pub memory: Option<Located<Size>>,
    /// Its disk.
    pub disk: Option<Located<Size>>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            count: Located::unwritten(3),
            vcpus: Located::unwritten(4),
            memory: Located::unwritten(Size::gib(16)),
            disk: Located::unwritten(Size::gib(120)),
            items: Vec::new(),
        }
    }
}

/// Role of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Control plane.
    Master,
    /// Compute.
    Worker,
}

impl Role {
    /// Returns the installer's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Worker => "worker",
        }
    }
}

/// How domains are made.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MachineSettings {
    /// Acceleration of the VMs.
    pub virt_type: Located<VirtType>,
    /// Folder of the storage pool on every host.
    pub pool: Option<Located<PathBuf>>,
    /// What to do about VMs smaller than the installer accepts.
    pub below_minimum: BelowMinimum,
}

/// Acceleration of the VMs, as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum VirtType {
    /// KVM, which every host has to prove.
    Auto,
    /// KVM.
    Kvm,
    /// QEMU's own emulation; for rehearsals only.
    Qemu,
}

/// What to do about VMs smaller than the installer accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BelowMinimum {
    /// Refuse the inventory.
    #[default]
    Refuse,
    /// Take them: the guests are stand-ins.
    Allow,
}

impl Default for MachineSettings {
    fn default() -> Self {
        Self {
            virt_type: Located::unwritten(VirtType::Auto),
            pool: None,
            below_minimum: BelowMinimum::default(),
        }
    }
}
