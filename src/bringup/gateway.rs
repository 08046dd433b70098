//! Phase `nat`: the way out of the VMs' network, and nothing in. Forwarding comes with the rules that
//! bound it, never before them.

use std::net::IpAddr;

use serde::Serialize;

use crate::{
    bringup::{
        Place, neighbours,
        strangers::{self, FORWARDING},
    },
    cluster::Cluster,
    command::Command,
    render,
    resource::{Facts, File, NftTable, Resource, Setting},
};

/// What the template asks for.
#[derive(Serialize)]
struct Rules<'a> {
    cluster: &'a str,
    table: String,
    bridge: &'a str,
    machine_network: String,
    vni: u32,
    port: u16,
    nat: bool,
    peers4: Vec<String>,
    peers6: Vec<String>,
    strangers: Vec<String>,
}

pub(super) fn wanted(cluster: &Cluster, host: usize, facts: &Facts) -> Result<Vec<Resource>, render::Error> {
    let table = table(cluster, host, facts)?;
    let mut wanted = vec![Resource::File(table.file.clone()), Resource::NftTable(table)];
    wanted.extend(forwarding(cluster));
    wanted.extend(neighbours::wanted(cluster, host, facts)?);
    Ok(wanted)
}

/// Returns the table of one host: only its peers may send it tunnel packets.
pub(super) fn table(cluster: &Cluster, host: usize, facts: &Facts) -> Result<NftTable, render::Error> {
    let place = Place::of(cluster);
    let network = &cluster.network;
    let others = cluster.hosts.iter().enumerate().filter(|(index, _)| *index != host);
    let (peers4, peers6): (Vec<IpAddr>, Vec<IpAddr>) =
        others.map(|(_, other)| other.underlay.peer_address).partition(IpAddr::is_ipv4);
    let texts = |peers: Vec<IpAddr>| peers.iter().map(ToString::to_string).collect();
    let values = Rules {
        cluster: &cluster.name,
        table: place.nft_table(),
        bridge: &network.bridge,
        machine_network: network.machine.to_string(),
        vni: network.vxlan.vni,
        port: network.vxlan.port,
        nat: network.nat,
        peers4: texts(peers4),
        peers6: texts(peers6),
        strangers: strangers::links(cluster, host, facts).into_iter().collect(),
    };
    let file = File::new(place.etc("nftables.nft"), render::fill("nftables.nft.j2", values)?)
        .checked_by(Command::new("nft").args(["-c", "-f"]))
        .guarded();
    Ok(NftTable { name: place.nft_table(), file, loaded: place.var("nftables.loaded") })
}

/// Returns what turns forwarding on, and keeps it on where somebody sets all settings anew; to be made after
/// the table is loaded.
pub(super) fn forwarding(cluster: &Cluster) -> [Resource; 2] {
    let place = Place::of(cluster);
    let content = format!("# Made by ocp2 for cluster {}.\n{FORWARDING} = 1\n", cluster.name);
    let before = Some(place.var("before/settings"));
    [
        Resource::File(File::new(place.forwarding_file(), content).guarded()),
        Resource::Setting(Setting { name: FORWARDING.into(), value: "1".into(), before }),
    ]
}
