//! Which certificate signing requests are approved.

use std::collections::BTreeSet;

use ocp2::bringup::{Judgement, SigningRequest, judge};

use crate::inventories;

const CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const SERVING: &str = "kubernetes.io/kubelet-serving";
const BOOTSTRAPPER: &str = "system:serviceaccount:openshift-machine-config-operator:node-bootstrapper";
const NODE: &str = "system:node:worker0.ocp.example.com";

/// Reads one of the requests beside this file; each is named after what is odd about it.
fn request(file: &str, signer: &str, requestor: &str) -> SigningRequest {
    let path = format!("{}/tests/fast/csrs/{file}.pem", env!("CARGO_MANIFEST_DIR"));
    let usage = if signer == SERVING { "server auth" } else { "client auth" };
    let groups = if requestor == BOOTSTRAPPER { "system:serviceaccounts" } else { "system:nodes" };
    SigningRequest {
        name: "csr-1".into(),
        signer: signer.into(),
        requestor: requestor.into(),
        groups: vec![groups.into(), "system:authenticated".into()],
        usages: vec!["digital signature".into(), usage.into()],
        pem: std::fs::read(path).unwrap(),
    }
}

fn judged(request: &SigningRequest, registered: &[&str]) -> String {
    let cluster = inventories::cluster(&inventories::path("upi"));
    let registered: BTreeSet<String> = registered.iter().map(|&name| name.to_owned()).collect();
    match judge(&cluster, request, &registered) {
        Judgement::Approve { node } => format!("approved: {node}"),
        Judgement::Elsewhere => "the cluster decides".to_owned(),
        Judgement::Leave { reason } => reason,
    }
}

#[test]
fn requests_of_our_own_nodes_are_approved() {
    let first = request("client", CLIENT, BOOTSTRAPPER);
    assert_eq!(judged(&first, &["master0.ocp.example.com"]), "approved: worker0.ocp.example.com");
    let mut serving = request("serving", SERVING, NODE);
    assert_eq!(judged(&serving, &["worker0.ocp.example.com"]), "approved: worker0.ocp.example.com");
    // Kubelets with RSA keys ask for this too.
    serving.usages.push("key encipherment".into());
    assert_eq!(judged(&serving, &[]), "approved: worker0.ocp.example.com");
}

#[test]
fn what_the_network_asks_for_on_our_nodes_is_the_clusters_to_decide() {
    let component = "kubernetes.io/kube-apiserver-client";
    for file in ["ovn-node", "multus"] {
        assert_eq!(judged(&request(file, component, NODE), &[]), "the cluster decides");
        // Nobody else may ask for it, and nothing but it may be asked for that way.
        let other = judged(&request(file, component, "system:node:worker1.ocp.example.com"), &[]);
        assert!(other.contains("is none of our nodes"), "{file}: {other}");
        assert!(judged(&request(file, CLIENT, NODE), &[]).contains("is none of our nodes"), "{file}");
    }
    assert!(judged(&request("client", component, NODE), &[]).contains("is none of a kubelet's"));
}

#[test]
fn every_other_request_is_left_alone() {
    let other_node = "system:node:worker1.ocp.example.com";
    for (file, signer, requestor, reason) in [
        (
            "stranger",
            CLIENT,
            BOOTSTRAPPER,
            "CN=system:node:worker7.ocp.example.com,O=system:nodes is none of our nodes",
        ),
        ("short", CLIENT, BOOTSTRAPPER, "CN=system:node:worker0,O=system:nodes is none of our nodes"),
        ("bootstrap", CLIENT, BOOTSTRAPPER, "is none of our nodes"),
        ("administrator", CLIENT, BOOTSTRAPPER, "O=system:masters is none of our nodes"),
        ("both", CLIENT, BOOTSTRAPPER, "is none of our nodes"),
        ("comma", CLIENT, BOOTSTRAPPER, "is none of our nodes"),
        ("client", CLIENT, NODE, "asks for worker0.ocp.example.com, not the node bootstrapper"),
        ("client", CLIENT, "system:anonymous", "not the node bootstrapper"),
        ("serving", CLIENT, BOOTSTRAPPER, "a client's certificate has no alternative names"),
        ("client", SERVING, NODE, "it has no alternative names"),
        ("serving", SERVING, other_node, "not the node itself"),
        ("serving", SERVING, BOOTSTRAPPER, "not the node itself"),
        ("other-name", SERVING, NODE, "worker0.ocp.example.com asks for the name api.ocp.example.com"),
        ("other-address", SERVING, NODE, "worker0.ocp.example.com asks for the address 12.12.139.10"),
        ("six", SERVING, NODE, "asks for an address that is not IPv4"),
        ("mail", SERVING, NODE, "asks for more than names and addresses"),
        ("client", "kubernetes.io/legacy-unknown", BOOTSTRAPPER, "the signer kubernetes.io/legacy-unknown"),
        ("client", "kubernetes.io/kube-apiserver-client", BOOTSTRAPPER, "is none of a kubelet's"),
    ] {
        let said = judged(&request(file, signer, requestor), &[]);
        assert!(said.contains(reason), "{file} by {requestor} to {signer}: {said}");
        assert!(!said.starts_with("approved"), "{file}: {said}");
    }
}

#[test]
fn what_is_asked_for_has_to_be_what_a_kubelet_asks_for() {
    let sound = request("client", CLIENT, BOOTSTRAPPER);
    for usages in [vec![], vec!["digital signature"], vec!["server auth"], vec!["client auth", "cert sign"]] {
        let usages = usages.into_iter().map(str::to_owned).collect();
        let said = judged(&SigningRequest { usages, ..sound.clone() }, &[]);
        assert!(said.starts_with("it is to be used for"), "{said}");
    }
    // The bootstrap token is in every node's hands: it must not become a node that is there.
    assert_eq!(judged(&sound, &["worker0.ocp.example.com"]), "worker0.ocp.example.com is a node already");
    let said = judged(&SigningRequest { pem: b"-----BEGIN nothing".to_vec(), ..sound }, &[]);
    assert!(said.starts_with("it cannot be read"), "{said}");
    let outside = SigningRequest { groups: vec![], ..request("serving", SERVING, NODE) };
    assert!(judged(&outside, &[]).contains("not the node itself"));
}
