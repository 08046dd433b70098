//! What ocp2 renders is read by the programs it is meant for, and run where it is a script.
//!
//! Every host of every inventory gets a machine of its own (see [`crate::programs::Machine`]):
//! the files are put there by the changes `up` would make, the readers read them in place,
//! the boot script makes the links twice, and the real probe finds everything as wanted.

use std::{collections::BTreeSet, net::IpAddr};

use ocp2::{
    bringup::{self, Phase, Place},
    cluster::{Cluster, Host},
    resource::{Action, Change, Facts, Resource, UnitSeen},
};
use serde_json::Value;

use crate::{
    inventories,
    programs::{Finished, Machine, run},
};

/// The phases that put files on a host.
const PHASES: [Phase; 5] = [Phase::Overlay, Phase::Nat, Phase::Names, Phase::Balancer, Phase::Machines];

/// All links, their settings and where their frames go, as far as ocp2 has a say in them.
///
/// What goes on by itself is left out: timers, and IPv6's search for duplicates.
const LINKS: &str = "ip -j -d address show | jq -S 'del(.. | .gc_timer?, .hello_timer?, .tentative?)'; \
                     bridge -j fdb show | jq -S .";

/// All of IPv4's settings that ocp2 has to do with, one a line.
const SETTINGS: &str = "cd /proc/sys/net/ipv4; for f in ip_forward conf/*/rp_filter; do \
                        echo \"$f=$(cat $f)\"; done";

/// A host as its phases want it.
struct Wanted {
    cluster: Cluster,
    host: usize,
    resources: Vec<Resource>,
}

impl Wanted {
    fn new(cluster: &Cluster, host: usize) -> Self {
        // NetworkManager is told to leave our links alone only where it is.
        let loaded = UnitSeen { load: "loaded".into(), ..UnitSeen::default() };
        let facts =
            Facts { units: [("NetworkManager.service".to_owned(), loaded)].into(), ..Facts::default() };
        let wanted = PHASES.iter().flat_map(|phase| phase.wanted(cluster, host, &facts).unwrap());
        Self { cluster: cluster.clone(), host, resources: wanted.collect() }
    }

    fn this(&self) -> &Host {
        &self.cluster.hosts[self.host]
    }

    fn place(&self) -> Place {
        Place::of(&self.cluster)
    }

    /// Returns the path of the one file with this ending.
    fn path(&self, end: &str) -> String {
        let paths: Vec<&String> = self.files().filter(|path| path.ends_with(end)).collect();
        assert_eq!(paths.len(), 1, "{end}: {paths:?}");
        paths[0].clone()
    }

    fn files(&self) -> impl Iterator<Item = &String> {
        self.resources.iter().filter_map(|resource| match resource {
            Resource::File(file) => Some(&file.path),
            _ => None,
        })
    }

    /// Returns the source of the changes from nothing to the resources that `choose` picks.
    fn source(&self, choose: impl Fn(&Resource) -> bool) -> String {
        let chosen = self.resources.iter().filter(|resource| choose(resource));
        chosen
            .flat_map(|resource| resource.changes(&Facts::default()).unwrap())
            .map(|change| source(&change))
            .collect()
    }

    /// Returns a machine with this host's NIC and files.
    fn machine(&self) -> Machine {
        let underlay = &self.this().underlay;
        let nic = underlay.device.as_deref().unwrap_or("eno1");
        Machine::new()
            .nic(nic, underlay.mtu, underlay.address)
            .step("files", &self.source(|resource| matches!(resource, Resource::File(_))))
    }
}

/// Returns a change's shell source, as a step of its own.
fn source(change: &Change) -> String {
    match &change.action {
        Action::Shell(script) => format!("( {} )\n", script.source().trim_end()),
        Action::Hypervisor(_) | Action::Manual(_) => panic!("{change:?}"),
    }
}

/// Runs `test` for every host of every inventory, all at once.
fn on_every_host(test: impl Fn(&Wanted) + Sync) {
    std::thread::scope(|scope| {
        for path in inventories::all() {
            let cluster = inventories::cluster(&path);
            for host in 0..cluster.hosts.len() {
                let (wanted, test) = (Wanted::new(&cluster, host), &test);
                scope.spawn(move || test(&wanted));
            }
        }
    });
}

#[test]
fn every_file_is_accepted_by_its_reader() {
    on_every_host(|wanted| {
        let units: Vec<&str> =
            wanted.files().filter(|path| path.ends_with(".service")).map(String::as_str).collect();
        assert_eq!(units.len(), 4, "{units:?}");
        let [haproxy, dnsmasq, nft, overlay, guests] =
            ["/haproxy.cfg", "/dnsmasq.conf", "/nftables.nft", "/overlay.sh", "/guests.sh"]
                .map(|end| wanted.path(end));
        let done = wanted
            .machine()
            // The addresses to listen on need not be there: it starts before its public one is.
            .step("haproxy", &format!("haproxy -c -V -f {haproxy}"))
            .step("dnsmasq", &format!("dnsmasq --test -C {dnsmasq} 2>&1"))
            .step("nft", &format!("nft -c -f {nft}"))
            .step("units", &format!("systemd-analyze verify {}", units.join(" ")))
            .step("scripts", &format!("bash -n {overlay}; bash -n {guests}"))
            .run();
        assert_eq!(done.outcome("files").status, 0, "{:#?}", done.outcome("files"));
        assert_eq!(done.outcome("haproxy").quiet(&haproxy), "Configuration file is valid\n");
        assert_eq!(done.outcome("dnsmasq").quiet(&dnsmasq), "dnsmasq: syntax check OK.\n");
        for (step, what) in [("nft", &nft), ("units", &units.join(" ")), ("scripts", &overlay)] {
            assert_eq!(done.outcome(step).quiet(what), "", "{what}");
        }
    });
}

#[test]
fn the_readers_refuse_what_is_wrong() {
    // What a reader accepts says something only if it also refuses.
    let done = Machine::new()
        .step("haproxy", "printf 'defaults\\n mode tcp\\nfrontend a\\n bind :1\\n nonsense\\n' > /etc/a; haproxy -c -V -f /etc/a")
        .step("dnsmasq", "echo nonsense > /etc/a; dnsmasq --test -C /etc/a 2>&1")
        .step("nft", "echo 'table inet a { nonsense }' > /etc/a; nft -c -f /etc/a")
        .step("unit", "printf '[Service]\\nExecStart=/bin/true\\nNonsense=1\\n' > /etc/systemd/system/a.service; systemd-analyze verify /etc/systemd/system/a.service")
        .step("script", "echo 'if true' > /etc/a; bash -n /etc/a")
        .run();
    for step in ["haproxy", "dnsmasq", "nft", "script"] {
        assert_ne!(done.outcome(step).status, 0, "{step}");
    }
    // systemd ignores what it does not know; it says so, and that is enough.
    assert!(done.outcome("unit").stderr.contains("Nonsense"), "{:?}", done.outcome("unit"));
    let wrong =
        run("virt-xml-validate", &["-", "domain"], "<domain type='kvm'><name>a</name><nonsense/></domain>");
    assert_ne!(wrong.status, 0, "{wrong:?}");
}

#[test]
fn libvirt_accepts_pools_volumes_and_domains() {
    for path in inventories::all() {
        let cluster = inventories::cluster(&path);
        let mut kinds = BTreeSet::new();
        for host in 0..cluster.hosts.len() {
            for resource in Phase::Machines.wanted(&cluster, host, &Facts::default()).unwrap() {
                let (schema, xml) = match &resource {
                    Resource::Pool(pool) => ("storagepool", &pool.xml),
                    Resource::Volume(volume) => ("storagevol", &volume.xml),
                    Resource::Domain(domain) => ("domain", &domain.xml),
                    _ => continue,
                };
                // The descriptions of one kind differ in names and sizes only: one of each host will do.
                if kinds.insert((schema, host)) {
                    let outcome = run("virt-xml-validate", &["-", schema], xml);
                    assert_eq!(outcome.status, 0, "{xml}\n{outcome:#?}");
                }
            }
        }
        assert_eq!(kinds.len(), 3 * cluster.hosts.len(), "{kinds:?}");
    }
}

#[test]
fn the_boot_script_makes_the_links_and_may_run_again() {
    on_every_host(|wanted| {
        let (script, table) = (wanted.path("/overlay.sh"), wanted.place().nft_table());
        let done = wanted
            .machine()
            .step("settings_before", SETTINGS)
            .step("first", &format!("/bin/bash {script}"))
            .step("links", LINKS)
            .step("addresses", "ip -j -d address show")
            .step("fdb", "bridge -j fdb show")
            .step("settings", SETTINGS)
            .step("rules", &format!("nft -s list table inet {table}"))
            .step("second", &format!("/bin/bash {script}"))
            .step("links_again", LINKS)
            .step("settings_again", SETTINGS)
            .step("rules_again", "nft -s list ruleset")
            .run();
        assert_eq!(done.outcome("files").status, 0, "{:#?}", done.outcome("files"));
        for step in ["first", "second"] {
            assert_eq!(done.outcome(step).quiet(step), "");
        }
        let said = |step: &str| done.outcome(step).quiet(step).to_owned();
        for what in ["links", "settings", "rules"] {
            let (first, second) = (said(what), said(&format!("{what}_again")));
            assert!(first == second, "{}", diff(&first, &second));
        }
        for chain in ["chain guard", "chain forward"] {
            assert!(said("rules").contains(chain), "{}", said("rules"));
        }
        assert_eq!(said("rules").contains("masquerade"), wanted.cluster.network.nat);
        links_are_as_wanted(wanted, &done);
        settings_are_as_wanted(wanted, &said("settings_before"), &said("settings"));
    });
}

fn diff(from: &str, to: &str) -> String {
    similar::TextDiff::from_lines(from, to).unified_diff().to_string()
}

fn links_are_as_wanted(wanted: &Wanted, done: &Finished) {
    let (network, this) = (&wanted.cluster.network, wanted.this());
    let links: Value = serde_json::from_str(done.outcome("addresses").quiet("ip")).unwrap();
    let link = |name: &str| {
        let found = links.as_array().unwrap().iter().find(|link| link["ifname"] == name);
        found.unwrap_or_else(|| panic!("no link {name}")).clone()
    };
    let (bridge, vxlan) = (link(&network.bridge), link(&network.vxlan.device));
    for (link, mac) in [(&bridge, this.bridge_mac), (&vxlan, this.vxlan_mac)] {
        assert_eq!(link["address"], mac.to_string());
        assert_eq!(link["mtu"], network.mtu);
        assert_eq!(link["ifalias"], format!("ocp2:{}", wanted.cluster.name));
        assert!(link["flags"].as_array().unwrap().contains(&"UP".into()), "{link}");
    }
    let data = &bridge["linkinfo"]["info_data"];
    assert_eq!((&data["stp_state"], &data["forward_delay"]), (&0.into(), &0.into()));
    let own: Vec<&Value> = bridge["addr_info"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|address| address["family"] == "inet")
        .collect();
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(own[0]["local"], this.address.to_string());
    assert_eq!(own[0]["prefixlen"], network.machine.prefix_len());

    assert_eq!(vxlan["master"], *network.bridge);
    let data = &vxlan["linkinfo"]["info_data"];
    let local = if this.underlay.address.is_ipv4() { "local" } else { "local6" };
    assert_eq!(data["id"], network.vxlan.vni);
    assert_eq!(data["port"], network.vxlan.port);
    assert_eq!(data[local], this.underlay.address.to_string());
    assert_eq!(data["learning"], true);

    let entries: Value = serde_json::from_str(done.outcome("fdb").quiet("bridge")).unwrap();
    let floods = entries.as_array().unwrap().iter().filter(|entry| entry["mac"] == "00:00:00:00:00:00");
    let floods: BTreeSet<IpAddr> = floods
        .inspect(|entry| {
            assert_eq!(
                (&entry["ifname"], &entry["state"]),
                (&(*network.vxlan.device).into(), &"permanent".into())
            )
        })
        .map(|entry| entry["dst"].as_str().unwrap().parse().unwrap())
        .collect();
    let others = wanted.cluster.hosts.iter().filter(|host| host.name != this.name);
    assert_eq!(floods, others.map(|host| host.underlay.peer_address).collect());
}

fn settings_are_as_wanted(wanted: &Wanted, before: &str, after: &str) {
    let network = &wanted.cluster.network;
    let nic = wanted.this().underlay.device.as_deref().unwrap();
    let links = [nic, &network.bridge, &network.vxlan.device];
    let mut wanted: Vec<String> = links.iter().map(|link| format!("conf/{link}/rp_filter=2")).collect();
    wanted.push("ip_forward=1".to_owned());
    for line in &wanted {
        assert!(after.lines().any(|seen| seen == line), "{line} is not in\n{after}");
    }
    // Above all `conf/all` stays as it was.
    let other = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| ["all", "default", "lo", "other"].iter().any(|link| line.contains(link)))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(other(before), other(after));
}

/// Tells whether a resource can be had where neither systemd nor libvirt runs.
fn needs_only_a_kernel(resource: &Resource) -> bool {
    matches!(
        resource,
        Resource::File(_)
            | Resource::Bridge(_)
            | Resource::Vxlan(_)
            | Resource::Peers(_)
            | Resource::Setting(_)
            | Resource::NftTable(_)
    )
}

#[test]
fn after_the_changes_the_probe_finds_nothing_to_change() {
    on_every_host(|wanted| {
        let questions = bringup::questions(&wanted.cluster, wanted.host).unwrap();
        let probe = questions.script();
        let done = wanted
            .machine()
            .step("before", probe.source())
            .step("changes", &wanted.source(needs_only_a_kernel))
            .step("after", probe.source())
            .run();
        assert_eq!(done.outcome("changes").status, 0, "{:#?}", done.outcome("changes"));
        let facts = |step| Facts::read(&done.outcome(step).stdout).unwrap();
        let (before, after) = (facts("before"), facts("after"));
        let chosen = || wanted.resources.iter().filter(|resource| needs_only_a_kernel(resource));
        let changes = |facts| chosen().flat_map(move |resource| resource.changes(facts).unwrap());
        // The files are there before; what the kernel has is not.
        assert!(changes(&before).count() > 5, "{before:#?}");
        let left: Vec<Change> = changes(&after).collect();
        assert!(left.is_empty(), "{left:#?}\n{after:#?}");
    });
}
