//! Approves our own nodes' certificate signing requests while the cluster is waited for.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::{
        certificates::v1::{CertificateSigningRequest, CertificateSigningRequestCondition},
        core::v1::Node,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use tokio::time::{sleep, timeout};

use crate::{
    bringup::{Judgement, SigningRequest, judge},
    cluster::Cluster,
    engine::{Event, Fleet, Sink},
    install::api,
};

/// How often it looks. A kubelet asks again after 15 minutes, but waits for an answer all the time.
const EVERY: Duration = Duration::from_secs(3);

/// How long a look may take: an API whose etcd hangs takes the request and never answers.
const ANSWER: Duration = Duration::from_secs(15);

/// How long the cluster itself may take to decide about what it decides about alone.
const ELSEWHERE: Duration = Duration::from_secs(600);

/// Looks at the requests again and again.
pub(in crate::install) struct Approver<'a> {
    fleet: &'a Fleet,
    cluster: &'a Cluster,
    sink: Sink,
    /// Requests that the cluster itself decides about, and since when they are seen.
    elsewhere: BTreeMap<String, Instant>,
    /// Requests that were left alone, and what was said about them.
    left: BTreeMap<String, String>,
    /// What the API refused last.
    refused: Option<String>,
}

impl<'a> Approver<'a> {
    /// Makes one that speaks to the cluster's API.
    pub(in crate::install) fn of(fleet: &'a Fleet, cluster: &'a Cluster) -> Self {
        let sink = fleet.sink().clone();
        Self { fleet, cluster, sink, elsewhere: BTreeMap::new(), left: BTreeMap::new(), refused: None }
    }

    /// Works until it is dropped.
    pub(in crate::install) async fn work(mut self) -> Infallible {
        loop {
            // After a failure with a new connection: the old one may lead to an API that is gone.
            if let Ok(client) = api::client(self.fleet, self.cluster).await {
                loop {
                    match timeout(ANSWER, self.look(&client)).await {
                        Ok(Ok(())) => sleep(EVERY).await,
                        Ok(Err(error)) => {
                            self.warn(&error);
                            break;
                        }
                        Err(_) => break,
                    }
                }
            }
            sleep(EVERY).await;
        }
    }

    /// Says once what the API refuses; one that does not answer is what the wait beside this one is about.
    fn warn(&mut self, error: &kube::Error) {
        if !matches!(error, kube::Error::Api(_)) {
            return;
        }
        let text = format!("certificate signing requests cannot be looked through: {error}");
        if self.refused.replace(text.clone()).as_ref() != Some(&text) {
            (self.sink)(Event::Warning { text });
        }
    }

    async fn look(&mut self, client: &Client) -> Result<(), kube::Error> {
        let requests: Api<CertificateSigningRequest> = Api::all(client.clone());
        let pending: Vec<SigningRequest> =
            requests.list(&ListParams::default()).await?.into_iter().filter_map(pending).collect();
        if pending.is_empty() {
            return Ok(());
        }
        let nodes: Api<Node> = Api::all(client.clone());
        let nodes = nodes.list(&ListParams::default()).await?;
        let registered: BTreeSet<String> = nodes.into_iter().filter_map(|node| node.metadata.name).collect();
        for request in pending {
            match judge(self.cluster, &request, &registered) {
                Judgement::Approve { node } => {
                    approve(&requests, &request.name).await?;
                    let text = format!("Approved {} of {node} ({})", request.name, request.signer);
                    (self.sink)(Event::Note { text });
                }
                Judgement::Elsewhere => {
                    let since = *self.elsewhere.entry(request.name.clone()).or_insert_with(Instant::now);
                    if since.elapsed() > ELSEWHERE {
                        self.leave(&request, "network-node-identity has not decided about it".to_owned());
                    }
                }
                Judgement::Leave { reason } => self.leave(&request, reason),
            }
        }
        Ok(())
    }

    /// Says once that a request is not approved.
    fn leave(&mut self, request: &SigningRequest, reason: String) {
        if self.left.get(&request.name) == Some(&reason) {
            return;
        }
        let text = format!(
            "the certificate signing request {} by {} is left pending: {reason}",
            request.name, request.requestor
        );
        (self.sink)(Event::Note { text });
        self.left.insert(request.name.clone(), reason);
    }
}

/// Returns a request nobody has decided about.
fn pending(request: CertificateSigningRequest) -> Option<SigningRequest> {
    let decided = request.status.and_then(|status| status.conditions).is_some_and(|all| !all.is_empty());
    let spec = request.spec;
    (!decided).then(|| SigningRequest {
        name: request.metadata.name.unwrap_or_default(),
        signer: spec.signer_name,
        requestor: spec.username.unwrap_or_default(),
        groups: spec.groups.unwrap_or_default(),
        usages: spec.usages.unwrap_or_default(),
        pem: spec.request.0,
    })
}

async fn approve(requests: &Api<CertificateSigningRequest>, name: &str) -> Result<(), kube::Error> {
    let now = k8s_openapi::jiff::Timestamp::now();
    let condition = CertificateSigningRequestCondition {
        type_: "Approved".to_owned(),
        status: "True".to_owned(),
        reason: Some("Ocp2Approved".to_owned()),
        message: Some("ocp2 knows this node: its name, its address and who asked".to_owned()),
        last_update_time: Some(Time(now)),
        last_transition_time: None,
    };
    let patch = serde_json::json!({"status": {"conditions": [condition]}});
    requests.patch_approval(name, &PatchParams::default(), &Patch::Merge(&patch)).await.map(drop)
}
