//! What ocp2 renders is read by the programs it is meant for.
//!
//! Every host of every inventory gets a machine of its own (see [`crate::programs::Machine`]):
//! the files are put there by the changes `up` would make, and read in place.

use std::collections::BTreeSet;

use ocp2::{
    bringup::Phase,
    resource::{Facts, Resource},
};

use crate::{
    inventories,
    programs::{Machine, run},
    wanted::on_every_host,
};

#[test]
fn every_file_is_accepted_by_its_reader() {
    on_every_host(|wanted| {
        let units: Vec<&str> =
            wanted.files().filter(|path| path.ends_with(".service")).map(String::as_str).collect();
        assert_eq!(units.len(), 4, "{units:?}");
        let [haproxy, dnsmasq, nft] =
            ["/haproxy.cfg", "/dnsmasq.conf", "/nftables.nft"].map(|end| wanted.path(end));
        let scripts: BTreeSet<&String> =
            wanted.files().filter(|path| path.rsplit_once('.').is_some_and(|(_, end)| end == "sh")).collect();
        assert_eq!(scripts.len(), 4, "{scripts:?}");
        let read_scripts: String = scripts.iter().map(|path| format!("bash -n {path};")).collect();
        let done = wanted
            .machine_with_files()
            // The addresses to listen on need not be there: it starts before its public one is.
            .step("haproxy", &format!("haproxy -c -V -f {haproxy}"))
            .step("dnsmasq", &format!("dnsmasq --test -C {dnsmasq} 2>&1"))
            .step("nft", &format!("nft -c -f {nft}"))
            .step("units", &format!("systemd-analyze verify {}", units.join(" ")))
            .step("scripts", &read_scripts)
            .run();
        assert_eq!(done.outcome("files").status, 0, "{:#?}", done.outcome("files"));
        assert_eq!(done.outcome("haproxy").quiet(&haproxy), "Configuration file is valid\n");
        assert_eq!(done.outcome("dnsmasq").quiet(&dnsmasq), "dnsmasq: syntax check OK.\n");
        for (step, what) in [("nft", &nft), ("units", &units.join(" ")), ("scripts", &read_scripts)] {
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
