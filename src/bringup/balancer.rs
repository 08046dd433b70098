//! Phase `balancer`: an HAProxy per host in front of API, machine config and ingress.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::{
    bringup::{
        Place,
        daemon::{daemon, listens, script},
    },
    cluster::{Cluster, Node, Role},
    command::Command,
    render,
    resource::{Boolean, File, Listener, Resource},
};

#[derive(Serialize)]
struct Settings<'a> {
    cluster: &'a str,
    socket: String,
    maxconn: u32,
    services: Vec<Service>,
}

#[derive(Serialize)]
struct Reload<'a> {
    cluster: &'a str,
    config: &'a str,
}

#[derive(Serialize)]
struct Service {
    name: &'static str,
    frontends: Vec<Frontend>,
    balance: &'static str,
    path: &'static str,
    port: u16,
    check: &'static str,
    nodes: Vec<Server>,
}

/// One side of a service: the VMs' bridge, or the outside.
///
/// Each has a limit of its own, for idle connections are kept for a day: clients
/// outside could otherwise take all of them, and the cluster not reach its own API.
#[derive(Serialize)]
struct Frontend {
    name: String,
    bind: String,
    maxconn: u32,
}

#[derive(Serialize)]
struct Server {
    name: String,
    address: String,
}

/// A service of the cluster that is balanced.
struct Kind {
    name: &'static str,
    port: u16,
    /// Most connections at once from the bridge.
    inside: u32,
    /// Most connections at once from outside, where it is served there.
    outside: Option<u32>,
    masters_only: bool,
    path: &'static str,
    check: &'static str,
}

/// The four services; 22623 hands out machine configurations and never leaves the overlay.
///
/// Their limits sum up to 4000 connections on each side, 16000 descriptors of
/// the 20000 that a host surely has; listeners and health checks need some dozens more.
const KINDS: [Kind; 4] = [
    Kind {
        name: "api",
        port: 6443,
        inside: 1500,
        outside: Some(1000),
        masters_only: true,
        path: "/readyz",
        check: " check-ssl verify none",
    },
    Kind {
        name: "machine-config",
        port: 22623,
        inside: 250,
        outside: None,
        masters_only: true,
        path: "/healthz",
        check: " check-ssl verify none",
    },
    Kind {
        name: "ingress-http",
        port: 80,
        inside: 750,
        outside: Some(1000),
        masters_only: false,
        path: "/healthz/ready",
        check: " port 1936",
    },
    Kind {
        name: "ingress-https",
        port: 443,
        inside: 1500,
        outside: Some(2000),
        masters_only: false,
        path: "/healthz/ready",
        check: " port 1936",
    },
];

pub(super) fn wanted(cluster: &Cluster, host: usize) -> Result<Vec<Resource>, render::Error> {
    let place = Place::of(cluster);
    let this = &cluster.hosts[host];
    let sides = |kind: &Kind| {
        let outside =
            this.underlay.public.zip(kind.outside).map(|(address, most)| ("-public", address, most));
        std::iter::once(("", IpAddr::V4(this.address), kind.inside)).chain(outside).collect::<Vec<_>>()
    };
    let frontend = |kind: &Kind, (side, address, maxconn): (&str, IpAddr, u32)| Frontend {
        name: format!("{}{side}", kind.name),
        bind: SocketAddr::new(address, kind.port).to_string(),
        maxconn,
    };
    let server = |node: &Node| Server { name: node.name.clone(), address: node.address.to_string() };
    let service = |kind: &Kind| Service {
        name: kind.name,
        frontends: sides(kind).into_iter().map(|side| frontend(kind, side)).collect(),
        balance: if kind.masters_only { "leastconn" } else { "source" },
        path: kind.path,
        port: kind.port,
        check: kind.check,
        nodes: backends(cluster, kind).map(server).collect(),
    };
    let values = Settings {
        cluster: &cluster.name,
        socket: place.run("haproxy.sock"),
        maxconn: KINDS.iter().flat_map(sides).map(|(_, _, most)| most).sum(),
        services: KINDS.iter().map(service).collect(),
    };
    let config = File::new(place.etc("haproxy.cfg"), render::fill("haproxy.cfg.j2", values)?)
        .checked_by(Command::new("haproxy").args(["-c", "-q", "-f"]));
    let sockets = KINDS
        .iter()
        .flat_map(|kind| sides(kind).into_iter().map(|(_, address, _)| ("tcp", address, kind.port)))
        .collect();
    let [unit_file, unit] = daemon(cluster, "balancer", &config, &[], &[&config], &[])?;
    let reload =
        script(cluster, "balancer-reload.sh", Reload { cluster: &cluster.name, config: &config.path })?;
    let listener = Listener { unit: place.unit("balancer"), sockets };
    // SELinux lets HAProxy listen on and connect to the ports of web servers only; ours are others.
    let boolean = Boolean { name: "haproxy_connect_any".into(), before: place.var("before/booleans") };
    Ok(vec![
        Resource::Listener(listener),
        Resource::Boolean(boolean),
        Resource::File(config),
        listens(cluster)?,
        reload,
        unit_file,
        unit,
    ])
}

/// Returns who may serve: the bootstrap VM too, as long as it is there, what masters serve.
fn backends<'a>(cluster: &'a Cluster, kind: &'a Kind) -> impl Iterator<Item = &'a Node> {
    let bootstrap = cluster.bootstrap_vm().filter(|_| kind.masters_only);
    cluster.nodes.iter().filter(|node| !kind.masters_only || node.role == Role::Master).chain(bootstrap)
}
