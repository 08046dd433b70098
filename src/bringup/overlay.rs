//! Phase `overlay`: bridge, tunnel and peers, now and after every reboot.

use std::net::IpAddr;

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::{
    bringup::{Place, gateway, neighbours, record, strangers::FORWARDING},
    cluster::{Cluster, Host},
    render,
    resource::{Action, Bridge, Change, Facts, File, Peers, Reload, Resource, Setting, Stamp, Unit, Vxlan},
};

pub(super) fn wanted(cluster: &Cluster, host: usize, facts: &Facts) -> Result<Vec<Resource>, render::Error> {
    let place = Place::of(cluster);
    let links = links(cluster, host, &place);
    let script = boot_script(cluster, host, &links, facts)?;
    let (settings, network_manager) =
        (settings_file(cluster, host, &place), network_manager_file(cluster, &place));
    let mut wanted = vec![Resource::File(settings), Resource::File(record::hosts(cluster))];
    if facts.units.get("NetworkManager.service").is_some_and(|unit| unit.load == "loaded") {
        wanted.push(Resource::File(network_manager));
    }
    wanted.extend(links);
    let unit = unit_file(cluster, &place, &script, facts)?;
    let runs = Reload { started: Stamp::of(place.run("overlay.started"), &[&unit, &script]), loaded: None };
    wanted.extend([
        Resource::File(script),
        Resource::File(unit),
        Resource::Unit(Unit {
            name: place.unit("overlay"),
            runs: Some(runs),
            before: None,
            follows: !neighbours::followed(facts).is_empty(),
        }),
    ]);
    Ok(wanted)
}

/// Returns the links themselves, in the order they are made.
fn links(cluster: &Cluster, host: usize, place: &Place) -> Vec<Resource> {
    let (network, this) = (&cluster.network, &cluster.hosts[host]);
    let others = cluster.hosts.iter().enumerate().filter(|(index, _)| *index != host);
    let peers: Vec<IpAddr> = others.map(|(_, other)| other.underlay.peer_address).collect();
    let bridge = Bridge {
        name: network.bridge.clone(),
        alias: place.alias(),
        mac: this.bridge_mac,
        mtu: network.mtu,
        address: Ipv4Net::new_assert(this.address, network.machine.prefix_len()),
    };
    let vxlan = Vxlan {
        name: network.vxlan.device.clone(),
        alias: place.alias(),
        bridge: network.bridge.clone(),
        mac: this.vxlan_mac,
        mtu: network.mtu,
        vni: network.vxlan.vni,
        port: network.vxlan.port,
        local: this.underlay.address,
    };
    let peers = Peers { device: network.vxlan.device.clone(), peers };
    let mut links = vec![Resource::Bridge(bridge), Resource::Vxlan(vxlan), Resource::Peers(peers)];
    let before = |name: &str| {
        (!name.contains(&network.bridge) && !name.contains(&network.vxlan.device))
            .then(|| place.var("before/settings"))
    };
    links.extend(settings(cluster, this).into_iter().map(|(name, value)| {
        let before = before(&name);
        Resource::Setting(Setting { name, value, before })
    }));
    links
}

/// Returns the kernel settings: loose reverse-path filter where VM packets pass, and no IPv6 on our
/// own links, where a VM's router advertisement would take the host's default route.
///
/// The kernel takes the larger of `all` and the interface's own, so 2 wins
/// everywhere. `conf.all` is left alone, and so is IPv6 forwarding, which
/// would turn off router advertisements on the NIC and could cut SSH.
fn settings(cluster: &Cluster, host: &Host) -> Vec<(String, String)> {
    let nic = host.underlay.device.as_deref();
    let links =
        nic.into_iter().chain([cluster.network.bridge.as_str(), cluster.network.vxlan.device.as_str()]);
    let filter = |link: &str| (format!("net.ipv4.conf.{}.rp_filter", link.replace('.', "/")), "2".to_owned());
    let mut settings: Vec<(String, String)> = links.map(filter).collect();
    let ours = [&cluster.network.bridge, &cluster.network.vxlan.device];
    settings.extend(
        ours.map(|link| (format!("net.ipv6.conf.{}.disable_ipv6", link.replace('.', "/")), "1".to_owned())),
    );
    settings
}

fn settings_file(cluster: &Cluster, host: usize, place: &Place) -> File {
    // At boot forwarding would come before the rules that bound it. Another cluster that is taken down
    // reads here that this one wants it (see `heirs`).
    let head = format!(
        "# Made by ocp2 for cluster {}.\n# {FORWARDING} = 1 comes with its rules, by {}\n",
        cluster.name,
        place.unit("overlay")
    );
    let lines = settings(cluster, &cluster.hosts[host]);
    let content = lines.iter().fold(head, |text, (name, value)| format!("{text}{name} = {value}\n"));
    File::new(place.settings_file(), content).guarded()
}

fn network_manager_file(cluster: &Cluster, place: &Place) -> File {
    let (bridge, vxlan) = (&cluster.network.bridge, &cluster.network.vxlan.device);
    let content = format!(
        "# Made by ocp2 for cluster {}: these links are not NetworkManager's.\n\
         [device-ocp2-{}]\nmatch-device=interface-name:{bridge},interface-name:{vxlan}\nmanaged=0\n",
        cluster.name, cluster.name
    );
    let reload = "if systemctl is-active --quiet NetworkManager; then systemctl reload NetworkManager; fi";
    File::new(place.network_manager_file(), content).then(reload)
}

#[derive(Serialize)]
struct BootScript<'a> {
    cluster: &'a str,
    links: String,
    nft_file: String,
    table: String,
    forwarding: String,
    entries: String,
}

/// Renders the script that runs at boot: the changes from nothing to what is wanted.
fn boot_script(
    cluster: &Cluster,
    host: usize,
    links: &[Resource],
    facts: &Facts,
) -> Result<File, render::Error> {
    let (place, nothing) = (Place::of(cluster), Facts::default());
    let source = |resource: &Resource| {
        let resource = match resource {
            // What a setting was before was kept by the run that first changed it.
            Resource::Setting(setting) => &Resource::Setting(Setting { before: None, ..setting.clone() }),
            other => other,
        };
        // From nothing there is nothing to be in conflict with.
        let changes = resource.changes(&nothing).unwrap_or_default();
        changes.iter().filter_map(shell_source).collect::<String>()
    };
    let entries = neighbours::at_boot(cluster, host, facts).map(Resource::Entries);
    let table = Resource::NftTable(gateway::table(cluster, host, facts)?);
    let values = BootScript {
        cluster: &cluster.name,
        links: links.iter().map(source).collect::<String>().trim_end().to_owned(),
        nft_file: place.etc("nftables.nft"),
        table: source(&table).trim_end().to_owned(),
        forwarding: gateway::forwarding(cluster).iter().map(source).collect::<String>().trim_end().to_owned(),
        entries: entries.iter().map(source).collect::<String>().trim_end().to_owned(),
    };
    Ok(File::new(place.etc("overlay.sh"), render::fill("overlay.sh.j2", values)?).executable())
}

fn shell_source(change: &Change) -> Option<String> {
    match &change.action {
        Action::Shell(script) => Some(script.source().to_owned()),
        Action::Hypervisor(_) | Action::Manual(_) => None,
    }
}

#[derive(Serialize)]
struct UnitFile<'a> {
    cluster: &'a str,
    script: &'a str,
    stamp: String,
    followed: Vec<&'static str>,
}

fn unit_file(cluster: &Cluster, place: &Place, script: &File, facts: &Facts) -> Result<File, render::Error> {
    let path = place.unit_file("overlay");
    let stamp =
        Stamp::naming(place.run("overlay.started"), vec![path.clone(), script.path.clone()]).command();
    let values = UnitFile {
        cluster: &cluster.name,
        script: &script.path,
        stamp,
        followed: neighbours::followed(facts),
    };
    Ok(File::new(path, render::fill("overlay.service.j2", values)?))
}
