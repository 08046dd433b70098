//! Which certificate signing requests are our own nodes', and therefore approved.
//!
//! Whoever reaches the machine config server can ask for a node's certificate, and with one it
//! is a node. So a request is approved only where everything in it is what the kubelet of one
//! of our nodes asks for, and nothing else is; any other one is left to the administrator.

use std::{collections::BTreeSet, net::Ipv4Addr};

use x509_cert::{
    der::{Decode, DecodePem, oid::AssociatedOid},
    ext::pkix::{SubjectAltName, name::GeneralName},
    request::{CertReq, ExtensionReq},
};

use crate::cluster::{Cluster, Node};

/// Signs what kubelets show to the API.
const CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// Signs what kubelets show to the API when it calls them.
const SERVING: &str = "kubernetes.io/kubelet-serving";
/// Who asks for a node's first certificate: its token is in the machine configs.
const BOOTSTRAPPER: &str = "system:serviceaccount:openshift-machine-config-operator:node-bootstrapper";
/// Signs what the network's own parts on a node show to the API.
const COMPONENT: &str = "kubernetes.io/kube-apiserver-client";
/// How those parts are called, before the node's name (ovn-kubernetes and multus-cni, `--bootstrap-kubeconfig`).
const COMPONENTS: &[&str] = &["system:ovn-node:", "system:multus:"];
/// How a node is called as a user, before its name.
const NODE: &str = "system:node:";
/// The group of all nodes.
const NODES: &str = "system:nodes";

/// A certificate signing request nobody has decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningRequest {
    /// Its name in the API.
    pub name: String,
    /// Who is to sign.
    pub signer: String,
    /// Who asks, as the API found out.
    pub requestor: String,
    /// The groups the one who asks is in.
    pub groups: Vec<String>,
    /// What the certificate is to be used for.
    pub usages: Vec<String>,
    /// The request itself, PEM.
    pub pem: Vec<u8>,
}

/// What to do about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is one of our nodes'.
    Approve {
        /// The node.
        node: String,
    },
    /// It is of the network's part on one of our nodes: the cluster itself decides, in
    /// network-node-identity, within moments.
    Elsewhere,
    /// It is not, or not certainly.
    Leave {
        /// Why, as a part of a sentence.
        reason: String,
    },
}

/// Decides about a request; `registered` are the names of the nodes that the API knows.
#[must_use]
pub fn judge(cluster: &Cluster, request: &SigningRequest, registered: &BTreeSet<String>) -> Judgement {
    if is_component(cluster, request) {
        return Judgement::Elsewhere;
    }
    match approvable(cluster, request, registered) {
        Ok(node) => Judgement::Approve { node },
        Err(reason) => Judgement::Leave { reason },
    }
}

/// Tells whether a node of ours asks on behalf of the network's part that runs on it.
fn is_component(cluster: &Cluster, request: &SigningRequest) -> bool {
    let Some(name) = request.requestor.strip_prefix(NODE) else { return false };
    if request.signer != COMPONENT || !cluster.nodes.iter().any(|node| cluster.hostname(node) == name) {
        return false;
    }
    let Ok(csr) = CertReq::from_pem(&request.pem) else { return false };
    let subject = csr.info.subject.to_string();
    let is_called = |part: &str| subject.split(',').any(|field| field == format!("CN={part}{name}"));
    COMPONENTS.iter().any(|part| is_called(part))
}

fn approvable(
    cluster: &Cluster,
    request: &SigningRequest,
    registered: &BTreeSet<String>,
) -> Result<String, String> {
    let csr = CertReq::from_pem(&request.pem).map_err(|error| format!("it cannot be read: {error}"))?;
    let names = alternative_names(&csr)?;
    let subject = csr.info.subject.to_string();
    let ours = |node: &&Node| {
        let name = cluster.hostname(node);
        // Exactly these two, in whichever order they were written.
        subject == format!("CN={NODE}{name},O={NODES}") || subject == format!("O={NODES},CN={NODE}{name}")
    };
    let node = cluster.nodes.iter().find(ours).ok_or_else(|| format!("{subject} is none of our nodes"))?;
    let name = cluster.hostname(node);
    match request.signer.as_str() {
        CLIENT => {
            used_for(request, "client auth")?;
            if request.requestor != BOOTSTRAPPER {
                return Err(format!("{} asks for {name}, not the node bootstrapper", request.requestor));
            }
            if !names.is_empty() {
                return Err("a client's certificate has no alternative names".to_owned());
            }
            // The token is every node's: a second one of that name would be somebody else.
            if registered.contains(&name) {
                return Err(format!("{name} is a node already"));
            }
        }
        SERVING => {
            used_for(request, "server auth")?;
            if request.requestor != format!("{NODE}{name}") || !request.groups.iter().any(|g| g == NODES) {
                return Err(format!("{} asks for {name}, not the node itself", request.requestor));
            }
            own(&names, &name, node.address)?;
        }
        other => return Err(format!("the signer {other} is none of a kubelet's")),
    }
    Ok(name)
}

/// Demands one usage, and nothing else than what goes with it.
fn used_for(request: &SigningRequest, usage: &str) -> Result<(), String> {
    let fits = |asked: &String| asked == usage || asked == "digital signature" || asked == "key encipherment";
    if request.usages.iter().any(|asked| asked == usage) && request.usages.iter().all(fits) {
        return Ok(());
    }
    Err(format!("it is to be used for {}", request.usages.join(", ")))
}

/// Demands that all names are the node's own, and that there is one.
fn own(names: &[GeneralName], name: &str, address: Ipv4Addr) -> Result<(), String> {
    let is_own = |given: &GeneralName| match given {
        GeneralName::DnsName(dns) => dns.as_str() == name,
        GeneralName::IpAddress(ip) => ip.as_bytes() == address.octets(),
        _ => false,
    };
    match names.iter().find(|given| !is_own(given)) {
        None if names.is_empty() => Err("it has no alternative names".to_owned()),
        None => Ok(()),
        Some(GeneralName::DnsName(dns)) => Err(format!("{name} asks for the name {}", dns.as_str())),
        Some(GeneralName::IpAddress(ip)) => Err(match ip.as_bytes().first_chunk::<4>() {
            Some(octets) if ip.as_bytes().len() == 4 => {
                format!("{name} asks for the address {}", Ipv4Addr::from(*octets))
            }
            _ => format!("{name} asks for an address that is not IPv4"),
        }),
        Some(_) => Err(format!("{name} asks for more than names and addresses")),
    }
}

/// Returns the alternative names that are asked for.
fn alternative_names(csr: &CertReq) -> Result<Vec<GeneralName>, String> {
    let unreadable = |error: x509_cert::der::Error| format!("its extensions cannot be read: {error}");
    let mut names = Vec::new();
    for attribute in csr.info.attributes.iter().filter(|attribute| attribute.oid == ExtensionReq::OID) {
        for value in attribute.values.iter() {
            let asked: ExtensionReq = value.decode_as().map_err(unreadable)?;
            for extension in asked.0.iter().filter(|extension| extension.extn_id == SubjectAltName::OID) {
                let found = SubjectAltName::from_der(extension.extn_value.as_bytes()).map_err(unreadable)?;
                names.extend(found.0);
            }
        }
    }
    Ok(names)
}
