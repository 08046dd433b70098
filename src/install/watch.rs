//! Looking at an installation while the installer waits for it: what is seen, as events.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::try_join4;
use k8s_openapi::api::{certificates::v1::CertificateSigningRequest, core::v1::Node};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, ListParams},
    core::{ApiResource, GroupVersionKind},
};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    cluster::Cluster,
    engine::{Event, Fleet, Sink},
    host::Session,
    install::{
        api,
        assisted::{ClusterSeen, missing},
        progress::{Conditions, Seen, conditions},
        rendezvous,
        trouble::{Trouble, Watchlist, Word},
    },
};

/// How often the API is asked: its operators alone are a quarter of a megabyte.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Longest the API may take for one answer.
const ANSWER: Duration = Duration::from_secs(15);

/// What is wrong at the moment, for the error at the end.
#[derive(Default)]
pub(super) struct Board {
    hosts: Mutex<Watchlist>,
    cluster: Mutex<Watchlist>,
}

impl Board {
    /// Returns all that is wrong now.
    pub fn troubles(&self) -> Vec<Trouble> {
        let of = |list: &Mutex<Watchlist>| list.lock().unwrap_or_else(PoisonError::into_inner).current();
        of(&self.hosts).into_iter().chain(of(&self.cluster)).collect()
    }
}

/// Takes one look's troubles down and says what is worth a word.
fn note(list: &Mutex<Watchlist>, begin: Instant, troubles: Vec<Trouble>, sink: &Sink) {
    let words = list.lock().unwrap_or_else(PoisonError::into_inner).look(begin.elapsed().as_secs(), troubles);
    for word in words {
        match word {
            Word::Lasts(trouble) => sink(Event::Trouble { what: trouble.what, fix: trouble.fix }),
            Word::Over(trouble) => sink(Event::Note { text: format!("over: {}", trouble.what) }),
        }
    }
}

/// Watches the hosts through the rendezvous node's API. Ends never; drop it.
pub(super) async fn hosts(session: Session, cluster: &Cluster, sink: &Sink, board: &Board) -> Infallible {
    let begin = Instant::now();
    let script = rendezvous::watching(cluster);
    let mut stages: BTreeMap<String, String> = BTreeMap::new();
    let mut answered = false;
    loop {
        if let Ok(mut process) = session.spawn(&script).await {
            while let Some(line) = process.line().await {
                let Some(seen) = ClusterSeen::read(&line) else {
                    // Once it has answered, silence is the rendezvous node's own reboot, the last of all.
                    let absent = if answered { Vec::new() } else { missing(cluster, |_| false) };
                    note(&board.hosts, begin, absent, sink);
                    continue;
                };
                answered = true;
                let judged = seen.judge(cluster);
                for (node, text) in judged.stages {
                    if stages.get(&node) != Some(&text) {
                        sink(Event::Stage { node: node.clone(), text: text.clone() });
                        stages.insert(node, text);
                    }
                }
                if judged.troubles.iter().any(|trouble| trouble.key.ends_with("/registered")) {
                    sink(Event::Waiting { text: judged.line });
                }
                note(&board.hosts, begin, judged.troubles, sink);
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Watches the cluster through its own API, once that is there. Ends never; drop it.
pub(super) async fn cluster(fleet: &Fleet, cluster: &Cluster, sink: &Sink, board: &Board) -> Infallible {
    let begin = Instant::now();
    let mut said = String::new();
    loop {
        if let Ok(client) = api::client(fleet, cluster).await {
            // While the control plane changes hands, the API is gone for moments.
            while let Some(seen) = look(&client).await {
                let progress = seen.progress(cluster);
                if progress.line != said {
                    sink(Event::Stage { node: "cluster".into(), text: progress.line.clone() });
                    said = progress.line;
                }
                note(&board.cluster, begin, progress.troubles, sink);
                sleep(LOOK_EVERY).await;
            }
        }
        sleep(LOOK_EVERY / 2).await;
    }
}

/// Says how the cluster is, once, if it answers.
pub(super) async fn last_look(fleet: &Fleet, cluster: &Cluster, sink: &Sink) {
    if let Ok(client) = api::client(fleet, cluster).await
        && let Some(seen) = look(&client).await
    {
        sink(Event::Stage { node: "cluster".into(), text: seen.progress(cluster).line });
    }
}

/// Asks the API once; `None` where it does not answer.
pub(super) async fn look(client: &Client) -> Option<Seen> {
    let config = |kind: &str, plural: &str| {
        let kind = GroupVersionKind::gvk("config.openshift.io", "v1", kind);
        Api::<DynamicObject>::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, plural))
    };
    let versions = config("ClusterVersion", "clusterversions");
    let operators = config("ClusterOperator", "clusteroperators");
    let nodes = Api::<Node>::all(client.clone());
    let requests = Api::<CertificateSigningRequest>::all(client.clone());
    let all = ListParams::default();
    // The bootstrap's API knows nodes before it knows operators.
    let optional = async |api: Api<DynamicObject>| match api.list(&all).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        other => other.map(|list| list.items),
    };
    let asked = try_join4(optional(versions), optional(operators), nodes.list(&all), requests.list(&all));
    let (versions, operators, nodes, requests) = timeout(ANSWER, asked).await.ok()?.ok()?;
    let undecided = requests.items.iter().filter(|request| {
        request.status.as_ref().and_then(|status| status.conditions.as_ref()).is_none_or(Vec::is_empty)
    });
    Some(Seen {
        version: versions.first().map(of).unwrap_or_default(),
        operators: operators.iter().map(|operator| (operator.name_any(), of(operator))).collect(),
        nodes: nodes.items.iter().map(|node| (node.name_any(), of(node))).collect(),
        pending: undecided
            .map(|request| (request.name_any(), request.spec.username.clone().unwrap_or_default()))
            .collect(),
    })
}

/// Returns the conditions of any kind of object.
fn of(object: &impl Serialize) -> Conditions {
    serde_json::to_value(object)
        .as_ref()
        .map_or_else(|_| Conditions::default(), |value: &Value| conditions(value))
}
