//! `ocp2 up`: the whole story.

use std::path::PathBuf;

use clap::Args;

use crate::{
    bringup::{self, Leave, Phase, STORY},
    cli::{
        failure::Failure,
        global::{Global, Output, print, print_json},
        leave, plan,
        site::Site,
    },
    cluster::{Cluster, Host, Method},
    engine::{self, Event},
    install::{self, Milestone},
    ui::say,
};

/// Options of `up`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Inventory file
    #[arg(value_name = "INVENTORY")]
    positional: Option<PathBuf>,
    /// Stop after this phase
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    until: Option<Phase>,
    /// Remove workers that left the inventory; their disks stay
    #[arg(long)]
    remove_vms: bool,
    /// Delete disks that are of no VM in the inventory any more
    #[arg(long)]
    delete_volumes: bool,
}

/// Reads a phase's name.
pub(super) fn phase(name: &str) -> Result<Phase, String> {
    let names = || STORY.iter().map(|phase| phase.name()).collect::<Vec<_>>().join(", ");
    STORY.into_iter().find(|phase| phase.name() == name).ok_or_else(|| format!("the phases are {}", names()))
}

/// What `up` did, for programs.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    api_version: &'static str,
    cluster: String,
    changed: usize,
    phases: Vec<PhaseOutcome>,
    /// What it does not do unasked, and how the user does it.
    left_to_you: Vec<String>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct PhaseOutcome {
    phase: Phase,
    changed: usize,
}

/// Runs the command.
pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<(), Failure> {
    let positional = arguments.positional.clone();
    Box::pin(Site::visit(global, positional.as_deref(), async |site| {
        bring_up(global, &arguments, site).await
    }))
    .await
}

async fn bring_up(global: &Global, arguments: &Arguments, site: &mut Site) -> Result<(), Failure> {
    site.say_warnings()?;
    let cluster = site.cluster()?;
    site.preflight(&cluster)?;
    let until = arguments.until.unwrap_or(Phase::Install);
    let said = Leave { vms: arguments.remove_vms || global.yes, disks: arguments.delete_volumes };
    let may = plan::confirm(global, site, &cluster, until, said)?;
    let mut phases = Vec::new();
    for phase in STORY.into_iter().take_while(|phase| *phase <= until) {
        if phase > Phase::Machines && matches!(cluster.install.method, Method::Iso(_)) {
            say(
                "The VMs boot from your ISO; its own service (the Assisted Installer) installs from here on.",
            );
            break;
        }
        (site.sink())(Event::Phase { phase: phase.name(), title: phase.title() });
        let changed = bring_about(site, phase, may).await?;
        (site.sink())(Event::PhaseDone { phase: phase.name(), changed });
        phases.push(PhaseOutcome { phase, changed });
    }
    let cluster = site.cluster()?;
    let installed = phases.last().is_some_and(|last| last.phase == Phase::Install);
    let changed = phases.iter().map(|phase| phase.changed).sum();
    // Also on another workstation, or after the files were lost.
    if installed && (changed > 0 || !site.credentials_folder().join("kubeconfig").exists()) {
        finish(site, &cluster).await?;
    }
    site.fleet.refresh().await?;
    let left_to_you = plan::left_to_you(site, &cluster)?;
    match global.output {
        Output::Json => print_json(&Outcome {
            api_version: "ocp2/v1",
            cluster: cluster.name,
            changed,
            phases,
            left_to_you,
        }),
        Output::Text if !left_to_you.is_empty() => {
            print(&format!("This is left to you:\n  {}", left_to_you.join("\n  ")))
        }
        Output::Text if changed == 0 => print("Nothing to change: the hosts are as the inventory says."),
        Output::Text => Ok(()),
    }
}

/// Makes a phase true; returns how many changes that took.
async fn bring_about(site: &mut Site, phase: Phase, may: Leave) -> Result<usize, Failure> {
    // Facts may have changed with the phase before: packages are there, KVM is proved.
    site.fleet.check_interrupted()?;
    site.fleet.refresh().await?;
    let cluster = site.cluster()?;
    match phase {
        Phase::Image => {
            let pull_secret = site.loaded.pull_secret.clone();
            Ok(install::bring_image(&mut site.fleet, &cluster, pull_secret.as_ref()).await?)
        }
        Phase::Bootstrap => {
            let waited = install::wait(&mut site.fleet, &cluster, Milestone::Bootstrap).await?;
            let retired =
                if waited && cluster.is_upi() { Box::pin(retire_bootstrap(site)).await? } else { 0 };
            Ok(usize::from(waited) + retired)
        }
        Phase::Install => {
            let waited = install::wait(&mut site.fleet, &cluster, Milestone::Install).await?;
            let released = install::release_boot_image(&mut site.fleet, &cluster).await?;
            let ejected = if released == 0 {
                0
            } else {
                let machines = site.wanted(Phase::Machines, &cluster)?;
                site.fleet.converge(&machines).await?
            };
            Ok(usize::from(waited) + released + ejected)
        }
        Phase::Hosts | Phase::Overlay | Phase::Nat | Phase::Names | Phase::Balancer => {
            site.preflight(&cluster)?;
            let wanted = site.wanted(phase, &cluster)?;
            Ok(site.fleet.converge(&wanted).await?)
        }
        Phase::Machines => {
            site.preflight(&cluster)?;
            // First those that go: another one may get their address.
            let gone = let_go(site, &cluster, may).await?;
            let wanted = site.wanted(phase, &cluster)?;
            Ok(gone + site.fleet.converge(&wanted).await?)
        }
    }
}

/// Removes what left the inventory, as far as the user said so; returns how many changes that took.
async fn let_go(site: &mut Site, cluster: &Cluster, may: Leave) -> Result<usize, Failure> {
    if leave::changes(site, cluster, may).iter().all(Vec::is_empty) {
        return Ok(0);
    }
    site.fleet.lock().await?;
    let changes = leave::changes(site, cluster, may);
    let count = changes.iter().flatten().filter(|change| !change.is_manual()).count();
    site.fleet.apply(changes).await?;
    site.fleet.refresh().await?;
    for (member, changes) in site.fleet.members().iter().zip(leave::changes(site, cluster, may)) {
        let remaining: Vec<String> = changes
            .iter()
            .filter(|change| !change.is_manual())
            .map(|change| change.resource.clone())
            .collect();
        if !remaining.is_empty() {
            return Err(engine::Error::Differs { host: member.session.name().to_owned(), remaining }.into());
        }
    }
    Ok(count)
}

/// Makes true that the bootstrap VM is needed no more: out of the balancers first, then gone.
async fn retire_bootstrap(site: &mut Site) -> Result<usize, Failure> {
    let mut changed = 0;
    for phase in [Phase::Names, Phase::Balancer, Phase::Machines] {
        site.fleet.check_interrupted()?;
        site.fleet.refresh().await?;
        let cluster = site.cluster()?;
        let wanted = site.wanted(phase, &cluster)?;
        changed += site.fleet.converge(&wanted).await?;
    }
    Ok(changed)
}

/// Fetches the credentials and says what is left for the user to do.
async fn finish(site: &Site, cluster: &Cluster) -> Result<(), Failure> {
    let credentials = install::fetch(&site.fleet, cluster, &site.credentials_folder()).await?;
    let release = site.fleet.members().first().and_then(|first| bringup::release(cluster, &first.facts));
    let release = release.unwrap_or_else(|| cluster.version.clone());
    say(&format!("\nOpenShift {release} is installed. To use it now:"));
    say(&format!("  export KUBECONFIG={}", credentials.kubeconfig.display()));
    say(&format!("  kubeadmin's password: {}", credentials.password.display()));
    let public: Vec<_> = cluster.hosts.iter().filter_map(Host::published).collect();
    if !public.is_empty() {
        say("\nPublish these DNS records, so that others reach it by name:");
        for address in public {
            let kind = if address.is_ipv4() { "A" } else { "AAAA" };
            for name in ["api", "*.apps"] {
                say(&format!("  {:<40} {kind:<4} {address}", format!("{name}.{}.", cluster.domain())));
            }
        }
    }
    Ok(())
}
