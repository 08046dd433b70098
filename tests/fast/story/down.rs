//! What is taken down, in which order, and what is put back.

use ocp2::{
    bringup::{self, Place, Removal},
    cluster::Cluster,
    resource::{
        Action, Change, Facts, LinkSeen, UnitSeen,
        hypervisor::{DomainState, PoolSeen, Seen, VolumeSeen},
    },
};

use super::{cluster, domain, file, link, record};

/// What was made there, a disk of a VM that is gone among it.
const RECORD: [&str; 6] = [
    "domain ocp-master0",
    "file /var/lib/libvirt/images/ocp/ocp-agent.iso",
    "folder /var/lib/libvirt/images/ocp",
    "pool ocp2-ocp",
    "volume /var/lib/libvirt/images/ocp/ocp-master0.img",
    "volume /var/lib/libvirt/images/ocp/ocp-worker8.img",
];

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
            (place.owned(), record(&RECORD)),
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
                // Somebody else keeps something in the same folder.
                volume("ocp2-ocp", "billing-db.qcow2"),
                volume("ocp2-ocp", "ocp-.img"),
                volume("ocp2-ocp", "ocp-billing.qcow2"),
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

fn source(change: &Change) -> String {
    let Action::Shell(script) = &change.action else { panic!("{change:?}") };
    script.source().to_owned()
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
    let goes = |line: &&String| !line.starts_with("volume") && !line.starts_with("folder /var/lib");
    let expected: Vec<&String> = all.iter().filter(goes).collect();
    let (record, others) = kept.split_last().unwrap();
    assert_eq!(others.iter().collect::<Vec<_>>(), expected);
    assert_eq!(record, "folder /var/lib/ocp2/ocp/: delete all but the record of what stays");
    // Only what ocp2 installed, and is there still.
    let more = removed(Removal { keep_volumes: false, packages: true });
    let packages: Vec<&String> = more.iter().filter(|line| !all.contains(line)).collect();
    assert_eq!(packages, ["packages: remove haproxy qemu-utils and what came with them"]);
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
fn a_setting_is_put_back_to_where_it_was_taken_from() {
    let cluster = cluster();
    let changes = bringup::removal(&cluster, &populated(&cluster), Removal::default());
    let change = changes.iter().find(|change| change.resource.contains("bond0")).unwrap();
    let Action::Shell(script) = &change.action else { panic!("{change:?}") };
    assert!(script.source().contains("> /proc/sys/net/ipv4/conf/bond0.100/rp_filter"), "{}", script.source());
}

#[test]
fn what_another_vm_refers_to_is_left_however_it_is_called() {
    let cluster = cluster();
    let image = "/var/lib/libvirt/images/ocp/ocp-master0.img";
    let iso = "/var/lib/libvirt/images/ocp/ocp-agent.iso";
    let references = [
        (image, format!("<disk type='file'><source file='{image}'/></disk>")),
        (image, "<disk type='volume'><source pool='ocp2-ocp' volume='ocp-master0.img'/></disk>".to_owned()),
        (
            image,
            format!(
                "<disk type='file'><source file='/srv/mine.qcow2'/><backingStore type='file'><source \
                 file='{image}'/></backingStore></disk>"
            ),
        ),
        (image, format!("<disk type='block'><source dev='{image}'/></disk>")),
        (image, format!("<nvram>{image}</nvram>")),
        (iso, format!("<disk type='file' device='cdrom'><source file='{iso}'/></disk>")),
        // What cannot be read is no leave to delete.
        (image, format!("<disk><source file='{image}'/>")),
    ];
    for (path, reference) in references {
        let mut facts = populated(&cluster);
        let seen = facts.hypervisor.as_mut().unwrap();
        let mine = seen.domains.iter_mut().find(|domain| domain.name == "mine").unwrap();
        mine.xml = mine.xml.replace("<devices>", &format!("<devices>{reference}"));
        let changes = bringup::removal(&cluster, &facts, Removal::default());
        let left: Vec<_> = changes.iter().filter(|change| change.is_manual()).collect();
        assert_eq!(left.len(), 1, "{reference}: {left:?}");
        assert_eq!(left[0].resource, format!("file {path}"));
        assert!(left[0].summary.contains("domain mine"), "{reference}");
        // Nothing but that and what it lies in is left, and it is remembered.
        let whole = bringup::removal(&cluster, &populated(&cluster), Removal::default());
        assert_eq!(changes.len(), whole.len() - 1, "{reference}");
        let kept = source(changes.last().unwrap());
        assert!(kept.contains(&format!(" {path}'")), "{reference}: {kept}");
    }
}
