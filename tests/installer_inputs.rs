//! install-config.yaml and agent-config.yaml: what they look like, and that they hold the installer's rules.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fake;
mod installer;

use ocp2::{
    bringup::installer_inputs::{agent_config, install_config, install_config_masked},
    cluster::{Cluster, Role, assume, resolve},
    inventory::Loaded,
};

use crate::installer::broken_rules;

/// Returns the inventories the two files are rendered from.
fn cases() -> Vec<(&'static str, Loaded)> {
    let own =
        |text: &str| fake::load(text).unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error)));
    vec![
        ("two-hosts", fake::shipped("two-hosts")),
        ("three-hosts", fake::shipped("three-hosts")),
        ("compact", fake::shipped("compact")),
        ("single", own(include_str!("installer_inputs/single.yaml"))),
        ("five-masters", own(include_str!("installer_inputs/five-masters.yaml"))),
        ("more-workers", own(include_str!("installer_inputs/more-workers.yaml"))),
        ("dhcp", own(include_str!("installer_inputs/dhcp.yaml"))),
        ("everything", own(include_str!("installer_inputs/everything.yaml"))),
    ]
}

fn cluster(loaded: &Loaded) -> Cluster {
    resolve(loaded, &assume(&loaded.inventory).underlays).unwrap().cluster
}

fn rendered(loaded: &Loaded) -> (String, String) {
    let cluster = cluster(loaded);
    let install = install_config(&cluster, loaded.pull_secret.as_ref().unwrap()).unwrap();
    (install.expose().to_owned(), agent_config(&cluster).unwrap())
}

#[test]
fn they_look_like_this() {
    for (name, loaded) in cases() {
        let (install, agent) = rendered(&loaded);
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "snapshots/installer_inputs", omit_expression => true }, {
            insta::assert_snapshot!(format!("{name}-install-config"), install);
            insta::assert_snapshot!(format!("{name}-agent-config"), agent);
        });
    }
}

#[test]
fn they_hold_every_rule_of_the_installer() {
    for (name, loaded) in cases() {
        let (install, agent) = rendered(&loaded);
        assert_eq!(broken_rules(&install, &agent), Vec::<String>::new(), "{name}");
    }
}

/// A rule nobody can break is no rule: each of these edits must be noticed.
#[test]
fn every_broken_rule_is_noticed() {
    let (install, agent) = rendered(&fake::shipped("two-hosts"));
    let in_install = [
        ("apiVersion: v1", "apiVersion: v2"),
        ("name: \"ocp\"", "name: \"prod.ocp\""),
        ("replicas: 3", "replicas: 2"),
        ("none: {}", "none: {}\n  external: {}"),
        ("OVNKubernetes", "Calico"),
        ("12.12.139.0/24", "12.12.139.1/24"),
        ("172.30.0.0/16", "10.128.0.0/16"),
        ("172.30.0.0/16", "100.64.0.0/16"),
        ("hostPrefix: 23", "hostPrefix: 13"),
        ("hostPrefix: 23", "hostPrefix: 15"),
        ("{\\\"auths\\\"", "{\\\"none\\\""),
        ("sshKey: \"ssh-ed25519", "sshKey: \"mine"),
        ("pullSecret:", "publish: Internal\npullSecret:"),
        ("pullSecret:", "credentialsMode: Manual\npullSecret:"),
        ("replicas: 3\ncompute", "replicas: 3\n  architecture: arm64\ncompute"),
        ("pullSecret:", "capabilities: {baselineCapabilitySet: None}\npullSecret:"),
        ("pullSecret:", "capabilities: {baselineCapabilitySet: v4.99}\npullSecret:"),
        (
            "pullSecret:",
            "capabilities: {baselineCapabilitySet: v4.14, additionalEnabledCapabilities: [Ingress]}\npullSecret:",
        ),
        ("pullSecret:", "proxy: {httpProxy: \"https://a:1\"}\npullSecret:"),
        ("pullSecret:", "proxy: {noProxy: \"*.example.com\"}\npullSecret:"),
        ("pullSecret:", "imageDigestSources: [{source: \"quay.io/a:b\"}]\npullSecret:"),
        ("pullSecret:", "additionalTrustBundle: hello\npullSecret:"),
        ("pullSecret:", "fips: true\npullSecret:"),
    ];
    for (from, to) in in_install {
        assert!(install.contains(from), "{from}");
        assert_ne!(broken_rules(&install.replacen(from, to, 1), &agent), Vec::<String>::new(), "{to}");
    }
    let in_agent = [
        ("kind: AgentConfig", "kind: Agent"),
        ("v1beta1", "v1"),
        ("rendezvousIP: \"12.12.139.10\"", "rendezvousIP: \"12.12.140.10\""),
        ("rendezvousIP: \"12.12.139.10\"", "rendezvousIP: \"12.12.139.13\""),
        ("rendezvousIP: \"12.12.139.10\"", "rendezvousIP: \"12.12.139.99\""),
        ("role: worker", "role: master"),
        ("role: worker", "role: arbiter"),
        ("master0.ocp.example.com", "master1.ocp.example.com"),
        ("master0.ocp.example.com", "master_0.ocp.example.com"),
        ("macAddress: \"52:54:00:71:c3:d0\"", "macAddress: \"52:54:00:C7:EC:05\""),
        ("macAddress: \"52:54:00:71:c3:d0\"", "macAddress: \"01:54:00:71:c3:d0\""),
        ("macAddress: \"52:54:00:71:c3:d0\"", "macAddress: \"52:54:00:71:c3\""),
        ("- name: enp1s0\n        mac", "- name: eth0\n        mac"),
        ("type: ethernet", "type: etherent"),
        ("ip: \"12.12.139.11\"", "ip: \"12.12.139.12\""),
        ("ip: \"12.12.139.11\"", "ip: \"12.12.139.255\""),
        ("prefix-length: 24", "prefix-length: 16"),
        ("mtu: 1400", "mtu: 1500"),
        ("next-hop-interface: enp1s0", "next-hop-interface: eth0"),
        ("/dev/vda", "vda"),
        ("hosts:", "additionalNTPSources: [\"not a host\"]\nhosts:"),
        ("hosts:", "bootArtifacts: x\nhosts:"),
    ];
    for (from, to) in in_agent {
        assert!(agent.contains(from), "{from}");
        assert_ne!(broken_rules(&install, &agent.replacen(from, to, 1)), Vec::<String>::new(), "{to}");
    }
    let fewer = &agent[..agent.find("  - hostname: \"worker2").unwrap()];
    assert_ne!(broken_rules(&install, fewer), Vec::<String>::new(), "fewer hosts than replicas");
}

#[test]
fn the_rendezvous_node_is_a_master_and_every_node_asks_its_own_host() {
    for (name, loaded) in cases() {
        let cluster = cluster(&loaded);
        assert_eq!(cluster.rendezvous().role, Role::Master, "{name}");
        let (_, agent) = rendered(&loaded);
        let agent: serde_json::Value = serde_yaml::from_str(&agent).unwrap();
        assert_eq!(agent["rendezvousIP"], cluster.rendezvous().address.to_string(), "{name}");
        for (node, host) in cluster.nodes.iter().zip(agent["hosts"].as_array().unwrap()) {
            let server = &host["networkConfig"]["dns-resolver"]["config"]["server"][0];
            if !server.is_null() {
                assert_eq!(*server, cluster.hosts[node.host].address.to_string(), "{name}, {}", node.name);
            }
        }
    }
}

#[test]
fn what_eyes_see_has_no_secret() {
    for (name, loaded) in cases() {
        let (install, agent) = rendered(&loaded);
        assert!(install.contains("dXNlcjpodW50ZXIy"), "{name}");
        let seen = install_config_masked(&cluster(&loaded)).unwrap();
        assert!(seen.contains("pullSecret: \"•••\""), "{seen}");
        for text in [seen, agent, format!("{:?}", cluster(&loaded))] {
            assert!(!text.contains("dXNlcjpodW50ZXIy") && !text.contains("hunter2"), "{name}: {text}");
        }
    }
}
