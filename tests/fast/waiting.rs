//! What is made of the answers that a wait gets: stages, troubles with their fix, and when they are told.

use std::collections::BTreeMap;

use ocp2::{
    cluster::Cluster,
    install::{
        assisted::{ClusterSeen, Judgement},
        progress::{Conditions, Seen, conditions},
        trouble::{Trouble, Watchlist, Word},
    },
};
use serde_json::{Value, json};

use crate::inventories;

fn cluster() -> Cluster {
    inventories::cluster(&inventories::path("two-hosts"))
}

/// A host as the assisted API shows it, with these checks.
fn host(name: &str, status: &str, stage: &str, checks: &[(&str, &str, &str)]) -> Value {
    let checks: Vec<Value> = checks
        .iter()
        .map(|(id, status, message)| json!({ "id": id, "status": status, "message": message }))
        .collect();
    json!({
        "id": format!("id-of-{name}"), "requested_hostname": name, "status": status, "status_info": null,
        "progress": { "current_stage": stage, "progress_info": null },
        "validations_info": json!({ "network": checks, "hardware": [] }).to_string(),
        "inventory": "+", "connectivity": "+", "ntp_sources": "+", "domain_name_resolutions": "+",
    })
}

fn judge(hosts: &[Value]) -> Judgement {
    let answer = json!({ "id": "it", "status": "insufficient", "status_info": "not ready", "hosts": hosts });
    ClusterSeen::read(&answer.to_string()).unwrap().judge(&cluster())
}

fn whats(troubles: &[Trouble]) -> Vec<&str> {
    troubles.iter().map(|trouble| trouble.what.as_str()).collect()
}

/// All six nodes, registered and well.
fn everybody() -> Vec<Value> {
    let names = ["master0", "master1", "master2", "worker0", "worker1", "worker2"];
    names.iter().map(|name| host(&format!("{name}.ocp.example.com"), "known", "", &[])).collect()
}

#[test]
fn a_node_that_has_not_registered_is_named_with_mac_host_and_console() {
    let judged = judge(&everybody()[..5]);
    assert_eq!(judged.line, "5 of 6 hosts have registered; not yet: worker2");
    let [trouble] = judged.troubles.as_slice() else { panic!("{:?}", judged.troubles) };
    let cluster = cluster();
    let node = cluster.nodes.iter().find(|node| node.name == "worker2").unwrap();
    assert_eq!(trouble.what, format!("worker2 (MAC {}, on bm2) has not registered", node.mac));
    assert!(trouble.fix.contains("http://12.12.139.10:8090"), "{}", trouble.fix);
    assert!(trouble.fix.contains("bm2: /var/log/libvirt/qemu/ocp-worker2-console.log"), "{}", trouble.fix);
    assert!(judge(&everybody()).troubles.is_empty());
}

#[test]
fn a_failing_validation_is_named_with_its_host_and_the_fix() {
    for (id, fix) in [
        ("api-int-domain-name-resolved-correctly", "dnsmasq"),
        ("ntp-synced", "network.ntp"),
        ("mtu-valid", "network.mtu"),
        ("has-min-valid-disks", "disk"),
    ] {
        let mut hosts = everybody();
        hosts[1] = host(
            "master1",
            "insufficient",
            "",
            &[
                (id, "failure", "it is not so"),
                ("connected", "success", "fine"),
                ("container-images-available", "pending", "later"),
            ],
        );
        let judged = judge(&hosts);
        assert_eq!(whats(&judged.troubles), [format!("master1: {id} fails: it is not so")]);
        assert!(judged.troubles[0].fix.contains(fix), "{}", judged.troubles[0].fix);
    }
}

#[test]
fn a_host_that_is_being_installed_is_not_held_to_its_checks() {
    let mut hosts = everybody();
    hosts[3] = host(
        "worker0.ocp.example.com",
        "installing-in-progress",
        "Rebooting",
        &[("connected", "failure", "gone")],
    );
    let judged = judge(&hosts);
    assert!(judged.troubles.is_empty(), "{:?}", judged.troubles);
    assert!(judged.stages.contains(&("worker0".into(), "Rebooting".into())), "{:?}", judged.stages);
    hosts[3] = host("worker0.ocp.example.com", "error", "", &[]);
    assert_eq!(whats(&judge(&hosts).troubles), ["worker0 has failed: "]);
    hosts[3] = host("worker0.ocp.example.com", "installing-pending-user-action", "Rebooting", &[]);
    assert!(judge(&hosts).troubles[0].fix.contains("boot order"));
}

#[test]
fn a_stranger_is_named() {
    let mut hosts = everybody();
    hosts.push(host("localhost", "known", "", &[]));
    assert_eq!(
        whats(&judge(&hosts).troubles),
        ["a host called localhost has registered, which is not in the inventory"]
    );
}

#[test]
fn an_answer_that_is_none_is_no_answer() {
    for answer in ["", "[]", "{\"code\":401}", "[{", "{\"id\":401,\"hosts\":[]}"] {
        assert_eq!(ClusterSeen::read(answer), None, "{answer}");
    }
}

/// Conditions as the API shows them.
fn having(all: &[(&str, bool, &str)]) -> Conditions {
    let all: Vec<Value> = all
        .iter()
        .map(|(kind, on, message)| json!({ "type": kind, "status": if *on { "True" } else { "False" }, "message": message }))
        .collect();
    conditions(&json!({ "status": { "conditions": all } }))
}

fn nodes(ready: usize) -> BTreeMap<String, Conditions> {
    let cluster = cluster();
    let node =
        |(index, node)| (cluster.hostname(node), having(&[("Ready", index < ready, "no CNI configuration")]));
    cluster.nodes.iter().enumerate().map(node).collect()
}

#[test]
fn progress_counts_and_names_what_it_hangs_on() {
    let good = having(&[("Available", true, ""), ("Degraded", false, ""), ("Progressing", false, "")]);
    let waiting = having(&[("Available", false, "no endpoints yet\nand more"), ("Degraded", false, "")]);
    let broken = having(&[("Available", true, ""), ("Degraded", true, "OAuthServerDegraded: no route")]);
    let mut seen = Seen { nodes: nodes(6), ..Seen::default() };
    assert_eq!(seen.progress(&cluster()).line, "6 of 6 nodes are Ready");
    seen.operators = [("dns", good), ("ingress", waiting), ("authentication", broken)]
        .map(|(name, conditions)| (name.to_owned(), conditions))
        .into();
    let progress = seen.progress(&cluster());
    assert_eq!(
        progress.line,
        "6 of 6 nodes are Ready, 1 of 3 operators available; it hangs on \
         authentication (OAuthServerDegraded: no route), ingress (no endpoints yet)"
    );
    assert_eq!(
        whats(&progress.troubles),
        ["operator authentication is degraded: OAuthServerDegraded: no route"]
    );
    assert!(progress.troubles[0].fix.contains("oc describe clusteroperator authentication"));
}

#[test]
fn nodes_and_requests_that_wait_are_troubles() {
    let mut seen = Seen { nodes: nodes(4), ..Seen::default() };
    seen.nodes.remove("worker2.ocp.example.com");
    seen.pending.insert("csr-1".into(), "system:node:worker2.ocp.example.com".into());
    let progress = seen.progress(&cluster());
    assert_eq!(progress.line, "4 of 6 nodes are Ready, 1 certificate requests pending");
    assert_eq!(
        whats(&progress.troubles),
        [
            "worker1 is not Ready: no CNI configuration",
            "worker2 has not joined the cluster",
            "certificate request csr-1 of system:node:worker2.ocp.example.com is pending",
        ]
    );
}

#[test]
fn a_trouble_is_told_once_when_it_stays_and_again_when_it_is_over() {
    let trouble = Trouble { key: "a".into(), what: "a".into(), fix: String::new(), patience: 20 };
    let mut list = Watchlist::default();
    assert!(list.look(0, vec![trouble.clone()]).is_empty());
    // Gone and back: it begins anew.
    assert!(list.look(10, Vec::new()).is_empty());
    assert!(list.look(15, vec![trouble.clone()]).is_empty());
    assert!(list.look(34, vec![trouble.clone()]).is_empty());
    assert_eq!(list.look(35, vec![trouble.clone()]), [Word::Lasts(trouble.clone())]);
    assert!(list.look(60, vec![trouble.clone()]).is_empty());
    assert_eq!(list.current(), std::slice::from_ref(&trouble));
    assert_eq!(list.look(61, Vec::new()), [Word::Over(trouble)]);
    assert!(list.current().is_empty());
}

#[test]
fn two_troubles_of_one_key_in_one_look_are_told() {
    let trouble = Trouble { key: "a".into(), what: "a".into(), fix: String::new(), patience: 20 };
    let twice = vec![trouble.clone(), Trouble { what: "b".into(), ..trouble.clone() }];
    let mut list = Watchlist::default();
    assert!(list.look(0, twice.clone()).is_empty());
    assert!(list.look(10, twice.clone()).is_empty());
    assert_eq!(list.look(20, twice), [Word::Lasts(trouble)]);
}
