//! `ocp2 vms`: the VMs themselves.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::{
    cli::{
        failure::Failure,
        global::{Global, Output, print, print_json},
        power::{self, Verb},
        site::Site,
    },
    cluster::{Cluster, Node},
    resource::hypervisor::DomainState,
};

/// Options of `vms`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all VMs with their state
    List {
        /// Inventory file
        #[arg(value_name = "INVENTORY")]
        positional: Option<PathBuf>,
    },
    /// Start VMs
    Start(Names),
    /// Ask VMs to power off
    Stop(Names),
    /// Ask VMs to reboot; one whose definition has changed is powered off and on
    Restart(Restart),
}

#[derive(Debug, Args)]
struct Names {
    /// Nodes, as `vms list` names them
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Debug, Args)]
struct Restart {
    #[command(flatten)]
    names: Names,
    /// Cut the power of a VM that does not power off by itself
    #[arg(long)]
    force: bool,
}

/// A VM as `vms list` shows it; others read these names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Vm<'a> {
    name: &'a str,
    role: &'static str,
    host: &'a str,
    state: State,
    ip: String,
    mac: String,
    vcpus: u32,
    #[serde(rename = "memoryMiB")]
    memory_mib: u64,
    #[serde(rename = "diskGiB")]
    disk_gib: u64,
    mtu: u16,
    uuid: &'a str,
}

/// What a VM is doing, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Running,
    Off,
    Paused,
    Missing,
    Unknown,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Off => "off",
            Self::Paused => "paused",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// Runs the command.
pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::List { positional } => list(global, positional).await,
        Command::Start(names) => power::switch(global, &names.names, Verb::Start).await,
        Command::Stop(names) => power::switch(global, &names.names, Verb::Stop).await,
        Command::Restart(restart) => power::restart(global, &restart.names.names, restart.force).await,
    }
}

async fn list(global: &Global, inventory: Option<PathBuf>) -> Result<(), Failure> {
    let (site, lost) = Site::open_reachable(global, inventory.as_deref()).await?;
    let cluster = site.cluster_to_show()?;
    let states = states(&site);
    let vms: Vec<Vm> = cluster.machines().map(|node| vm(&cluster, node, &states)).collect();
    match global.output {
        Output::Json => print_json(&vms)?,
        Output::Text => print(&table(&vms))?,
    }
    site.fleet.close().await;
    lost.map_or(Ok(()), |error| Err(error.into()))
}

/// Returns the domains of every host that was reached.
fn states(site: &Site) -> BTreeMap<String, BTreeMap<String, DomainState>> {
    let domains = |facts: &crate::resource::Facts| {
        let seen = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
        seen.map(|domain| (domain.name.clone(), domain.state)).collect()
    };
    // What libvirt did not tell is unknown, as on a host that was not reached.
    let told = site.fleet.members().iter().filter(|m| !m.facts.unknown.contains_key("libvirt"));
    told.map(|m| (m.session.name().to_owned(), domains(&m.facts))).collect()
}

fn vm<'a>(
    cluster: &'a Cluster,
    node: &'a Node,
    states: &BTreeMap<String, BTreeMap<String, DomainState>>,
) -> Vm<'a> {
    let host = &cluster.hosts[node.host].name;
    let state = match states.get(host).map(|domains| domains.get(&cluster.domain_name(node))) {
        None => State::Unknown,
        Some(None) => State::Missing,
        Some(Some(DomainState::Running)) => State::Running,
        Some(Some(DomainState::Off)) => State::Off,
        Some(Some(DomainState::Paused)) => State::Paused,
    };
    Vm {
        name: &node.name,
        role: cluster.part(node),
        host,
        state,
        ip: node.address.to_string(),
        mac: node.mac.to_string(),
        vcpus: node.vcpus,
        memory_mib: node.memory_mib,
        disk_gib: node.disk_gib,
        mtu: cluster.network.mtu,
        uuid: &node.uuid,
    }
}

fn table(vms: &[Vm]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["NAME", "ROLE", "HOST", "STATE", "IP", "MAC", "VCPUS", "MEMORY", "DISK", "MTU"]);
    for vm in vms {
        table.add_row([
            vm.name.to_owned(),
            vm.role.to_owned(),
            vm.host.to_owned(),
            vm.state.as_str().to_owned(),
            vm.ip.clone(),
            vm.mac.clone(),
            vm.vcpus.to_string(),
            format!("{} MiB", vm.memory_mib),
            format!("{} GiB", vm.disk_gib),
            vm.mtu.to_string(),
        ]);
    }
    let lines = table.to_string();
    lines.lines().map(|line| format!("{}\n", line.trim())).collect()
}
