//! Switching VMs on and off.

use std::time::{Duration, Instant};

use crate::{
    bringup::{self, Finding},
    cli::{
        failure::Failure,
        global::{Global, print},
        quorum,
        site::Site,
    },
    cluster::{Cluster, Node, Role},
    resource::{
        Change, Unreadable,
        hypervisor::{Call, DomainSeen, DomainState},
    },
};

/// How long a VM may take to power off.
const PATIENCE: Duration = Duration::from_secs(120);

/// Time between looks at a VM that powers off.
const PAUSE: Duration = Duration::from_secs(1);

/// What to do with a VM.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    /// Start it, or go on where it is paused.
    Start,
    /// Ask it to power off.
    Stop,
}

/// Starts VMs, or asks them to power off.
pub(super) async fn switch(global: &Global, names: &[String], verb: Verb) -> Result<(), Failure> {
    Site::visit(global, None, async |site| switch_at(global, site, names, verb).await).await
}

async fn switch_at(global: &Global, site: &mut Site, names: &[String], verb: Verb) -> Result<(), Failure> {
    let cluster = site.cluster()?;
    let mut changes = vec![Vec::new(); cluster.hosts.len()];
    let mut masters = Vec::new();
    for node in nodes(&cluster, names)? {
        let seen = seen(site, &cluster, node)?;
        let domain = seen.name.clone();
        let (call, summary) = match (verb, seen.state) {
            (Verb::Start, DomainState::Off) => (Call::StartDomain { domain }, "start"),
            (Verb::Start, DomainState::Paused) => (Call::ResumeDomain { domain }, "resume"),
            (Verb::Start, DomainState::Running) | (Verb::Stop, DomainState::Off) => continue,
            (Verb::Stop, _) => (Call::ShutdownDomain { domain }, "power off"),
        };
        changes[node.host].push(Change::hypervisor(format!("domain {}", seen.name), summary, call));
        if matches!(verb, Verb::Stop) && node.role == Role::Master {
            masters.push(node);
        }
    }
    if changes.iter().all(Vec::is_empty) {
        return print("Nothing to do.");
    }
    if !may_stop(global, site, &cluster, &masters).await? {
        return Err(Failure::Declined);
    }
    let planned = site.fleet.members().iter().map(|m| m.session.name()).zip(&changes);
    let lines = planned.flat_map(|(host, changes)| {
        changes.iter().map(move |change| format!("{host}: {}: {}", change.resource, change.summary))
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    site.fleet.lock().await?;
    site.fleet.apply(changes).await?;
    print(&lines)
}

/// Asks before masters power off that etcd cannot do without.
async fn may_stop(
    global: &Global,
    site: &Site,
    cluster: &Cluster,
    masters: &[&Node],
) -> Result<bool, Failure> {
    let harmless = masters.is_empty() || global.yes || !quorum::matters(site, cluster);
    if harmless || quorum::stands_without(site, cluster, masters).await? {
        return Ok(true);
    }
    let names = masters.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
    global.confirm(&format!(
        "Without {names} not more than half of all masters are ready: the API stops. Power off?"
    ))
}

/// Finds the nodes of those names.
fn nodes<'a>(cluster: &'a Cluster, names: &[String]) -> Result<Vec<&'a Node>, Failure> {
    let find = |name: &String| {
        cluster.machines().find(|node| node.name == *name).ok_or_else(|| {
            let known = cluster.machines().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
            Failure::Usage(format!("there is no VM {name}; there are {known}"))
        })
    };
    names.iter().map(find).collect()
}

/// Returns a node's domain as it was last seen.
fn seen<'a>(site: &'a Site, cluster: &Cluster, node: &Node) -> Result<&'a DomainSeen, Failure> {
    let facts = &site.fleet.members()[node.host].facts;
    let missing = || Failure::Usage(format!("{} does not exist yet: run `ocp2 up`", node.name));
    let found = bringup::own_domain(cluster, node, facts);
    found.map_err(|refused| Failure::NotReady(vec![refused]))?.ok_or_else(missing)
}

/// Restarts VMs, one after the other.
///
/// A master of an installed cluster goes only while all others are ready, and the next one once it is ready
/// again. One that is off takes no quorum: it is started, and waited for before a running one goes.
///
/// One whose definition has changed is powered off and on, for a reboot leaves QEMU as it is.
pub(super) async fn restart(global: &Global, names: &[String], force: bool) -> Result<(), Failure> {
    Site::visit(global, None, async |site| restart_at(site, names, force).await).await
}

async fn restart_at(site: &mut Site, names: &[String], force: bool) -> Result<(), Failure> {
    let cluster = site.cluster()?;
    let nodes = nodes(&cluster, names)?;
    for node in &nodes {
        seen(site, &cluster, node)?;
    }
    site.fleet.lock().await?;
    let guards = quorum::matters(site, &cluster);
    let is_guarded = |node: &Node| guards && node.role == Role::Master;
    if let Some(first) = nodes.iter().find(|node| is_guarded(node))
        && seen(site, &cluster, first)?.state != DomainState::Off
    {
        quorum::check_others(site, &cluster, first).await?;
    }
    let (mut lines, mut started) = (Vec::new(), Vec::new());
    for node in nodes {
        let domain = cluster.domain_name(node);
        let now = seen(site, &cluster, node)?;
        let off = now.state == DomainState::Off;
        let anew = now.waits_for_power_off().map_err(|reason| unknown(&cluster, node, &reason))?;
        if is_guarded(node) && !off {
            for node in started.drain(..) {
                quorum::wait_for(site, node, false).await?;
            }
            quorum::check_others(site, &cluster, node).await?;
        }
        let summary = match (off, anew) {
            (true, _) => "start",
            (false, true) => "power off and on",
            (false, false) => "reboot",
        };
        if !off && !anew {
            call(site, node, summary, Call::RebootDomain { domain: domain.clone() }).await?;
        } else {
            if !off {
                power_off(site, &cluster, node, force).await?;
            }
            call(site, node, summary, Call::StartDomain { domain: domain.clone() }).await?;
        }
        lines.push(format!("{}: domain {domain}: {summary}", cluster.hosts[node.host].name));
        if is_guarded(node) && off {
            started.push(node);
        } else if is_guarded(node) {
            quorum::wait_for(site, node, !anew).await?;
        }
    }
    for node in started {
        quorum::wait_for(site, node, false).await?;
    }
    print(&lines.join("\n"))
}

/// Says that it is not known whether a VM has to be powered off to run by its description.
fn unknown(cluster: &Cluster, node: &Node, reason: &Unreadable) -> Failure {
    let domain = cluster.domain_name(node);
    Failure::NotReady(vec![Finding {
        host: cluster.hosts[node.host].name.clone(),
        what: format!(
            "whether a reboot is enough for {} is unknown, for how it runs cannot be read: {reason}",
            node.name
        ),
        fix: format!("see `virsh dumpxml {domain}` there; `ocp2 vms stop` and `ocp2 vms start` do without"),
    }])
}

/// Makes one call about a VM.
async fn call(site: &mut Site, node: &Node, summary: &str, call: Call) -> Result<(), Failure> {
    let mut changes = vec![Vec::new(); site.fleet.members().len()];
    changes[node.host].push(Change::hypervisor(format!("VM {}", node.name), summary, call));
    Ok(site.fleet.apply(changes).await?)
}

/// Powers a VM off and waits until it is.
async fn power_off(site: &mut Site, cluster: &Cluster, node: &Node, force: bool) -> Result<(), Failure> {
    let domain = cluster.domain_name(node);
    call(site, node, "power off", Call::ShutdownDomain { domain: domain.clone() }).await?;
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        site.fleet.check_interrupted()?;
        site.fleet.touch();
        site.fleet.refresh().await?;
        if seen(site, cluster, node)?.state == DomainState::Off {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    if force {
        return call(site, node, "cut its power", Call::DestroyDomain { domain }).await;
    }
    Err(Failure::StillOn { vm: node.name.clone(), seconds: PATIENCE.as_secs() })
}
