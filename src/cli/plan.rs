//! `ocp2 plan`: what `up` would change.

use std::{fmt::Write, io::IsTerminal, path::PathBuf};

use clap::Args;
use serde::Serialize;

use crate::{
    bringup::{ImageStep, Leave, Phase, STORY, release},
    cli::{
        failure::Failure,
        global::{Global, Output, print, print_json},
        leave::{self, KeptJson},
        site::Site,
        up::phase,
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
    /// Leave out what comes after this phase
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    until: Option<Phase>,
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
    kept: Vec<KeptJson>,
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
    let until = arguments.until.unwrap_or(Phase::Install);
    let plans = plans(site, &cluster, until, Leave { vms: true, disks: false })?;
    let kept = leave::kept(site, &cluster);
    let count: usize = plans.iter().flat_map(|plan| &plan.hosts).map(|host| host.changes.len()).sum();
    match global.output {
        Output::Json => {
            let changes = json(&plans);
            print_json(&PlanJson { api_version: "ocp2/v1", cluster: &cluster.name, changes, kept })?;
        }
        Output::Text if count == 0 => {
            print(&format!(
                "Nothing to change: the hosts are as the inventory says.\n{}",
                leave::shown(&kept)
            ))?;
        }
        Output::Text => {
            let style = Style::new(global.color, std::io::stdout().is_terminal());
            let changes = text(&plans, style, true);
            print(&format!("{}{changes}{}", overview(site, &cluster), leave::shown(&kept)))?;
        }
    }
    if arguments.check && count > 0 { Err(Failure::Differs) } else { Ok(()) }
}

/// Shows the plan in short and asks, where there is a terminal to ask on; returns what may be removed.
///
/// `said` is what the user said of it.
///
/// # Errors
/// Refuses where a VM would be removed and nobody said so or can be asked.
pub(super) fn confirm(
    global: &Global,
    site: &Site,
    cluster: &Cluster,
    until: Phase,
    said: Leave,
) -> Result<Leave, Failure> {
    let terminal = std::io::stdin().is_terminal();
    // A run that does not go as far as the VMs removes none.
    let (leavers, leave) = if until >= Phase::Machines {
        (leave::leavers(site, cluster), said)
    } else {
        (Vec::new(), Leave::default())
    };
    if !leavers.is_empty() && !leave.vms && !terminal {
        return Err(Failure::Usage(format!(
            "no longer in the inventory: {}. A VM is removed only where that is said: with --remove-vms or --yes \
             (drain a node first: oc adm drain, oc delete node); nothing was changed",
            leavers.join(", ")
        )));
    }
    let ask = !global.yes && terminal;
    let leave = Leave { vms: leave.vms || (ask && !leavers.is_empty()), ..leave };
    let plans = plans(site, cluster, until, leave)?;
    let count: usize = plans.iter().flat_map(|plan| &plan.hosts).map(|host| host.changes.len()).sum();
    if count == 0 || !ask {
        return Ok(leave);
    }
    let style = Style::new(global.color, std::io::stderr().is_terminal());
    say(&format!("{}{}", overview(site, cluster), text(&plans, style, false)));
    let removal = if leavers.is_empty() {
        String::new()
    } else {
        format!(" They remove VMs that left the inventory: {}.", leavers.join(", "))
    };
    if global.confirm(&format!("Make these {count} changes?{removal}"))? {
        Ok(leave)
    } else {
        Err(Failure::Declined)
    }
}

/// Returns what `up` does not do unasked, with the way to do it.
pub(super) fn left_to_you(site: &Site, cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let plans = plans(site, cluster, Phase::Install, Leave::default())?;
    let hosts = plans.iter().flat_map(|plan| &plan.hosts);
    let manual = hosts.flat_map(|host| host.changes.iter().map(move |change| (&host.host, change)));
    let line = |(host, change): (&String, &Change)| match &change.action {
        Action::Manual(advice) => Some(format!("{host}: {}: {}: {advice}", change.resource, change.summary)),
        _ => None,
    };
    Ok(manual.filter_map(line).collect())
}

/// Computes each phase's changes from what was last seen.
fn plans(site: &Site, cluster: &Cluster, until: Phase, leave: Leave) -> Result<Vec<PhasePlan>, Failure> {
    let phases = STORY.into_iter().take_while(|phase| *phase <= until).map(|phase| {
        let wanted = site.wanted(phase, cluster)?;
        let mut hosts = site.fleet.plan(&wanted)?;
        if phase.is_milestone() {
            milestone(site, cluster, phase, &mut hosts)?;
        }
        if phase == Phase::Machines {
            for (host, changes) in hosts.iter_mut().zip(leave::changes(site, cluster, leave)) {
                host.changes.splice(0..0, changes);
            }
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
                let has_installer = !matches!(cluster.install.method, Method::Iso(_));
                if has_installer && release(cluster, facts[0]).is_none() {
                    add(0, "release", &format!("look up {} on the mirror, once", cluster.version));
                }
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

/// Shows what was derived: release, addresses, placement, MTU.
fn overview(site: &Site, cluster: &Cluster) -> String {
    let mut text = format!(
        "{}: {} over {}, VM NIC MTU {}\n",
        cluster.domain(),
        cluster.network.machine,
        cluster.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(" and "),
        cluster.network.mtu
    );
    let first = site.fleet.members().first().and_then(|first| release(cluster, &first.facts));
    if let (Some(channel), Some(release)) = (cluster.channel(), first) {
        text += &format!("  OpenShift {release}, which {channel} was when it was looked up\n");
    }
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
