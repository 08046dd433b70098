//! The UPI method: what VMs begin with, and the bootstrap VM that comes and goes.

use std::collections::BTreeMap;

use ocp2::{
    bringup::{
        self, ImageRecord, ImageStep, Phase, Place, ignition, ignition_file, ignition_path, image_path,
        image_step, installer_inputs, preflight,
    },
    cluster::{Addressing, Cluster, Node},
    resource::{
        Facts, FileSeen, Resource, System,
        hypervisor::{DomainSeen, DomainState, Seen, VolumeSeen},
    },
};
use serde_json::{Value, json};

use crate::inventories;

fn cluster() -> Cluster {
    inventories::cluster(&inventories::path("upi"))
}

/// Returns the cluster after its control plane has taken over.
fn grown() -> Cluster {
    let mut cluster = cluster();
    let mut facts = Facts::default();
    facts.files.insert(Place::of(&cluster).milestone("bootstrap"), file(""));
    bringup::retire(&mut cluster, &facts);
    cluster
}

fn file(text: &str) -> FileSeen {
    FileSeen { mode: 0o644, owner: "root:root".into(), sha256: String::new(), text: Some(text.to_owned()) }
}

fn wanted(cluster: &Cluster, phase: Phase, host: usize) -> Vec<Resource> {
    phase.wanted(cluster, host, &Facts::default()).unwrap()
}

fn content(cluster: &Cluster, phase: Phase, host: usize, end: &str) -> String {
    let named = |resource| match resource {
        Resource::File(file) if file.path.ends_with(end) => Some(file.content),
        _ => None,
    };
    wanted(cluster, phase, host).into_iter().find_map(named).unwrap()
}

#[test]
fn the_bootstrap_vm_is_beside_the_masters_and_as_large() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_vm().unwrap();
    assert_eq!((bootstrap.host, bootstrap.address.to_string().as_str()), (0, "12.12.139.254"));
    assert_eq!((bootstrap.vcpus, bootstrap.memory_mib, bootstrap.disk_gib), (4, 16384, 120));
    assert_eq!(cluster.domain_name(bootstrap), "ocp-bootstrap");
    assert!(cluster.nodes.iter().all(|node| node.mac != bootstrap.mac && node.uuid != bootstrap.uuid));
    assert!(grown().bootstrap_vm().is_none());
    assert!(inventories::cluster(&inventories::path("two-hosts")).bootstrap_vm().is_none());
}

#[test]
fn the_bootstrap_vm_serves_what_masters_serve_until_they_do() {
    let servers = |cluster: &Cluster| {
        let mut servers = BTreeMap::new();
        let mut backend = String::new();
        for line in content(cluster, Phase::Balancer, 1, "haproxy.cfg").lines() {
            if let Some(name) = line.strip_prefix("backend ") {
                name.clone_into(&mut backend);
            }
            if line.trim().starts_with("server bootstrap 12.12.139.254:") {
                servers.insert(backend.clone(), line.trim().to_owned());
            }
        }
        servers.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(servers(&cluster()), ["api", "machine-config"]);
    assert_eq!(servers(&grown()), [""; 0]);
}

#[test]
fn vms_ask_for_their_addresses_on_their_first_boot() {
    let cluster = cluster();
    assert_eq!(cluster.network.addressing, Addressing::Static);
    for host in [0, 1] {
        assert!(
            content(&cluster, Phase::Names, host, "dnsmasq.conf").contains("dhcp-range=12.12.139.0,static")
        );
        let leases = content(&cluster, Phase::Names, host, "dhcp-hosts");
        assert_eq!(leases.contains(",12.12.139.254,bootstrap,"), host == 0, "{leases}");
        assert_eq!(leases.contains(",master1,"), host == 1, "{leases}");
    }
    assert!(content(&cluster, Phase::Names, 1, "/hosts").contains("12.12.139.254 bootstrap.ocp.example.com"));
    assert!(!content(&grown(), Phase::Names, 0, "/hosts").contains("bootstrap"));
}

#[test]
fn a_host_needs_room_for_the_bootstrap_vm_as_long_as_it_is_there() {
    let memory_mib = 16384 * 3 + 1024;
    let findings = |cluster: &Cluster| {
        let system = System { memory_mib, now: 0, ..System::default() };
        let facts = Facts { system, ..Facts::default() };
        let found = preflight(cluster, 0, &facts, 0);
        found
            .into_iter()
            .map(|finding| finding.what)
            .filter(|what| what.contains("memory"))
            .collect::<Vec<_>>()
    };
    // Two masters, a worker, and the bootstrap VM.
    assert_eq!(
        findings(&cluster()),
        [format!(
            "its VMs need 65536 MiB of memory and the host 1024 MiB for itself, but it has {memory_mib} MiB in all"
        )]
    );
    assert_eq!(findings(&grown()), [""; 0]);
}

#[test]
fn disks_are_made_from_the_image_and_their_ignition_comes_with_the_firmware() {
    let cluster = cluster();
    let volumes: Vec<_> = wanted(&cluster, Phase::Machines, 0)
        .into_iter()
        .filter_map(|resource| match resource {
            Resource::Volume(volume) => Some(volume),
            _ => None,
        })
        .collect();
    let names: Vec<&str> = volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["ocp-master0.img", "ocp-master2.img", "ocp-worker1.img", "ocp-bootstrap.img"]);
    let image = image_path(&cluster);
    assert!(volumes.iter().all(|volume| volume.from.as_ref() == Some(&image)));
    let changes = volumes[0].changes(&Facts::default());
    let told: Vec<String> =
        changes.iter().map(|change| format!("{}: {}", change.resource, change.summary)).collect();
    assert_eq!(
        told,
        ["volume ocp-master0.img: create 120 GiB from ocp-rhcos.qcow2", "pool ocp2-ocp: look for it"]
    );

    let xml = bringup::domain(&cluster, &cluster.nodes[0]).unwrap().xml;
    let entry = format!(
        "<entry name='opt/com.coreos/config' file='{}'/>",
        ignition_path(&cluster, &cluster.nodes[0])
    );
    assert!(xml.contains(&entry) && !xml.contains("cdrom"), "{xml}");
    let agent = inventories::cluster(&inventories::path("two-hosts"));
    let xml = bringup::domain(&agent, &agent.nodes[0]).unwrap().xml;
    assert!(xml.contains("cdrom") && !xml.contains("fwcfg"), "{xml}");
}

const POINTER: &str = r#"{"ignition": {"config": {"merge": [{"source": "https://api-int.ocp.example.com:22623/config/worker"}]}, "version": "3.2.0"}}"#;

fn ignited(cluster: &Cluster, node: &Node, installers: &str) -> Value {
    serde_json::from_str(&ignition(cluster, node, installers).unwrap()).unwrap()
}

fn files(config: &Value) -> BTreeMap<String, (u64, String)> {
    let file = |file: &Value| {
        let source = file["contents"]["source"].as_str().unwrap();
        let data = source.rsplit_once(";base64,").unwrap().1;
        let text = String::from_utf8(data_encoding::BASE64.decode(data.as_bytes()).unwrap()).unwrap();
        (file["path"].as_str().unwrap().to_owned(), (file["mode"].as_u64().unwrap(), text))
    };
    config["storage"]["files"].as_array().unwrap().iter().map(file).collect()
}

#[test]
fn a_vms_ignition_is_the_installers_with_its_name_and_its_network() {
    let mut cluster = cluster();
    let worker = cluster.nodes[4].clone();
    assert_eq!(worker.name, "worker1");
    assert_eq!(ignition_file(&cluster, &worker), "worker.ign");
    assert_eq!(ignition_file(&cluster, &cluster.nodes[0]), "master.ign");
    assert_eq!(ignition_file(&cluster, cluster.bootstrap_vm().unwrap()), "bootstrap.ign");

    let config = ignited(&cluster, &worker, POINTER);
    assert_eq!(config["ignition"], serde_json::from_str::<Value>(POINTER).unwrap()["ignition"]);
    let own = files(&config);
    assert_eq!(own["/etc/hostname"], (0o644, "worker1.ocp.example.com\n".to_owned()));
    let (mode, connection) = &own["/etc/NetworkManager/system-connections/enp1s0.nmconnection"];
    assert_eq!(*mode, 0o600);
    let mac = format!("mac-address={}", worker.mac);
    for line in [&mac, "mtu=1400", "address1=12.12.139.14/24,12.12.139.1", "dns=12.12.139.1;"] {
        assert!(connection.lines().any(|there| there == line), "{line} is not in\n{connection}");
    }
    cluster.network.addressing = Addressing::Dhcp;
    assert_eq!(
        files(&ignited(&cluster, &worker, POINTER)).into_keys().collect::<Vec<_>>(),
        ["/etc/hostname"]
    );
}

#[test]
fn what_the_installer_wrote_stays_and_no_path_is_there_twice() {
    let cluster = cluster();
    let bootstrap = cluster.bootstrap_vm().unwrap();
    let installers = json!({
        "ignition": {"version": "3.2.0"}, "passwd": {"users": [{"name": "core"}]},
        "storage": {"files": [{"path": "/etc/motd", "mode": 420}, {"path": "/etc/hostname", "mode": 420}]}});
    let config = ignited(&cluster, bootstrap, &installers.to_string());
    let paths: Vec<&str> = config["storage"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    let connection = "/etc/NetworkManager/system-connections/enp1s0.nmconnection";
    assert_eq!(paths, ["/etc/motd", "/etc/hostname", connection]);
    assert_eq!(config["passwd"], installers["passwd"]);
    for (text, error) in [
        ("{", "it is not JSON (line 1, column 1)"),
        ("{}", "it is ignition without a version, and ocp2 knows version 3"),
        (r#"{"ignition": {"version": "2.2.0"}}"#, "it is ignition 2.2.0, and ocp2 knows version 3"),
        (r#"{"ignition": {"version": "3.1.0"}, "storage": {"files": {}}}"#, "storage.files is no list"),
    ] {
        assert_eq!(ignition(&cluster, bootstrap, text).unwrap_err().to_string(), error);
    }
}

#[test]
fn masters_take_work_only_where_there_are_no_workers() {
    let mut cluster = cluster();
    assert!(!installer_inputs::masters_schedulable(&cluster));
    cluster.nodes.truncate(3);
    assert!(installer_inputs::masters_schedulable(&cluster));
}

/// Hosts that have the image, the ignition made so long ago, and are marked as begun or not.
fn step(cluster: &Cluster, hours: i64, begun: bool, forget: &[String]) -> ImageStep {
    let inputs = "22".repeat(32);
    let record =
        ImageRecord { sha256: "11".repeat(32), size: 1000, inputs: inputs.clone(), ignited: Some(1_000_000) };
    let record = serde_json::to_string(&record).unwrap();
    let host = |host: usize| {
        let mut facts = Facts::default();
        facts.system.now = 1_000_000 + hours * 3600;
        facts.files.insert(Place::of(cluster).image(), file(&record));
        if begun {
            facts.files.insert(Place::of(cluster).begun(), file(&record));
        }
        facts.listing.insert(image_path(cluster), 1000);
        facts.listing.extend(cluster.machines_on(host).map(|node| (ignition_path(cluster, node), 1)));
        facts.listing.retain(|path, _| !forget.contains(path));
        facts
    };
    let hosts = [host(0), host(1)];
    image_step(cluster, &inputs, &hosts.iter().collect::<Vec<_>>())
}

#[test]
fn ignition_is_made_anew_before_its_certificates_are_too_old() {
    let cluster = cluster();
    assert_eq!(step(&cluster, 0, false, &[]), ImageStep::Done);
    assert_eq!(step(&cluster, 19, false, &[]), ImageStep::Done);
    assert_eq!(step(&cluster, 20, false, &[]), ImageStep::Make);
    // VMs have booted from it: it is theirs, however old.
    assert_eq!(step(&cluster, 2000, true, &[]), ImageStep::Done);
}

#[test]
fn a_host_whose_vms_have_no_ignition_gets_it() {
    let cluster = cluster();
    let of = |index: usize| vec![ignition_path(&cluster, &cluster.nodes[index])];
    assert_eq!(step(&cluster, 1, false, &of(0)), ImageStep::Copy(vec![0]));
    assert_eq!(step(&cluster, 1, true, &of(1)), ImageStep::Copy(vec![1]));
    let bootstraps = vec![ignition_path(&cluster, cluster.bootstrap_vm().unwrap())];
    assert_eq!(step(&cluster, 1, true, &bootstraps), ImageStep::Copy(vec![0]));
    assert_eq!(step(&grown(), 1, true, &bootstraps), ImageStep::Done);
}

/// What libvirt tells of the bootstrap VM.
fn seen(cluster: &Cluster, state: DomainState) -> Facts {
    let bootstrap = cluster.bootstrap.as_ref().unwrap();
    let name = cluster.domain_name(bootstrap);
    let xml = bringup::domain(cluster, bootstrap).unwrap().xml;
    let volume = VolumeSeen {
        pool: "ocp2-ocp".into(),
        name: "ocp-bootstrap.img".into(),
        path: "/var/lib/libvirt/images/ocp/ocp-bootstrap.img".into(),
        capacity: 1,
    };
    let domain = DomainSeen { name, uuid: bootstrap.uuid.clone(), state, autostart: true, xml, live: None };
    let hypervisor = Some(Seen { pools: vec![], volumes: vec![volume], domains: vec![domain] });
    let listing = [(ignition_path(cluster, bootstrap), 1)].into();
    let record = "ocp2-owned 1\nfile /var/lib/libvirt/images/ocp/ocp-bootstrap.ign\n\
                  volume /var/lib/libvirt/images/ocp/ocp-bootstrap.img\n";
    let files = [(Place::of(cluster).owned(), FileSeen { mode: 0o600, ..file(record) })].into();
    Facts { hypervisor, listing, files, ..Facts::default() }
}

fn end(cluster: &Cluster, facts: &Facts) -> Vec<String> {
    let resources = Phase::Machines.wanted(cluster, 0, facts).unwrap();
    let retired = resources.iter().filter(|resource| matches!(resource, Resource::Retired(_)));
    let changes = retired.flat_map(|resource| resource.changes(facts).unwrap());
    changes.map(|change| format!("{}: {}", change.resource, change.summary)).collect()
}

#[test]
fn nothing_of_the_bootstrap_vm_stays_and_an_interrupted_end_carries_on() {
    let all = [
        "domain ocp-bootstrap: cut its power",
        "domain ocp-bootstrap: undefine",
        "domain ocp-bootstrap: delete its logs",
        "volume ocp-bootstrap.img: delete",
        "file /var/lib/libvirt/images/ocp/ocp-bootstrap.ign: delete",
    ];
    let cluster = grown();
    let mut facts = seen(&cluster, DomainState::Running);
    assert_eq!(end(&cluster, &facts), all);
    assert_eq!(end(&cluster, &seen(&cluster, DomainState::Off)), all[1..]);
    if let Some(seen) = &mut facts.hypervisor {
        seen.domains.clear();
    }
    assert_eq!(end(&cluster, &facts), all[3..]);
    assert_eq!(end(&cluster, &Facts::default()), [""; 0]);
    // A disk and a file of that name which are not in the record, and a disk that another VM uses.
    facts.files.clear();
    assert_eq!(end(&cluster, &facts), [""; 0]);
    let mut used = seen(&cluster, DomainState::Off);
    if let Some(seen) = &mut used.hypervisor {
        let mine = seen.domains[0].xml.replace("cluster='ocp'", "cluster='two'");
        seen.domains[0] = DomainSeen { name: "mine".into(), xml: mine, ..seen.domains[0].clone() };
    }
    assert_eq!(end(&cluster, &used), all[4..]);
    // Somebody else's VM of that name.
    let mut other = seen(&cluster, DomainState::Running);
    if let Some(seen) = &mut other.hypervisor {
        seen.domains[0].xml = seen.domains[0].xml.replace("cluster='ocp'", "cluster='two'");
        seen.volumes.clear();
    }
    other.listing.clear();
    assert_eq!(end(&cluster, &other), [""; 0]);
    // As long as it is needed, nothing of it goes.
    let young = self::cluster();
    assert_eq!(end(&young, &seen(&young, DomainState::Running)), [""; 0]);
}
