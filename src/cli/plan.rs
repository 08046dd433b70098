//! `ocp2 plan`: what `up` would change.

use std::{fmt::Write, io::IsTerminal, path::PathBuf};

use clap::Args;
use serde::Serialize;

use crate::{
    bringup::{ImageStep, Phase, STORY},
    cli::{
        failure::Failure,
        global::{Global, Output, print, print_json},
        site::Site,
    },
    cluster::{Cluster, Method},
    command::Script,
    engine::HostPlan,
    install::{self, Milestone},
    resource::{Action, Change, Detail},
    ui::{Style, say},
};

/// Options of `plan`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Inventory file
    #[arg(value_name = "INVENTORY")]
    positional: Option<PathBuf>,
    /// Exit with 8 if anything would change
    #[arg(long)]
    check: bool,
}

/// The changes of one phase on all hosts.
pub(super) struct PhasePlan {
    phase: Phase,
    hosts: Vec<HostPlan>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanJson<'a> {
    api_version: &'static str,
    cluster: &'a str,
    changes: Vec<ChangeJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeJson<'a> {
    phase: Phase,
    host: &'a str,
    resource: &'a str,
    summary: &'a str,
    details: &'a [Detail],
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
}

/// Runs the command.
pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<(), Failure> {
    let positional = arguments.positional.clone();
    Site::visit(global, positional.as_deref(), async |site| show(global, &arguments, site)).await
}

fn show(global: &Global, arguments: &Arguments, site: &Site) -> Result<(), Failure> {
    site.say_warnings()?;
    let cluster = site.cluster()?;
    site.preflight(&cluster)?;
    let plans = plans(site, &cluster)?;
    let count: usize = plans.iter().flat_map(|plan| &plan.hosts).map(|host| host.changes.len()).sum();
    match global.output {
        Output::Json => {
            print_json(&PlanJson { api_version: "ocp2/v1", cluster: &cluster.name, changes: json(&plans) })?;
        }
        Output::Text if count == 0 => print("Nothing to change: the hosts are as the inventory says.")?,
        Output::Text => {
            let style = Style::new(global.color, std::io::stdout().is_terminal());
            print(&format!("{}{}", overview(&cluster), text(&plans, style, true)))?;
        }
    }
    if arguments.check && count > 0 { Err(Failure::Differs) } else { Ok(()) }
}

/// Shows the plan in short and asks, where there is a terminal to ask on.
pub(super) fn confirm(global: &Global, site: &Site, cluster: &Cluster) -> Result<(), Failure> {
    let plans = plans(site, cluster)?;
    let count: usize = plans.iter().flat_map(|plan| &plan.hosts).map(|host| host.changes.len()).sum();
    if count == 0 || global.yes || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let style = Style::new(global.color, std::io::stderr().is_terminal());
    say(&format!("{}{}", overview(cluster), text(&plans, style, false)));
    if global.confirm(&format!("Make these {count} changes?"))? { Ok(()) } else { Err(Failure::Declined) }
}

/// Computes each phase's changes from what was last seen.
fn plans(site: &Site, cluster: &Cluster) -> Result<Vec<PhasePlan>, Failure> {
    let phases = STORY.into_iter().map(|phase| {
        let wanted = site.wanted(phase, cluster)?;
        let mut hosts = site.fleet.plan(&wanted)?;
        if phase.is_milestone() {
            milestone(site, cluster, phase, &mut hosts)?;
        }
        Ok(PhasePlan { phase, hosts })
    });
    phases.collect()
}

/// Adds what a milestone has yet to bring.
fn milestone(site: &Site, cluster: &Cluster, phase: Phase, hosts: &mut [HostPlan]) -> Result<(), Failure> {
    let mut add = |host: usize, resource: &str, summary: &str| {
        let change = Change::shell(resource.to_owned(), summary, Script::new());
        hosts[host].changes.push(change);
    };
    let facts: Vec<_> = site.fleet.members().iter().map(|member| &member.facts).collect();
    let (made, waited) = match cluster.install.method {
        Method::Agent => ("make it", true),
        Method::Upi(_) => ("get the disk image, make the ignition", true),
        Method::Iso(_) => ("get it", false),
    };
    let waits = |milestone: Milestone| waited && !milestone.is_reached(cluster, facts[0]);
    match phase {
        Phase::Image => match install::next_image_step(cluster, site.loaded.pull_secret.as_ref(), &facts)? {
            (_, Some(frozen)) => hosts[0].changes.push(frozen),
            (ImageStep::Make, None) => {
                add(0, "boot image", made);
                for host in 1..facts.len() {
                    add(host, "boot image", "copy it from the first host");
                }
            }
            (ImageStep::Copy(lacking), None) => {
                for host in lacking {
                    let how =
                        if host == 0 { "write its VMs' ignition" } else { "copy it from the first host" };
                    add(host, "boot image", how);
                }
            }
            (ImageStep::Done | ImageStep::Frozen, None) => {}
        },
        Phase::Bootstrap if waits(Milestone::Bootstrap) => add(0, "cluster", "wait for the control plane"),
        Phase::Install => {
            if waits(Milestone::Install) {
                add(0, "cluster", "wait for the installation");
            }
            for host in install::with_boot_image(cluster, &facts) {
                add(host, "boot image", "eject it from the VMs");
            }
        }
        _ => {}
    }
    Ok(())
}

/// Shows what was derived: addresses, placement, MTU.
fn overview(cluster: &Cluster) -> String {
    let mut text = format!(
        "{}: {} over {}, VM NIC MTU {}\n",
        cluster.domain(),
        cluster.network.machine,
        cluster.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(" and "),
        cluster.network.mtu
    );
    for (index, host) in cluster.hosts.iter().enumerate() {
        let nodes: Vec<String> =
            cluster.machines_on(index).map(|node| format!("{} {}", node.name, node.address)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {} {} (tunnel {}): {}",
            host.name,
            host.address,
            host.underlay.address,
            nodes.join(", ")
        );
    }
    text
}

fn text(plans: &[PhasePlan], style: Style, details: bool) -> String {
    let mut text = String::new();
    for plan in plans {
        for host in plan.hosts.iter().filter(|host| !host.changes.is_empty()) {
            let _ = writeln!(text, "\n{} on {}", style.strong(plan.phase.name()), host.host);
            for change in &host.changes {
                let _ = writeln!(text, "  {} {}: {}", style.change("~"), change.resource, change.summary);
                if let Action::Manual(advice) = &change.action {
                    let _ = writeln!(text, "      {advice}");
                }
                for detail in change.details.iter().filter(|_| details) {
                    text += &shown(detail, style);
                }
            }
        }
    }
    text
}

fn shown(detail: &Detail, style: Style) -> String {
    let Detail::Diff { text } = detail else { return String::new() };
    text.lines().fold(String::new(), |all, line| {
        let line = match line.as_bytes().first() {
            Some(b'+') => style.good(line),
            Some(b'-') => style.bad(line),
            _ => line.to_owned(),
        };
        format!("{all}      {line}\n")
    })
}

fn json(plans: &[PhasePlan]) -> Vec<ChangeJson<'_>> {
    let mut all = Vec::new();
    for plan in plans {
        for host in &plan.hosts {
            all.extend(host.changes.iter().map(|change| ChangeJson {
                phase: plan.phase,
                host: &host.host,
                resource: &change.resource,
                summary: &change.summary,
                details: &change.details,
                advice: match &change.action {
                    Action::Manual(advice) => Some(advice),
                    _ => None,
                },
            }));
        }
    }
    all
}
