//! Keeping etcd's quorum while masters are switched.

use std::time::{Duration, Instant};

use crate::{
    bringup,
    cli::{failure::Failure, site::Site},
    cluster::{Cluster, Node, Role},
    engine::{self, Event},
    install::Milestone,
};

/// How long a master may take from its restart until it is ready.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Time between two questions to a master that is waited for.
const PAUSE: Duration = Duration::from_secs(3);

/// How many questions in a row a rebooting master leaves unanswered before it counts as gone: one may just be lost.
const GONE: u32 = 2;

/// Tells whether there is a quorum to keep: before the cluster is installed there is none.
pub(super) fn matters(site: &Site, cluster: &Cluster) -> bool {
    Milestone::Install.is_reached(cluster, &site.fleet.members()[0].facts)
}

/// Returns what a master lacks to be ready; nothing where it is.
async fn lacks(site: &Site, node: &Node) -> Result<Vec<String>, Failure> {
    site.fleet.check_interrupted()?;
    let question = bringup::readiness_question(node.address);
    let session = &site.fleet.members()[node.host].session;
    let answer = tokio::select! {
        answer = session.ask(&question) => answer.map_err(engine::Error::from)?,
        error = site.fleet.interrupted() => return Err(error.into()),
    };
    Ok(bringup::lacks(&answer.text()))
}

/// Fails where a master other than this one is not ready.
pub(super) async fn check_others(site: &Site, cluster: &Cluster, node: &Node) -> Result<(), Failure> {
    for other in cluster.role(Role::Master).filter(|other| other.name != node.name) {
        let lacks = lacks(site, other).await?;
        if !lacks.is_empty() {
            return Err(Failure::OtherNotReady { vm: node.name.clone(), other: other.name.clone(), lacks });
        }
    }
    Ok(())
}

/// Tells whether enough masters are ready without some of them.
pub(super) async fn stands_without(
    site: &Site,
    cluster: &Cluster,
    stopped: &[&Node],
) -> Result<bool, Failure> {
    let mut ready = 0;
    for node in cluster.role(Role::Master) {
        if !stopped.iter().any(|other| other.name == node.name) && lacks(site, node).await?.is_empty() {
            ready += 1;
        }
    }
    Ok(bringup::has_quorum(cluster.role(Role::Master).count(), ready))
}

/// Waits until a restarted master is ready; one that reboots has to be seen gone first.
pub(super) async fn wait_for(site: &Site, node: &Node, reboots: bool) -> Result<(), Failure> {
    site.sink()(Event::Waiting { text: format!("waiting until {} is ready again", node.name) });
    let (begin, mut silent) = (Instant::now(), if reboots { 0 } else { GONE });
    loop {
        let mut lacks = lacks(site, node).await?;
        match (lacks.is_empty(), silent >= GONE) {
            (true, true) => return Ok(()),
            (true, false) => {
                silent = 0;
                lacks.push("it has not gone down for its reboot".into());
            }
            (false, _) => silent = silent.saturating_add(1),
        }
        if begin.elapsed() >= PATIENCE {
            return Err(Failure::NotBack { vm: node.name.clone(), minutes: PATIENCE.as_secs() / 60, lacks });
        }
        tokio::time::sleep(PAUSE).await;
    }
}
