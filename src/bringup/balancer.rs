//! Phase `balancer`: an HAProxy per host in front of API, machine config and ingress.

use std::net::IpAddr;

use serde::Serialize;

use crate::{
    bringup::{Place, daemon::daemon},
    cluster::{Cluster, Node, Role},
    command::Command,
    render,
    resource::{Boolean, File, Listener, Resource},
};

#[derive(Serialize)]
struct Settings<'a> {
    cluster: &'a str,
    socket: String,
    services: Vec<Service>,
}

#[derive(Serialize)]
struct Service {
    name: &'static str,
    binds: Vec<String>,
    balance: &'static str,
    path: &'static str,
    port: u16,
    check: &'static str,
    nodes: Vec<Server>,
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
    public: bool,
    masters_only: bool,
    path: &'static str,
    check: &'static str,
}

/// The four services; 22623 hands out machine configurations and never leaves the overlay.
const KINDS: [Kind; 4] = [
    Kind {
        name: "api",
        port: 6443,
        public: true,
        masters_only: true,
        path: "/readyz",
        check: " check-ssl verify none",
    },
    Kind {
        name: "machine-config",
        port: 22623,
        public: false,
        masters_only: true,
        path: "/healthz",
        check: " check-ssl verify none",
    },
    Kind {
        name: "ingress-http",
        port: 80,
        public: true,
        masters_only: false,
        path: "/healthz/ready",
        check: " port 1936",
    },
    Kind {
        name: "ingress-https",
        port: 443,
        public: true,
        masters_only: false,
        path: "/healthz/ready",
        check: " port 1936",
    },
];

pub(super) fn wanted(cluster: &Cluster, host: usize) -> Result<Vec<Resource>, render::Error> {
    let place = Place::of(cluster);
    let this = &cluster.hosts[host];
    let addresses = |kind: &Kind| {
        let public = this.underlay.public.filter(|_| kind.public);
        std::iter::once(IpAddr::V4(this.address)).chain(public).collect::<Vec<_>>()
    };
    let server = |node: &Node| Server { name: node.name.clone(), address: node.address.to_string() };
    let service = |kind: &Kind| Service {
        name: kind.name,
        binds: addresses(kind).iter().map(|address| bind(*address, kind.port)).collect(),
        balance: if kind.masters_only { "leastconn" } else { "source" },
        path: kind.path,
        port: kind.port,
        check: kind.check,
        nodes: backends(cluster, kind).map(server).collect(),
    };
    let values = Settings {
        cluster: &cluster.name,
        socket: place.run("haproxy.sock"),
        services: KINDS.iter().map(service).collect(),
    };
    let config = File::new(place.etc("haproxy.cfg"), render::fill("haproxy.cfg.j2", values)?)
        .checked_by(Command::new("haproxy").args(["-c", "-q", "-f"]));
    let sockets =
        KINDS.iter().flat_map(|kind| addresses(kind).into_iter().map(|a| ("tcp", a, kind.port))).collect();
    let [unit_file, unit] = daemon(cluster, "balancer", &config, &[], &[&config])?;
    let listener = Listener { unit: place.unit("balancer"), sockets };
    // SELinux lets HAProxy listen on and connect to the ports of web servers only; ours are others.
    let boolean = Boolean { name: "haproxy_connect_any".into(), before: place.var("before/booleans") };
    Ok(vec![
        Resource::Listener(listener),
        Resource::Boolean(boolean),
        Resource::File(config),
        unit_file,
        unit,
    ])
}

/// Returns who may serve: the bootstrap VM too, as long as it is there, what masters serve.
fn backends<'a>(cluster: &'a Cluster, kind: &'a Kind) -> impl Iterator<Item = &'a Node> {
    let bootstrap = cluster.bootstrap_vm().filter(|_| kind.masters_only);
    cluster.nodes.iter().filter(|node| !kind.masters_only || node.role == Role::Master).chain(bootstrap)
}

fn bind(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}
