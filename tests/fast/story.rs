//! What the story decides: the boot image's next step, what keeps a host out, what is taken down.

use std::net::IpAddr;

use ocp2::{
    bringup::{
        self, ImageRecord, ImageStep, Phase, Place, Removal, STORY, frozen_inputs, image_path, image_step,
        preflight, sighting,
    },
    cluster::Cluster,
    resource::{
        Action, Detail, Facts, FileSeen, LinkSeen, Manager, Resource, RouteSeen, System, UnitSeen,
        hypervisor::{DomainSeen, DomainState, PoolSeen, Seen, VolumeSeen},
    },
};

use crate::inventories;

fn cluster() -> Cluster {
    inventories::cluster(&inventories::path("two-hosts"))
}

fn file(text: &str) -> FileSeen {
    FileSeen { mode: 0o644, owner: "root:root".into(), sha256: String::new(), text: Some(text.to_owned()) }
}

#[test]
fn the_story_is_told_in_order() {
    let names: Vec<&str> = STORY.iter().map(|phase| phase.name()).collect();
    let told = ["hosts", "overlay", "nat", "names", "balancer", "image", "machines", "bootstrap", "install"];
    assert_eq!(names, told);
    assert!(STORY.is_sorted());
}

/// A host's facts of the boot image.
#[derive(Clone, Copy, Default)]
struct Image {
    record: Option<&'static str>,
    begun: Option<&'static str>,
    size: Option<u64>,
}

fn has(inputs: &'static str) -> Image {
    Image { record: Some(inputs), size: Some(1000), ..Image::default() }
}

fn begun(image: Image, inputs: &'static str) -> Image {
    Image { begun: Some(inputs), ..image }
}

fn step(images: &[Image]) -> ImageStep {
    let cluster = cluster();
    let place = Place::of(&cluster);
    let record = |inputs: &str| {
        serde_json::to_string(&ImageRecord {
            sha256: "11".into(),
            size: 1000,
            inputs: inputs.into(),
            ignited: None,
        })
        .unwrap()
    };
    let facts = |image: &Image| {
        let mut facts = Facts::default();
        if let Some(inputs) = image.record {
            facts.files.insert(place.image(), file(&record(inputs)));
        }
        if let Some(inputs) = image.begun {
            facts.files.insert(place.begun(), file(&record(inputs)));
        }
        facts.listing.extend(image.size.map(|size| (image_path(&cluster), size)));
        facts
    };
    let hosts: Vec<Facts> = images.iter().map(facts).collect();
    image_step(&cluster, "now", &hosts.iter().collect::<Vec<_>>())
}

#[test]
fn the_boot_image_is_made_copied_or_left() {
    let none = Image::default();
    assert_eq!(step(&[none, none]), ImageStep::Make);
    assert_eq!(step(&[has("now"), none, none]), ImageStep::Copy(vec![1, 2]));
    assert_eq!(step(&[has("now"), has("now")]), ImageStep::Done);
    // The inventory has changed since.
    assert_eq!(step(&[has("before"), has("before")]), ImageStep::Make);
    assert_eq!(step(&[has("now"), has("before")]), ImageStep::Copy(vec![1]));
    // The record alone does not boot a VM, and half an image neither.
    assert_eq!(step(&[Image { size: None, ..has("now") }, has("now")]), ImageStep::Make);
    assert_eq!(step(&[has("now"), Image { size: Some(999), ..has("now") }]), ImageStep::Copy(vec![1]));
    // The first host is another one now; the image on the second does not help it.
    assert_eq!(step(&[none, has("now")]), ImageStep::Make);
}

#[test]
fn once_begun_the_boot_image_is_frozen() {
    let none = Image::default();
    assert_eq!(step(&[begun(has("now"), "now"), has("now")]), ImageStep::Done);
    assert_eq!(step(&[begun(has("before"), "before"), has("before")]), ImageStep::Frozen);
    assert_eq!(step(&[has("now"), begun(has("before"), "before")]), ImageStep::Frozen);
    // A host that joined later still gets it.
    assert_eq!(step(&[begun(has("now"), "now"), none]), ImageStep::Copy(vec![1]));
    // Also where the inventory has changed since; never another image than the nodes booted from.
    assert_eq!(step(&[begun(has("before"), "before"), none]), ImageStep::Copy(vec![1]));
    // The image was deleted after the installation, which needs it no more.
    assert_eq!(step(&[begun(none, "now"), none]), ImageStep::Done);
}

#[test]
fn a_host_whose_vms_need_the_boot_image_no_more_does_not_get_it_again() {
    let cluster = cluster();
    let place = Place::of(&cluster);
    let record = serde_json::to_string(&ImageRecord {
        sha256: "11".into(),
        size: 1000,
        inputs: "now".into(),
        ignited: None,
    });
    let record = record.unwrap();
    let mut first = Facts::default();
    first.files.insert(place.image(), file(&record));
    first.files.insert(place.begun(), file(&record));
    first.listing.insert(image_path(&cluster), 1000);
    let mut second = Facts::default();
    assert_eq!(image_step(&cluster, "now", &[&first, &second]), ImageStep::Copy(vec![1]));
    second.files.insert(place.ejected(), file(""));
    assert_eq!(image_step(&cluster, "now", &[&first, &second]), ImageStep::Done);
}

#[test]
fn what_has_changed_in_frozen_inputs_is_shown() {
    let cluster = cluster();
    let seen = |before: Option<&str>| {
        let mut facts = Facts::default();
        facts.files.extend(before.map(|before| (Place::of(&cluster).inputs(), file(before))));
        let change = frozen_inputs(&cluster, "fips: true\n", &facts);
        assert!(matches!(&change.action, Action::Manual(advice) if advice.contains("never applied")));
        change
    };
    let change = seen(Some("fips: false\n"));
    let [Detail::Diff { text }] = change.details.as_slice() else { panic!("{:?}", change.details) };
    assert!(text.contains("-fips: false\n+fips: true"), "{text}");
    // Masked, two pull secrets look the same.
    assert_eq!(seen(Some("fips: true\n")).summary, "a secret among them has changed");
    assert!(seen(None).summary.contains("not known"));
}

#[test]
fn an_unreadable_mark_is_a_mark() {
    let cluster = cluster();
    let mut facts = Facts::default();
    facts.files.insert(Place::of(&cluster).begun(), file(""));
    assert_eq!(image_step(&cluster, "now", &[&facts]), ImageStep::Frozen);
}

#[test]
fn the_machines_are_marked_as_begun_before_they_boot() {
    let cluster = cluster();
    let place = Place::of(&cluster);
    let wanted = |facts: &Facts| -> Vec<String> {
        let resources = Phase::Machines.wanted(&cluster, 0, facts).unwrap();
        let name = |resource: Resource| match resource {
            Resource::File(file) => Some(file.path),
            Resource::Domain(domain) => Some(domain.name),
            _ => None,
        };
        resources.into_iter().filter_map(name).collect()
    };
    let mut facts = Facts::default();
    let before = wanted(&facts);
    let mark = before.iter().position(|name| *name == place.begun()).unwrap();
    let first = before.iter().position(|name| name == "ocp-master0").unwrap();
    assert!(mark < first, "{before:?}");
    // A later run with another image must not say that the nodes booted from that.
    facts.files.insert(place.begun(), file("{}"));
    assert!(!wanted(&facts).contains(&place.begun()));
}

/// Returns the facts of a host that lacks nothing.
fn fit(cluster: &Cluster) -> Facts {
    let system = System {
        name: "Debian GNU/Linux 12 (bookworm)".into(),
        manager: Some(Manager::Apt),
        kernel: "6.1.0-40-amd64".into(),
        architecture: "x86_64".into(),
        memory_mib: 3 * 16384 + 1024,
        now: 1_000_000,
        systemd: true,
        overlay_links: true,
        space: [(cluster.machines.pool.display().to_string(), (400 * 1024, 360 * 1024))].into(),
        ..System::default()
    };
    let mut facts = Facts { system, ..Facts::default() };
    facts.files.insert(Place::of(cluster).var("kvm"), file("6.1.0-40-amd64 yes\n"));
    facts
}

/// Returns what preflight finds after `spoil`.
fn found(spoil: impl Fn(&mut Facts)) -> Vec<String> {
    let cluster = cluster();
    let mut facts = fit(&cluster);
    spoil(&mut facts);
    let findings = preflight(&cluster, 0, &facts, 1_000_000);
    assert!(findings.iter().all(|finding| finding.host == "bm1" && !finding.fix.is_empty()));
    findings.into_iter().map(|finding| finding.what).collect()
}

#[test]
fn a_fit_host_passes_preflight() {
    assert_eq!(found(|_| ()), [""; 0]);
    // At the very limits, too.
    assert_eq!(found(|facts| facts.system.now += 30), [""; 0]);
    // Whether KVM guests run is not known before they were tried.
    assert_eq!(found(|facts| facts.files.clear()), [""; 0]);
}

#[test]
fn preflight_says_what_keeps_a_host_out() {
    type Spoil<'a> = &'a dyn Fn(&mut Facts);
    let kvm = Place::of(&cluster()).var("kvm");
    let cases: [(Spoil, &str); 9] = [
        (&|facts| facts.system.systemd = false, "systemd does not run here"),
        (&|facts| facts.system.manager = None, "Debian GNU/Linux 12 (bookworm) has neither apt-get nor dnf"),
        (&|facts| facts.system.architecture = "aarch64".into(), "the machine is aarch64, not x86_64"),
        (&|facts| facts.system.overlay_links = false, "the kernel cannot make a bridge and a VXLAN link"),
        (&|facts| facts.system.now += 31, "the clock is 31 s ahead of the workstation's"),
        (&|facts| facts.system.now -= 7200, "the clock is 7200 s behind the workstation's"),
        (
            &|facts| facts.system.memory_mib -= 1,
            "its VMs need 49152 MiB of memory and the host 1024 MiB for itself, but it has 50175 MiB in all",
        ),
        (
            &|facts| facts.system.space.values_mut().for_each(|room| room.1 -= 1),
            "the disks of its VMs need 368640 MiB in /var/lib/libvirt/images/ocp, but 368639 MiB are free there",
        ),
        (
            &|facts| drop(facts.files.insert(kvm.clone(), file("6.1.0-40-amd64 no\n"))),
            "KVM guests do not run here: a guest of one sector hung or failed under /dev/kvm",
        ),
    ];
    for (spoil, what) in cases {
        assert_eq!(found(spoil), [what]);
    }
    // Everything at once, not one thing after the other.
    let all = found(|facts| cases.iter().for_each(|(spoil, _)| spoil(facts)));
    assert_eq!(all.len(), 8, "{all:#?}");
}

#[test]
fn disks_that_are_there_need_no_room() {
    let spoil = |facts: &mut Facts| {
        facts.listing.insert("/var/lib/libvirt/images/ocp/ocp-master0.img".into(), 128_849_018_880);
        facts.system.space.values_mut().for_each(|room| room.1 = 240 * 1024);
    };
    assert_eq!(found(spoil), [""; 0]);
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

fn host(links: Vec<LinkSeen>, route: Option<(&str, Option<&str>)>) -> Facts {
    let route = route
        .map(|(dev, source)| RouteSeen { dev: dev.into(), prefsrc: source.map(|it| it.parse().unwrap()) });
    Facts { links, routes: route.into_iter().collect(), ..Facts::default() }
}

#[test]
fn the_nic_the_inventory_names_is_the_underlay() {
    let facts = host(
        vec![
            link("lo", None, 65535, &[]),
            link("eno1", None, 1500, &["203.0.113.5/24"]),
            link("ens34f0", None, 9000, &["2001:db8::5/64", "10.0.0.5/24", "10.0.0.6/24"]),
        ],
        Some(("eno1", None)),
    );
    let seen = sighting(&cluster(), 0, &facts).unwrap();
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    assert_eq!((seen.device.as_deref(), seen.mtu), (Some("ens34f0"), 9000));
    assert_eq!((seen.address, seen.peer_address), (ip("10.0.0.5"), ip("10.0.0.5")));
    assert_eq!(seen.public, Some(ip("203.0.113.5")));
    assert!(!seen.kvm && !seen.nmstate);
}

#[test]
fn an_address_the_inventory_names_wins_over_the_nics_first() {
    // `ssh: root@192.168.0.23` is what the inventory knows of this host.
    let facts = host(vec![link("ens34f0", None, 1500, &["10.0.0.5/24", "192.168.0.23/24"])], None);
    let seen = sighting(&cluster(), 0, &facts).unwrap();
    assert_eq!(seen.address.to_string(), "192.168.0.23");
    assert_eq!(seen.public, None);
}

#[test]
fn a_nic_that_is_not_there_is_named_with_those_that_are() {
    let facts = host(
        vec![
            link("lo", None, 65535, &[]),
            link("eno1", None, 1500, &["203.0.113.5/24"]),
            link("eno2", None, 1500, &[]),
            link("virbr0", Some("bridge"), 1500, &["192.168.122.1/24"]),
        ],
        None,
    );
    let said = sighting(&cluster(), 0, &facts).unwrap_err();
    assert_eq!(said, "there is no NIC ens34f0; this host has eno1 (203.0.113.5/24), eno2");
    let facts = host(vec![link("ens34f0", None, 1500, &[])], None);
    assert_eq!(sighting(&cluster(), 0, &facts).unwrap_err(), "NIC ens34f0 has no address");
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

fn domain(name: &str, cluster: Option<&str>, state: DomainState) -> DomainSeen {
    let xml = include_str!("changes/captured/domain.xml").replace("ocp-master0", name);
    let xml = match cluster {
        Some(cluster) => xml.replace("cluster=\"ocp\"", &format!("cluster=\"{cluster}\"")),
        None => xml
            .replace("ocp2:machine", "other:machine")
            .replace("urn:ocp2:machine", "urn:other")
            .replace("machine xmlns", "thing xmlns"),
    };
    DomainSeen { name: name.into(), uuid: String::new(), state, autostart: true, xml, live: None }
}

/// Returns a host where everything of the cluster is, and much that is not the cluster's.
fn populated(cluster: &Cluster) -> Facts {
    let place = Place::of(cluster);
    let volume = |pool: &str, name: &str| VolumeSeen {
        pool: pool.into(),
        name: name.into(),
        path: format!("/var/lib/libvirt/images/ocp/{name}"),
        capacity: 1,
    };
    let pool = |name: &str| PoolSeen { name: name.into(), active: true, autostart: true, xml: String::new() };
    let marked = |name: &str, kind: &str, alias: Option<&str>| LinkSeen {
        alias: alias.map(str::to_owned),
        ..link(name, Some(kind), 1400, &[])
    };
    let active = UnitSeen { load: "loaded".into(), active: "active".into(), file: "enabled".into() };
    let listing = [
        "/etc/ocp2/ocp/",
        "/etc/ocp2/ocp/haproxy.cfg",
        "/var/lib/ocp2/ocp/",
        "/var/lib/ocp2/ocp/before/settings/net.ipv4.ip_forward",
        "/var/lib/ocp2/ocp/before/settings/net.ipv4.conf.bond0:100.rp_filter",
        "/var/lib/ocp2/ocp/before/units/libvirtd.service",
        "/etc/systemd/system/ocp2-ocp-dns.service",
        "/var/lib/libvirt/images/ocp/ocp-agent.iso",
        "/var/lib/libvirt/images/ocp/ocp-master0.img",
    ];
    Facts {
        links: vec![
            link("ens34f0", None, 1500, &["192.168.0.23/24"]),
            marked("br-vm", "bridge", Some("ocp2:ocp")),
            marked("vxlan0", "vxlan", Some("ocp2:ocp")),
            marked("br-two", "bridge", Some("ocp2:ocp-two")),
            marked("virbr0", "bridge", None),
        ],
        nft_tables: [("ocp2_ocp".to_owned(), "table".to_owned())].into(),
        units: [(place.unit("overlay"), active.clone()), ("docker.service".to_owned(), active)].into(),
        listing: listing.into_iter().map(|path| (path.to_owned(), 1)).collect(),
        files: [
            (place.settings_file(), file("")),
            (place.var("before/packages"), file("haproxy nftables\nqemu-utils\n")),
        ]
        .into(),
        packages: ["haproxy", "qemu-utils", "curl"]
            .map(|name| (name.to_owned(), ocp2::resource::PackageSeen { version: "1".into() }))
            .into(),
        hypervisor: Some(Seen {
            pools: vec![pool("default"), pool("ocp2-ocp")],
            volumes: vec![
                volume("ocp2-ocp", "ocp-master0.img"),
                volume("ocp2-ocp", "ocp-agent.iso"),
                volume("default", "mine.img"),
            ],
            domains: vec![
                domain("ocp-master0", Some("ocp"), DomainState::Running),
                // It left the inventory long ago, and is this cluster's all the same.
                domain("ocp-worker9", Some("ocp"), DomainState::Off),
                domain("two-master0", Some("two"), DomainState::Running),
                domain("mine", None, DomainState::Running),
            ],
        }),
        ..Facts::default()
    }
}

fn removed(options: Removal) -> Vec<String> {
    let cluster = cluster();
    let changes = bringup::removal(&cluster, &populated(&cluster), options);
    changes.iter().map(|change| format!("{}: {}", change.resource, change.summary)).collect()
}

#[test]
fn down_removes_what_is_ours_in_a_safe_order() {
    let expected = [
        "domain ocp-master0: cut its power",
        "domain ocp-master0: undefine",
        "domain ocp-master0: delete its logs",
        "domain ocp-worker9: undefine",
        "domain ocp-worker9: delete its logs",
        "volume ocp-master0.img: delete",
        "file /var/lib/libvirt/images/ocp/ocp-agent.iso: delete",
        "pool ocp2-ocp: stop",
        "pool ocp2-ocp: undefine",
        "folder /var/lib/libvirt/images/ocp: delete if empty",
        "unit ocp2-ocp-dns.service: stop and delete",
        "unit ocp2-ocp-overlay.service: stop and delete",
        "nftables table inet ocp2_ocp: delete",
        "vxlan vxlan0: delete",
        "bridge br-vm: delete",
        "setting net.ipv4.conf.bond0/100.rp_filter: put back",
        "setting net.ipv4.ip_forward: put back",
        "unit libvirtd.service: put back",
        "file /etc/sysctl.d/ocp2-ocp.conf: delete",
        "folder /etc/ocp2/ocp/: delete",
        "folder /var/lib/ocp2/ocp/: delete",
    ];
    assert_eq!(removed(Removal::default()), expected);
}

#[test]
fn down_spares_what_it_is_told_to() {
    let all = removed(Removal::default());
    let kept = removed(Removal { keep_volumes: true, packages: false });
    let expected: Vec<&String> = all.iter().filter(|line| !line.starts_with("volume")).collect();
    assert_eq!(kept.iter().collect::<Vec<_>>(), expected);
    // Only what ocp2 installed, and is there still.
    let more = removed(Removal { keep_volumes: false, packages: true });
    let packages: Vec<&String> = more.iter().filter(|line| !all.contains(line)).collect();
    assert_eq!(packages, ["packages: remove haproxy qemu-utils"]);
}

#[test]
fn down_of_what_is_not_there_does_nothing() {
    let cluster = cluster();
    let mut facts = populated(&cluster);
    facts.links.retain(|link| link.alias.as_deref() != Some("ocp2:ocp"));
    let facts = Facts {
        links: facts.links,
        units: [].into(),
        listing: [].into(),
        files: [].into(),
        nft_tables: [].into(),
        hypervisor: facts.hypervisor.map(|seen| Seen {
            pools: seen.pools.into_iter().filter(|pool| pool.name == "default").collect(),
            volumes: seen.volumes.into_iter().filter(|volume| volume.pool == "default").collect(),
            domains: seen.domains.into_iter().filter(|domain| !domain.name.starts_with("ocp-")).collect(),
        }),
        ..facts
    };
    let changes = bringup::removal(&cluster, &facts, Removal { keep_volumes: false, packages: true });
    assert!(changes.is_empty(), "{changes:#?}");
}

#[test]
fn what_another_cluster_needs_too_is_left_to_it() {
    let cluster = cluster();
    let mut facts = populated(&cluster);
    facts.listing.insert("/etc/sysctl.d/ocp2-ocp.conf".to_owned(), 1);
    facts.listing.insert("/etc/sysctl.d/ocp2-ocp-two.conf".to_owned(), 1);
    let changes = bringup::removal(&cluster, &facts, Removal { keep_volumes: false, packages: true });
    let said = |resource: &str| {
        let change = changes.iter().find(|change| change.resource == resource).unwrap();
        let Action::Shell(script) = &change.action else { panic!("{change:?}") };
        (change.summary.clone(), script.source().to_owned())
    };
    let (summary, source) = said("setting net.ipv4.ip_forward");
    assert_eq!(summary, "put back, or leave to cluster ocp-two");
    assert!(
        source.contains("grep -qsF 'net.ipv4.ip_forward = ' /etc/sysctl.d/ocp2-ocp-two.conf"),
        "{source}"
    );
    let (summary, source) = said("unit libvirtd.service");
    assert_eq!(summary, "leave to cluster ocp-two");
    assert!(!source.contains("systemctl"), "{source}");
    let (summary, source) = said("packages");
    assert_eq!(summary, "leave to cluster ocp-two");
    assert!(source.contains(">> /var/lib/ocp2/ocp-two/before/packages"), "{source}");
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

#[test]
fn a_setting_is_put_back_to_where_it_was_taken_from() {
    let cluster = cluster();
    let changes = bringup::removal(&cluster, &populated(&cluster), Removal::default());
    let change = changes.iter().find(|change| change.resource.contains("bond0")).unwrap();
    let Action::Shell(script) = &change.action else { panic!("{change:?}") };
    assert!(script.source().contains("> /proc/sys/net/ipv4/conf/bond0.100/rp_filter"), "{}", script.source());
}
