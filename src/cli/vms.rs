//! `ocp2 vms`: the VMs themselves.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::{
    bringup,
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
    let vms: Vec<Vm> =
        cluster.machines().map(|node| vm(&cluster, node, state(&site, &cluster, node))).collect();
    match global.output {
        Output::Json => print_json(&vms)?,
        Output::Text => print(&table(&vms))?,
    }
    site.fleet.close().await;
    lost.map_or(Ok(()), |error| Err(error.into()))
}

/// Returns what a node's VM is doing. What its host did not tell is unknown, and somebody else's VM of that name
/// is not it.
fn state(site: &Site, cluster: &Cluster, node: &Node) -> State {
    let host = &cluster.hosts[node.host].name;
    let member = site.fleet.members().iter().find(|member| member.session.name() == host);
    match member.map(|member| bringup::own_domain(cluster, node, &member.facts)) {
        None | Some(Err(_)) => State::Unknown,
        Some(Ok(None)) => State::Missing,
        Some(Ok(Some(domain))) => match domain.state {
            DomainState::Running => State::Running,
            DomainState::Off => State::Off,
            DomainState::Paused => State::Paused,
        },
    }
}

fn vm<'a>(cluster: &'a Cluster, node: &'a Node, state: State) -> Vm<'a> {
    let host = &cluster.hosts[node.host].name;
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
