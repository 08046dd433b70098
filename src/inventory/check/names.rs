//! Names: of the cluster, its hosts and its nodes.

use std::{collections::HashMap, fmt::Display};

use super::{Findings, Subject};
use crate::inventory::{Located, Method, Problem};

/// Longest cluster name the installer takes (openshift/installer pkg/types/validation/installconfig.go).
const LONGEST_CLUSTER_NAME: usize = 54;

/// Longest host name Linux keeps, less its final zero (`HOST_NAME_MAX`).
const LONGEST_HOST_NAME: usize = 63;

/// Longest domain of a cluster: DNS allows 253, and the cluster's own names stand before it.
const LONGEST_DOMAIN: usize = 200;

pub(super) fn cluster(subject: &Subject<'_>, findings: &mut Findings) {
    let cluster = &subject.inventory.cluster;
    let name = &cluster.name;
    if let Some(fault) = label_fault(name) {
        let help = if name.contains('.') {
            // The installer takes it, and the install then waits for ever.
            "the domain belongs in baseDomain"
        } else {
            "use lower-case letters, digits and `-`, like `ocp`"
        };
        findings.problem(Problem::new("cluster.name", name.at, fault).help(help));
    } else if name.len() > LONGEST_CLUSTER_NAME {
        let fault = format!("{} characters are too many: {LONGEST_CLUSTER_NAME} is the most", name.len());
        findings.problem(Problem::new("cluster.name", name.at, fault));
    }
    let base = &cluster.base_domain;
    if let Some(fault) = domain_fault(base) {
        findings.problem(Problem::new("cluster.baseDomain", base.at, fault).help("like `example.com`"));
    } else if cluster.name.len() + base.len() > LONGEST_DOMAIN {
        let fault = "the cluster's domain is too long for the names below it";
        findings.problem(Problem::new("cluster.baseDomain", base.at, fault));
    }
}

pub(super) fn hosts(subject: &Subject<'_>, findings: &mut Findings) {
    let hosts = &subject.inventory.hosts;
    if hosts.is_empty() {
        findings.problem(Problem::new("hosts", None, "there is no host").help("name at least one server"));
    }
    for (index, host) in hosts.iter().enumerate() {
        if let Some(fault) = label_fault(&host.name) {
            findings.problem(Problem::new(&format!("hosts[{index}].name"), host.name.at, fault));
        }
    }
    let names = hosts.iter().enumerate().map(|(index, host)| (format!("hosts[{index}].name"), &host.name));
    unique(names, |name| format!("{name:?}"), findings);
    let ways = hosts.iter().enumerate().map(|(index, host)| (format!("hosts[{index}].ssh"), &host.ssh));
    unique(ways, |ssh| format!("{}, port {},", ssh.address, ssh.port.unwrap_or(22)), findings);
}

pub(super) fn nodes(subject: &Subject<'_>, findings: &mut Findings) {
    let inventory = subject.inventory;
    let domain = format!("{}.{}", inventory.cluster.name.value, inventory.cluster.base_domain.value);
    let mut first: HashMap<String, String> = HashMap::new();
    let mut said = false;
    for member in inventory.nodes.members() {
        let name = &member.name;
        let field = member.field("name");
        let at = member.name_at();
        let refuse = |fault: String, help: &str| Problem::new(&field, at, fault).help(help);
        if let Some(fault) = label_fault(name) {
            findings.problem(refuse(fault, "the cluster's domain is added to it"));
        } else if matches!(name.as_str(), "api" | "api-int" | "apps") {
            let fault = format!("{name}.{domain} is a name of the cluster itself");
            findings.problem(refuse(fault, "choose another name"));
        } else if name == "bootstrap" && inventory.install.method.value == Method::Upi {
            findings.problem(refuse("the UPI method's own VM has that name".into(), "choose another name"));
        } else if name.len() + 1 + domain.len() > LONGEST_HOST_NAME && !said {
            // Of names nobody chose the domain is to blame, and once is enough.
            said = at.is_none();
            let fault =
                format!("{name}.{domain} is longer than the {LONGEST_HOST_NAME} characters of a host name");
            let help = "shorten the node's name, the cluster's or its baseDomain";
            let (field, at) = match at {
                Some(_) => (field.as_str(), at),
                None => ("cluster.baseDomain", inventory.cluster.base_domain.at),
            };
            findings.problem(Problem::new(field, at, fault).help(help));
        }
        if let Some(other) = first.insert(name.clone(), field.clone()) {
            let fault = format!("{name:?} is the name of another node already ({other})");
            findings.problem(refuse(fault, "choose another name"));
        }
        if let Some(host) = member.item.and_then(|item| item.host.as_ref())
            && !inventory.hosts.iter().any(|known| known.name == *host)
        {
            let known: Vec<&str> = inventory.hosts.iter().map(|host| host.name.as_str()).collect();
            let help = format!("the hosts are {}", known.join(", "));
            let fault = format!("there is no host {:?}", host.value);
            findings.problem(Problem::new(&member.field("host"), host.at, fault).help(help));
        }
    }
}

/// Refuses what is there twice, as `text` shows it.
pub(super) fn unique<'a, T: 'a, S: Display>(
    fields: impl Iterator<Item = (String, &'a Located<T>)>,
    text: impl Fn(&T) -> S,
    findings: &mut Findings,
) {
    let mut first: HashMap<String, String> = HashMap::new();
    for (field, value) in fields {
        let text = text(&value.value).to_string();
        if let Some(other) = first.get(&text) {
            let fault = format!("{text} is taken already, by {other}");
            findings.problem(Problem::new(&field, value.at, fault).help("each needs its own"));
        } else {
            first.insert(text, field);
        }
    }
}

/// Says why `name` is not a DNS label (RFC 1123 section 2.1, in lower case).
fn label_fault(name: &str) -> Option<String> {
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() {
        Some("a name is missing".to_owned())
    } else if name.len() > 63 {
        Some(format!("{name:?} is longer than the 63 characters of a DNS label"))
    } else if !name.bytes().all(inside) || name.starts_with('-') || name.ends_with('-') {
        Some(format!("{name:?} is not a DNS label: lower-case letters, digits and `-` between them"))
    } else {
        None
    }
}

/// Says why `name` is not a DNS domain.
pub(super) fn domain_fault(name: &str) -> Option<String> {
    if name.split('.').any(|label| label_fault(label).is_some()) || name.len() > 253 {
        let rule = "labels of lower-case letters, digits and `-`, with dots between them";
        return Some(format!("{name:?} is not a DNS domain: {rule}"));
    }
    None
}
