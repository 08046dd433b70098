//! What ocp2 does to a kernel, done to one: boot script, changes, drift, and taking it all down.
//!
//! A host of every inventory gets a machine of its own (see [`crate::programs::Machine`]). The real probe
//! tells what is there, as it does over SSH.

use std::{collections::BTreeSet, net::IpAddr};

use ocp2::{
    bringup::{self, Removal},
    resource::{Change, Facts, Resource},
};
use serde_json::Value;

use crate::{
    inventories,
    programs::Finished,
    wanted::{Wanted, on_a_host_of_each, source},
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

/// An owner's own rules, as one finds them in handbooks; they let in nothing but SSH.
const OWN_RULES: &str = "table inet filter {
  chain input {
    type filter hook input priority filter; policy drop
    ct state established,related accept
    tcp dport 22 accept
  }
  chain forward {
    type filter hook forward priority filter
    ct state established,related accept
    counter reject
  }
  chain output {
    type filter hook output priority filter; policy drop
    accept
  }
}
table ip own {
  chain input {
    type filter hook input priority filter; policy drop
    jump more
  }
  chain more {
    iifname br-vm accept
  }
}
table ip filter {
  chain FORWARD {
    type filter hook forward priority filter; policy drop
  }
}
";

#[test]
fn rules_of_the_owners_that_drop_our_traffic_are_named_with_those_that_let_it_pass() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let probe = bringup::questions(&cluster, 0).unwrap().script();
    let machine = || {
        let load = format!("nft -f - <<'RULES'\n{OWN_RULES}RULES");
        wanted.machine().step("rules", &load).step("closed", probe.source())
    };
    let findings = |answer: &str| -> Vec<(String, String)> {
        let facts = Facts::read(answer).unwrap();
        let found = bringup::preflight(&cluster, 0, &facts, 0).into_iter();
        found.filter(|it| it.what.contains("nftables")).map(|it| (it.what, it.fix)).collect()
    };
    let done = machine().run();
    assert_eq!(done.outcome("rules").quiet("nft"), "");
    let found = findings(&done.outcome("closed").stdout);
    // Not those of iptables, which get entries of ours, nor where the owner has seen to the bridge.
    assert_eq!(found.len(), 2, "{found:#?}");
    for ((what, fix), (chain, rules)) in found.iter().zip([
        (
            "chain input of the nftables table inet filter",
            [
                "iifname br-vm accept",
                "ip saddr 192.168.0.24 udp dport 4789 accept",
                "ip daddr 192.168.0.23 tcp dport '{ 80,443,6443 }' accept",
            ]
            .as_slice(),
        ),
        (
            "chain forward of the nftables table inet filter",
            &["iifname br-vm accept", "oifname br-vm ct state established,related accept"],
        ),
    ]) {
        assert!(what.starts_with(chain), "{what}");
        assert!(rules.iter().all(|rule| fix.contains(rule)), "{fix}");
    }
    // The commands are ones that nft takes, and then there is nothing more to say.
    let commands = |fix: &str| fix.split_once(": nft ").map(|(_, rest)| format!("nft {rest}\n")).unwrap();
    let mending: String = found.iter().map(|(_, fix)| commands(fix)).collect();
    let done = machine().step("mending", &mending).step("open", probe.source()).run();
    assert_eq!(done.outcome("mending").quiet("the fix"), "");
    assert_eq!(findings(&done.outcome("open").stdout), []);
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
    on_a_host_of_each(|wanted| {
        let questions = bringup::questions(&wanted.cluster, wanted.host).unwrap();
        let probe = questions.script();
        let done = wanted
            .machine_with_files()
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

/// What a tired administrator might do, and what the plan calls it.
const DRIFT: &[(&str, &str)] = &[
    ("ip link set dev br-vm mtu 1500", "bridge br-vm: mtu 1500 → 1400"),
    (
        "ip link set dev vxlan0 nomaster mtu 1450",
        "vxlan vxlan0: bridge nothing → br-vm, mtu 1450 → 1400, learning off → on",
    ),
    ("ip link set dev vxlan0 type vxlan id 39 nolearning", ""),
    ("bridge fdb delete 00:00:00:00:00:00 dev vxlan0 dst 192.168.0.24", "peer 192.168.0.24 of vxlan0: add"),
    (
        "bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.168.0.99",
        "peer 192.168.0.99 of vxlan0: remove",
    ),
    ("echo 0 > /proc/sys/net/ipv4/ip_forward", "setting net.ipv4.ip_forward: 0 → 1"),
    ("echo 1 > /proc/sys/net/ipv4/conf/vxlan0/rp_filter", "setting net.ipv4.conf.vxlan0.rp_filter: 1 → 2"),
    ("nft flush chain inet ocp2_ocp forward", "nftables table inet ocp2_ocp: mend what was changed by hand"),
    ("echo '# mine' >> /etc/ocp2/ocp/haproxy.cfg", "file /etc/ocp2/ocp/haproxy.cfg: content"),
    ("chmod 600 /etc/ocp2/ocp/hosts", "file /etc/ocp2/ocp/hosts: mode 600 → 644"),
    ("rm /etc/ocp2/ocp/guests.sh", "file /etc/ocp2/ocp/guests.sh: create"),
];

#[test]
fn what_is_changed_by_hand_is_named_and_mended() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let probe = bringup::questions(&cluster, 0).unwrap().script();
    let drift: Vec<&str> = DRIFT.iter().map(|(command, _)| *command).collect();
    let drifted = || {
        wanted
            .machine_with_files()
            .step("changes", &wanted.source(needs_only_a_kernel))
            .step("drift", &drift.join("\n"))
            .step("drifted", probe.source())
    };
    let changes = |answer: &str| -> Vec<Change> {
        let facts = Facts::read(answer).unwrap();
        let resources = wanted.resources.iter().filter(|resource| needs_only_a_kernel(resource));
        resources.flat_map(|resource| resource.changes(&facts).unwrap()).collect()
    };
    let done = drifted().run();
    assert_eq!(done.outcome("drift").quiet("the drift"), "");
    let found = changes(&done.outcome("drifted").stdout);
    let named: BTreeSet<String> =
        found.iter().map(|change| format!("{}: {}", change.resource, change.summary)).collect();
    let expected = DRIFT.iter().map(|(_, name)| (*name).to_owned()).filter(|name| !name.is_empty());
    assert_eq!(named, expected.collect());

    let mending: String = found.iter().map(source).collect();
    let done = drifted().step("mending", &mending).step("mended", probe.source()).run();
    assert_eq!(done.outcome("mending").status, 0, "{:#?}", done.outcome("mending"));
    let left = changes(&done.outcome("mended").stdout);
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn what_could_cut_the_way_in_can_be_undone() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let probe = bringup::questions(&cluster, 0).unwrap().script();
    let here = |answer: &str| Facts::read(answer).unwrap();
    let changes = |facts: &Facts| -> Vec<Change> {
        let resources = wanted.resources.iter().filter(|resource| needs_only_a_kernel(resource));
        resources.flat_map(|resource| resource.changes(facts).unwrap()).collect()
    };
    // A fresh host, and one whose rules and settings were changed by hand.
    let fresh = || wanted.machine();
    let used = || {
        let drift =
            "nft flush chain inet ocp2_ocp forward; nft add set inet ocp2_ocp mine '{ type ipv4_addr; }'
                     echo 0 > /proc/sys/net/ipv4/ip_forward; echo '# mine' >> /etc/ocp2/ocp/nftables.nft";
        fresh().step("changes", &wanted.source(needs_only_a_kernel)).step("drift", drift)
    };
    for machine in [&fresh as &dyn Fn() -> _, &used] {
        let before = here(&machine().step("before", probe.source()).run().outcome("before").stdout);
        let made = changes(&before);
        let undos: Vec<&Change> = made.iter().rev().filter(|change| change.undo.is_some()).collect();
        let named = |name: &str| undos.iter().any(|change| change.resource.contains(name));
        assert!(named("nftables table") && named("ip_forward") && named("nftables.nft"), "{undos:#?}");
        let undo: String = undos
            .iter()
            .flat_map(|change| &change.undo)
            .map(|undo| format!("( {} )\n", undo.source()))
            .collect();
        let done = machine()
            .step("made", &made.iter().map(source).collect::<String>())
            .step("undone", &undo)
            .step("after", probe.source())
            .run();
        assert_eq!(done.outcome("made").status, 0, "{:#?}", done.outcome("made"));
        assert_eq!(done.outcome("undone").quiet("the undoing"), "");
        let after = here(&done.outcome("after").stdout);
        assert_eq!(before.nft_tables, after.nft_tables);
        for change in undos {
            let again = changes(&after);
            let same = again.iter().find(|again| again.resource == change.resource);
            let same = same.unwrap_or_else(|| panic!("{} was not undone", change.resource));
            assert_eq!((&same.summary, &same.details), (&change.summary, &change.details));
        }
    }
}

#[test]
fn taking_down_leaves_nothing() {
    on_a_host_of_each(|wanted| {
        let cluster = &wanted.cluster;
        let probe = bringup::questions(cluster, wanted.host).unwrap().script();
        // What this machine wrote is in its upper layers.
        let all = "ip -br link | sed 's/ .*//'; nft list ruleset; find /mnt/upper /run -path '*ocp2*'; \
                   cd /proc/sys/net/ipv4; head -n1 ip_forward conf/*/rp_filter";
        let up = || {
            // A link of somebody else's, with another mark, is none of ours.
            wanted
                .machine()
                .line("ip link add name br-other type bridge; ip link set dev br-other alias ocp2:other")
                .step("before", all)
                .step("up", &wanted.source(needs_only_a_kernel))
                .step("found", probe.source())
        };
        let removal =
            |answer: &str| bringup::removal(cluster, &Facts::read(answer).unwrap(), Removal::default());
        let removed = removal(&up().run().outcome("found").stdout);
        let script: String = removed.iter().map(source).collect();
        let done = up().step("down", &script).step("after", all).step("gone", probe.source()).run();
        assert_eq!(done.outcome("down").status, 0, "{:#?}", done.outcome("down"));
        assert_eq!(done.outcome("before").quiet("before"), done.outcome("after").quiet("after"));
        assert!(removal(&done.outcome("gone").stdout).is_empty(), "{removed:#?}");
    });
}

#[test]
fn forwarding_stays_on_for_a_docker_that_came_later() {
    let wanted = Wanted::new(&inventories::cluster(&inventories::path("two-hosts")), 0);
    let probe = bringup::questions(&wanted.cluster, 0).unwrap().script();
    let up = || wanted.machine().step("up", &wanted.source(needs_only_a_kernel));
    let found = up().step("found", probe.source()).run();
    let found = Facts::read(&found.outcome("found").stdout).unwrap();
    let removed = bringup::removal(&wanted.cluster, &found, Removal::default());
    let script: String = removed.iter().map(source).collect();
    let forwarding_with = |running: &str| {
        let done = up()
            .line(&format!("echo {running} >/run/active"))
            .step("down", &script)
            .step("after", "cat /proc/sys/net/ipv4/ip_forward")
            .run();
        done.outcome("after").quiet("forwarding").trim().to_owned()
    };
    assert_eq!(forwarding_with("docker.service"), "1");
    assert_eq!(forwarding_with("other.service"), "0");
}
