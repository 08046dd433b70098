//! What the story decides: the boot image's next step, what keeps a host out, what is taken down.

mod boot_image;
mod down;
mod ownership;
mod preflight;
mod underlay;

use ocp2::{
    bringup::{self, Phase, Place, STORY},
    cluster::Cluster,
    resource::{
        Facts, FileSeen, LinkSeen, Resource,
        hypervisor::{DomainSeen, DomainState, Seen},
    },
};

use crate::inventories;

fn cluster() -> Cluster {
    inventories::cluster(&inventories::path("two-hosts"))
}

fn file(text: &str) -> FileSeen {
    FileSeen { mode: 0o644, owner: "root:root".into(), sha256: String::new(), text: Some(text.to_owned()) }
}

/// Returns a record of these lines, as `up` leaves it.
fn record(lines: &[&str]) -> FileSeen {
    let text = lines.iter().fold("ocp2-owned 1\n".to_owned(), |text, line| format!("{text}{line}\n"));
    FileSeen { mode: 0o600, ..file(&text) }
}

#[test]
fn the_story_is_told_in_order() {
    let names: Vec<&str> = STORY.iter().map(|phase| phase.name()).collect();
    let told = ["hosts", "overlay", "nat", "names", "balancer", "image", "machines", "bootstrap", "install"];
    assert_eq!(names, told);
    assert!(STORY.is_sorted());
}

fn link(name: &str, kind: Option<&str>, mtu: u16, addresses: &[&str]) -> LinkSeen {
    LinkSeen {
        name: name.into(),
        kind: kind.map(str::to_owned),
        mtu,
        up: true,
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        ..LinkSeen::default()
    }
}

fn domain(name: &str, cluster: Option<&str>, state: DomainState) -> DomainSeen {
    let xml = include_str!("../changes/captured/domain.xml").replace("ocp-master0", name);
    let xml = match cluster {
        Some(cluster) => xml.replace("cluster=\"ocp\"", &format!("cluster=\"{cluster}\"")),
        None => xml
            .replace("ocp2:machine", "other:machine")
            .replace("urn:ocp2:machine", "urn:other")
            .replace("machine xmlns", "thing xmlns"),
    };
    // Another's VM boots from something of its own.
    let xml = if cluster == Some("ocp") { xml } else { xml.replace("images/ocp/ocp-agent.iso", "own.iso") };
    DomainSeen { name: name.into(), uuid: String::new(), state, autostart: true, xml, live: None }
}

#[test]
fn the_reverse_zones_cover_the_machine_network() {
    let zones = |network: &str| -> Vec<String> {
        let mut cluster = cluster();
        cluster.network.machine = network.parse().unwrap();
        let resources = Phase::Names.wanted(&cluster, 0, &Facts::default()).unwrap();
        let config = resources.into_iter().find_map(|resource| match resource {
            Resource::File(file) if file.path.ends_with("dnsmasq.conf") => Some(file.content),
            _ => None,
        });
        let lines: Vec<String> = config.unwrap().lines().map(str::to_owned).collect();
        let zone = |line: &String| Some(line.strip_prefix("local=/")?.strip_suffix("/")?.to_owned());
        lines.iter().filter_map(zone).filter(|zone| zone.ends_with(".in-addr.arpa")).collect()
    };
    assert_eq!(zones("192.168.139.0/24"), ["139.168.192.in-addr.arpa"]);
    assert_eq!(zones("192.168.139.64/26"), ["139.168.192.in-addr.arpa"]);
    assert_eq!(
        zones("10.20.16.0/22"),
        ["16.20.10.in-addr.arpa", "17.20.10.in-addr.arpa", "18.20.10.in-addr.arpa", "19.20.10.in-addr.arpa"]
    );
    assert_eq!(zones("10.20.0.0/16"), ["20.10.in-addr.arpa"]);
    assert_eq!(zones("10.20.0.0/15"), ["20.10.in-addr.arpa", "21.10.in-addr.arpa"]);
    assert_eq!(zones("10.0.0.0/8"), ["10.in-addr.arpa"]);
}

#[test]
fn places_and_addresses_are_read_from_what_the_hosts_have_and_remember() {
    let cluster = cluster();
    let place = Place::of(&cluster);
    let disk = |node: &str| (format!("/var/lib/libvirt/images/ocp/ocp-{node}.img"), 1);
    let seen = |domains| Some(Seen { domains, ..Seen::default() });
    let nodes = "master0 bm1 12.12.139.10\nmaster1 bm2 12.12.139.11\nworker7 bm9 12.12.139.17\n";
    let first = Facts {
        files: [
            (place.begun(), file("{}")),
            (place.var("settled-hosts"), file("bm1 12.12.139.1\nbm9 12.12.139.9\n")),
            (place.var("settled-nodes"), file(nodes)),
        ]
        .into(),
        listing: [disk("master0"), disk("master2")].into(),
        hypervisor: seen(vec![
            domain("ocp-master0", Some("ocp"), DomainState::Running),
            // The same name, and somebody else's.
            domain("ocp-worker0", Some("two"), DomainState::Running),
        ]),
        ..Facts::default()
    };
    let second = Facts {
        files: [(place.var("settled-nodes"), file("master1 bm2 12.12.139.11\nmaster0 bm2 12.12.139.99\n"))]
            .into(),
        hypervisor: seen(vec![domain("ocp-master1", Some("ocp"), DomainState::Off)]),
        ..Facts::default()
    };
    let settled = bringup::settled(&cluster, &[("bm1", &first), ("bm2", &second)]);
    assert!(settled.begun);
    let hosts: Vec<String> =
        settled.hosts.iter().map(|(name, address)| format!("{name} {address}")).collect();
    assert_eq!(hosts, ["bm1 12.12.139.1", "bm9 12.12.139.9"]);
    let shown: Vec<String> = settled
        .nodes
        .iter()
        .map(|(name, trace)| {
            format!("{name} {:?} {:?} {:?} {:?}", trace.vms, trace.disks, trace.placed, trace.address)
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"master0 ["bm1"] ["bm1"] Some("bm1") Some(12.12.139.10)"#,
            r#"master1 ["bm2"] [] Some("bm2") Some(12.12.139.11)"#,
            r#"master2 [] ["bm1"] None None"#,
            r#"worker7 [] [] Some("bm9") Some(12.12.139.17)"#,
        ]
    );
}
