//! The script that makes the links at boot.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::Value;

use crate::{
    inventories,
    programs::Finished,
    wanted::{Wanted, on_a_host_of_each},
};

/// All of IPv4's settings that ocp2 has to do with, one a line.
const SETTINGS: &str = "cd /proc/sys/net/ipv4; for f in ip_forward conf/*/rp_filter; do \
                        echo \"$f=$(cat $f)\"; done";

#[test]
fn the_boot_script_makes_the_links_and_may_run_again() {
    on_a_host_of_each(|wanted| {
        let (script, table) = (wanted.path("/overlay.sh"), wanted.place().nft_table());
        let done = wanted
            .machine_with_files()
            .step("settings_before", SETTINGS)
            .step("first", &format!("/bin/bash {script}"))
            .step("links", "ip -j -d address show")
            .step("fdb", "bridge -j fdb show")
            .step("settings", SETTINGS)
            .step("rules", &format!("nft -s list table inet {table}"))
            .step("second", &format!("/bin/bash {script}"))
            .step("links_again", "ip -j -d address show")
            .step("fdb_again", "bridge -j fdb show")
            .step("settings_again", SETTINGS)
            .step("rules_again", "nft -s list ruleset")
            .run();
        assert_eq!(done.outcome("files").status, 0, "{:#?}", done.outcome("files"));
        for step in ["first", "second"] {
            assert_eq!(done.outcome(step).quiet(step), "");
        }
        let said = |step: &str| done.outcome(step).quiet(step).to_owned();
        for what in ["links", "fdb", "settings", "rules"] {
            let (first, second) = (settled(&said(what)), settled(&said(&format!("{what}_again"))));
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

#[test]
fn the_boot_script_leaves_alone_a_link_that_is_not_ours() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let script = wanted.path("/overlay.sh");
    for (link, kind) in [("br-vm", "bridge"), ("vxlan0", "vxlan id 7 dstport 4790")] {
        let show = format!("ip -o -d link show {link} | sed 's/_timer *[0-9.]*//g'");
        let done = wanted
            .machine_with_files()
            .line(&format!("ip link add name {link} type {kind}"))
            .step("before", &show)
            .step("boot", &format!("/bin/bash {script}"))
            .step("after", &show)
            .run();
        let boot = done.outcome("boot");
        assert_eq!(boot.status, 1, "{boot:?}");
        let said = format!("{link} is already there and not ocp2's (its alias is not ocp2:ocp)");
        assert!(boot.stderr.contains(&said), "{boot:?}");
        assert_eq!(done.outcome("before").quiet("ip"), done.outcome("after").quiet("ip"));
    }
}

/// Leaves out of `ip`'s answer what goes on by itself: timers, and IPv6's search for duplicates.
fn settled(told: &str) -> String {
    fn settle(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(settle),
            Value::Object(fields) => {
                fields.retain(|name, _| !name.ends_with("_timer") && name != "tentative");
                fields.values_mut().for_each(settle);
            }
            _ => {}
        }
    }
    let Ok(mut value) = serde_json::from_str(told) else { return told.to_owned() };
    settle(&mut value);
    serde_json::to_string_pretty(&value).unwrap()
}

fn diff(from: &str, to: &str) -> String {
    similar::TextDiff::from_lines(from, to).unified_diff().to_string()
}

fn links_are_as_wanted(wanted: &Wanted, done: &Finished) {
    let (network, this) = (&wanted.cluster.network, wanted.this());
    let links: Value = serde_json::from_str(done.outcome("links").quiet("ip")).unwrap();
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
            );
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
