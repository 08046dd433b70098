//! The three networks of the cluster, against each other and against what is taken.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Findings, Subject};
use crate::inventory::{Cidr, Inventory, Located, Problem, Span};

/// Longest prefix of a node's part of the pods' network the agent installer takes.
const LONGEST_HOST_PREFIX: u8 = 25;

/// Shortest prefix of the services' network the installer takes.
const SHORTEST_SERVICE_PREFIX: u8 = 12;

const fn net(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// What OVN-Kubernetes uses inside; openshift/installer refuses them too.
const OVN: &[(Ipv4Net, &str)] = &[
    (net(100, 64, 0, 0, 16), "OVN-Kubernetes's join subnet"),
    (net(100, 88, 0, 0, 16), "OVN-Kubernetes's transit subnet"),
    (net(169, 254, 0, 0, 17), "OVN-Kubernetes's masquerade subnet"),
];

/// What is no network for hosts at all (RFC 6890).
const SPECIAL: &[(Ipv4Net, &str)] = &[
    (net(0, 0, 0, 0, 8), "\"this\" network"),
    (net(127, 0, 0, 0, 8), "loopback"),
    (net(169, 254, 128, 0, 17), "link-local"),
    (net(224, 0, 0, 0, 4), "multicast"),
    (net(240, 0, 0, 0, 4), "reserved"),
];

/// What others often use, and what goes wrong then.
const OFTEN_TAKEN: &[(Ipv4Net, &str)] = &[
    (net(172, 17, 0, 0, 16), "Docker's default network; a host with Docker cannot reach it"),
    (net(10, 88, 0, 0, 16), "podman's default network, which the installer's own containers use"),
];

/// libvirt's default network.
const LIBVIRT: Ipv4Net = net(192, 168, 122, 0, 24);

/// What nobody owns in public (RFC 1918, RFC 6598).
const PRIVATE: &[Ipv4Net] =
    &[net(10, 0, 0, 0, 8), net(172, 16, 0, 0, 12), net(192, 168, 0, 0, 16), net(100, 64, 0, 0, 10)];

/// One of the three, with its name for people.
pub(super) struct Named {
    pub field: &'static str,
    pub what: &'static str,
    pub net: Ipv4Net,
    pub at: Option<Span>,
}

/// Returns the three networks as written.
pub(super) fn of(inventory: &Inventory) -> [Named; 3] {
    let network = &inventory.network;
    let named = |field, what, cidr: &Located<Cidr>| Named { field, what, net: cidr.value.0, at: cidr.at };
    [
        named("network.machineNetwork", "the machine network", &network.machine_network),
        named("network.clusterNetwork.cidr", "the cluster network", &network.cluster_network.cidr),
        named("network.serviceNetwork", "the service network", &network.service_network),
    ]
}

fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

/// Each network for itself.
pub(super) fn each(subject: &Subject<'_>, findings: &mut Findings) {
    let networks = of(subject.inventory);
    for named in &networks {
        let net = named.net;
        let refuse = |fault: String, help: String| Problem::new(named.field, named.at, fault).help(help);
        if net.addr() != net.network() {
            let fault = format!("{net} has bits set behind its prefix: it is one address of a network");
            findings.problem(refuse(fault, format!("the network is {}", net.trunc())));
        }
        for (taken, what) in OVN.iter().chain(SPECIAL) {
            if overlap(net, *taken) {
                let fault = format!("{net} overlaps {taken}, {what}");
                findings.problem(refuse(fault, "choose another network".to_owned()));
            }
        }
        for (taken, what) in OFTEN_TAKEN {
            if overlap(net, *taken) {
                findings.warning(named.field, format!("{net} overlaps {taken}: {what}"));
            }
        }
    }
    let [machine, _, service] = networks;
    if service.net.prefix_len() < SHORTEST_SERVICE_PREFIX {
        let fault = format!("{} is larger than the installer takes", service.net);
        let help = format!("/{SHORTEST_SERVICE_PREFIX} is the largest, /16 is usual");
        findings.problem(Problem::new(service.field, service.at, fault).help(help));
    }
    if overlap(machine.net, LIBVIRT) {
        let message = format!("{} overlaps {LIBVIRT}, libvirt's default network", machine.net);
        findings.warning(machine.field, message);
    }
    if !PRIVATE.iter().any(|private| private.contains(&machine.net)) {
        let owners = "its owners' servers cannot be reached from the VMs";
        findings.warning(machine.field, format!("{} is public address space: {owners}", machine.net));
    }
}

/// The networks against each other.
pub(super) fn overlaps(subject: &Subject<'_>, findings: &mut Findings) {
    let [machine, cluster, service] = of(subject.inventory);
    for (one, other) in [(&machine, &cluster), (&machine, &service), (&cluster, &service)] {
        if overlap(one.net, other.net) {
            // It is said of one that was written: no default is to blame.
            let (blamed, other) = if other.at.is_some() { (other, one) } else { (one, other) };
            let fault = format!("{} overlaps {}, {}", blamed.net, other.net, other.what);
            findings
                .problem(Problem::new(blamed.field, blamed.at, fault).help("choose networks that are apart"));
        }
    }
}

pub(super) fn room_for_pods(subject: &Subject<'_>, findings: &mut Findings) {
    let network = &subject.inventory.network.cluster_network;
    let (whole, host) = (network.cidr.value.0, network.host_prefix.value);
    let at = network.host_prefix.at.or(network.cidr.at);
    let refuse =
        |fault: String, help: &str| Problem::new("network.clusterNetwork.hostPrefix", at, fault).help(help);
    if host < whole.prefix_len() {
        let fault = format!("/{host} for each node is larger than the whole network, {whole}");
        findings.problem(refuse(fault, "23 is usual: 510 pods a node"));
        return;
    }
    if host > LONGEST_HOST_PREFIX {
        let fault = format!("/{host} for each node is smaller than the installer takes");
        findings.problem(refuse(fault, &format!("/{LONGEST_HOST_PREFIX} is the smallest")));
        return;
    }
    let nodes = subject.inventory.nodes.members().len();
    let room = 1_usize << (host - whole.prefix_len());
    if room < nodes {
        let fault = format!("{whole} holds {room} nodes of /{host} each, and there are {nodes}");
        findings.problem(
            Problem::new("network.clusterNetwork.cidr", network.cidr.at.or(at), fault)
                .help("make it larger, or each node's part smaller"),
        );
    }
}
