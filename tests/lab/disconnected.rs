//! Without the internet: mirrored images, an authority of one's own, FIPS; five masters and no worker.

use std::process::Command;

use crate::stage::{Stage, run, stage};

/// Makes a host say that its kernel is in FIPS mode. The machine's kernel may know of none, so this is a
/// stand-in: all there is below `/proc/sys`, and the one file more.
const FIPS_MODE: &str = "mkdir -p /run/fips && cd /proc/sys && for d in *; do mkdir /run/fips/$d && \
    mount --bind $d /run/fips/$d || exit; done; umount /run/fips/crypto 2>/dev/null; \
    mkdir -p /run/fips/crypto && echo 1 >/run/fips/crypto/fips_enabled && mount --rbind /run/fips /proc/sys";

/// Undoes [`FIPS_MODE`].
const USUAL_MODE: &str =
    "umount -l /proc/sys && for d in /run/fips/*; do umount $d 2>/dev/null; done; rm -r /run/fips";

/// Writes the inventory; `trust` is what `install` says of authorities.
fn inventory(stage: &Stage, name: &str, trust: &str) -> String {
    let key = stage.folder.join("rsa");
    if !key.exists() {
        let make = ["-q", "-t", "rsa", "-b", "2048", "-N", "", "-f"];
        run(Command::new("ssh-keygen").args(make).arg(&key), "").succeeds();
    }
    let lab = stage.lab();
    let sources = ["ocp-release", "ocp-v4.0-art-dev"].map(|source| {
        format!(
            "{{source: quay.io/openshift-release-dev/{source}, mirrors: [mirror.lab.test/openshift/release]}}"
        )
    });
    let install = format!(
        "install:\n  imageDigestSources: [{}]\n{trust}  mirror: https://mirror.lab.test/pub/openshift-v4 #",
        sources.join(", ")
    );
    let (pull_secret, ssh_key) = (format!("{lab}/pull-secret.json"), format!("{lab}/id_ed25519.pub"));
    let replace = [
        ("masters: {count: 3", "masters: {count: 5"),
        ("workers: {count: 3", "workers: {count: 0"),
        ("install:\n  method: agent\n  mirror:", install.as_str()),
        (pull_secret.as_str(), &stage.login_for_the_registry()),
        (ssh_key.as_str(), &format!("{}.pub\n  fips: true", key.display())),
    ];
    let path = stage.beside("far", 8, &replace);
    let named = stage.folder.join(name).display().to_string();
    std::fs::rename(path, &named).unwrap();
    named
}

#[test]
fn five_masters_are_installed_from_a_mirror_that_only_the_owner_trusts() {
    let stage = stage();
    let unknown = inventory(&stage, "unknown.yaml", "");
    let bundle = format!(
        "  additionalTrustBundleFile: {}/internet/authority.pem\n  additionalTrustBundlePolicy: Always\n",
        stage.lab()
    );
    let inventory = inventory(&stage, "far.yaml", &bundle);
    stage.ocp2(&["up", "--until", "image", &inventory]).ends(5).says("cluster.fips").says("FIPS mode");
    stage.at("bm1", FIPS_MODE).succeeds();
    stage
        .ocp2(&["up", "--until", "image", &unknown])
        .ends(5)
        .says("certificate")
        .says("cannot be downloaded");

    let mark = stage.asked_of("mirror", 0).len();
    let up = stage.ocp2(&["up", &inventory]);
    let asked = stage.asked_of("mirror", mark);
    stage.at("bm1", USUAL_MODE).succeeds();
    up.succeeds().says("cluster: 5 of 5 nodes are Ready, 12 of 12 operators available");
    // The programs are those for FIPS, the ISO came out of the mirrored image, and each node asked for that, too.
    for wanted in [
        "openshift-install-rhel9-amd64-4.18.30.tar.gz",
        "openshift-client-linux",
        "/coreos/coreos-x86_64.iso",
    ] {
        assert!(asked.contains(wanted), "{wanted} was not asked for:\n{asked}");
    }
    assert!(!asked.contains("-live.x86_64.iso"), "the installer went to the internet:\n{asked}");
    for host in ["192.0.2.11", "192.0.2.12"] {
        let pulled = |line: &str| line.starts_with(host) && line.contains("machine-os-images");
        assert!(asked.lines().any(pulled), "no node of {host} pulled anything:\n{asked}");
    }

    let vms = stage.ocp2(&["vms", "list", &inventory, "-o", "json"]).succeeds().json();
    let vms = vms.as_array().unwrap();
    assert_eq!(vms.iter().filter(|vm| vm["role"] == "master" && vm["state"] == "running").count(), 5);
    for (host, count) in [("bm1", 3), ("bm2", 2)] {
        assert_eq!(vms.iter().filter(|vm| vm["host"] == host).count(), count, "{vms:?}");
    }
    for vm in vms {
        let source = format!("curl -sS -m 10 http://{}:9999/", vm["ip"].as_str().unwrap());
        let seen = stage.at(vm["host"].as_str().unwrap(), &source).succeeds().json();
        assert_eq!((&seen["boot"], &seen["fips"]), (&"disk".into(), &true.into()), "{seen}");
    }
    // Without workers the masters are behind the balancer's ports for applications.
    let ingress = "grep -c 'server master' /etc/ocp2/far/haproxy.cfg";
    assert_eq!(stage.at("bm2", ingress).succeeds().stdout.trim(), "20");
    stage.ocp2(&["plan", "--check", &inventory]).succeeds().shows("Nothing to change");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}
