//! Approves our own nodes' certificate signing requests while the cluster is waited for.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    time::Duration,
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

use crate::{
    bringup::{Judgement, SigningRequest, judge},
    cluster::Cluster,
    engine::{Event, Fleet, Sink},
    install::{Error, api},
};

/// How often it looks. A kubelet asks again after 15 minutes, but waits for an answer all the time.
const EVERY: Duration = Duration::from_secs(3);

/// Looks at the requests again and again.
pub(in crate::install) struct Approver {
    client: Client,
    cluster: Cluster,
    sink: Sink,
    /// Requests that were left alone, and what was said about them.
    left: BTreeMap<String, String>,
    /// What the API refused last.
    refused: Option<String>,
}

impl Approver {
    /// Makes one that speaks to the cluster's API.
    pub(in crate::install) async fn of(fleet: &Fleet, cluster: &Cluster) -> Result<Self, Error> {
        let client = api::client(fleet, cluster).await?;
        Ok(Self {
            client,
            cluster: cluster.clone(),
            sink: fleet.sink().clone(),
            left: BTreeMap::new(),
            refused: None,
        })
    }

    /// Works until it is dropped.
    pub(in crate::install) async fn work(mut self) -> Infallible {
        loop {
            if let Err(error) = self.look().await {
                self.warn(&error);
            }
            tokio::time::sleep(EVERY).await;
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

    async fn look(&mut self) -> Result<(), kube::Error> {
        let requests: Api<CertificateSigningRequest> = Api::all(self.client.clone());
        let pending: Vec<SigningRequest> =
            requests.list(&ListParams::default()).await?.into_iter().filter_map(pending).collect();
        if pending.is_empty() {
            return Ok(());
        }
        let nodes: Api<Node> = Api::all(self.client.clone());
        let nodes = nodes.list(&ListParams::default()).await?;
        let registered: BTreeSet<String> = nodes.into_iter().filter_map(|node| node.metadata.name).collect();
        for request in pending {
            match judge(&self.cluster, &request, &registered) {
                Judgement::Approve { node } => {
                    approve(&requests, &request.name).await?;
                    let text = format!("Approved {} of {node} ({})", request.name, request.signer);
                    (self.sink)(Event::Note { text });
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
