//! `ocp2 down`: remove exactly what ocp2 made.

use std::path::PathBuf;

use clap::Args;

use crate::{
    bringup::{self, Removal},
    cli::{
        failure::Failure,
        global::{Global, Output, print, print_json},
        site::Site,
    },
    engine::Event,
    ui::say,
};

/// Options of `down`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Inventory file
    #[arg(value_name = "INVENTORY")]
    positional: Option<PathBuf>,
    /// Keep the VMs' disks
    #[arg(long)]
    keep_volumes: bool,
    /// Also remove the packages that ocp2 installed
    #[arg(long)]
    packages: bool,
    /// Leave out a host that is gone for good; may be given again
    #[arg(long, value_name = "NAME")]
    skip_host: Vec<String>,
}

/// Runs the command.
pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<(), Failure> {
    let positional = arguments.positional.clone();
    let work = async |site: &mut Site| take_down(global, &arguments, site).await;
    Site::visit_without(global, positional.as_deref(), &arguments.skip_host, work).await
}

async fn take_down(global: &Global, arguments: &Arguments, site: &mut Site) -> Result<(), Failure> {
    // What is removed is what carries the cluster's name: a host that lost its NIC's address is taken down, too.
    site.refuse_unread(None)?;
    let cluster = site.assumed().clone();
    let options = Removal { keep_volumes: arguments.keep_volumes, packages: arguments.packages };
    let changes = |site: &Site| -> Vec<Vec<crate::resource::Change>> {
        site.fleet.members().iter().map(|m| bringup::removal(&cluster, &m.facts, options)).collect()
    };
    let before = changes(site);
    let count = before.iter().flatten().filter(|change| !change.is_manual()).count();
    let listed = site.fleet.members().iter().zip(&before).filter(|(_, changes)| !changes.is_empty());
    for (member, changes) in listed {
        say(&format!("{}:", member.session.name()));
        for change in changes {
            say(&format!("  - {}: {}", change.resource, change.summary));
        }
    }
    if count == 0 {
        return report(global, &cluster.name, 0, &arguments.skip_host);
    }
    if !global.confirm(&format!("Remove cluster {} from these hosts?", cluster.name))? {
        return Err(Failure::Declined);
    }
    site.fleet.lock().await?;
    (site.sink())(Event::Phase { phase: "down", title: "The hosts are as they were" });
    let departures = site.fleet.members().iter().zip(changes(site)).map(|(member, changes)| {
        let goes = changes.iter().any(|change| !change.is_manual());
        if goes { bringup::departure(&cluster, &member.facts) } else { Vec::new() }
    });
    let departures = departures.collect();
    site.fleet.apply(departures).await?;
    site.fleet.refresh().await?;
    let now = changes(site);
    site.fleet.apply(now).await?;
    site.fleet.refresh().await?;
    let left: Vec<String> = changes(site)
        .iter()
        .flatten()
        .filter(|change| !change.is_manual())
        .map(|change| change.resource.clone())
        .collect();
    if !left.is_empty() {
        let host = "after removing".to_owned();
        return Err(crate::engine::Error::Differs { host, remaining: left }.into());
    }
    (site.sink())(Event::PhaseDone { phase: "down", changed: count });
    site.fleet.leave().await?;
    report(global, &cluster.name, count, &arguments.skip_host)
}

fn report(global: &Global, cluster: &str, removed: usize, skipped: &[String]) -> Result<(), Failure> {
    for host in skipped {
        say(&format!("{host} was skipped: what ocp2 made there is left"));
    }
    match global.output {
        Output::Json => print_json(&serde_json::json!({
            "apiVersion": "ocp2/v1", "cluster": cluster, "removed": removed, "skipped": skipped
        })),
        Output::Text if removed == 0 => print(&format!("Nothing of cluster {cluster} is on these hosts.")),
        Output::Text => print(&format!("Cluster {cluster} is gone from these hosts.")),
    }
}
