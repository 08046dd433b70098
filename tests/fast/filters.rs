//! Filters as hosts have them, and where ocp2 finds the way closed: captured rules, in `filters/`.

use std::{collections::BTreeSet, fs};

use ocp2::{
    bringup::{self, Phase},
    resource::{Facts, Resource},
};
use proptest::prelude::*;

use crate::inventories;

/// Returns captured rules.
fn captured(file: &str) -> String {
    fs::read_to_string(format!("{}/tests/fast/filters/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Returns the facts of a host with one NIC and these parts of a probe's answer.
fn facts(parts: &[(&str, &str)]) -> Facts {
    let links = r#"[{"ifname":"lo"},{"ifname":"ens34f0","addr_info":
[{"family":"inet","local":"192.168.0.23","prefixlen":24,"scope":"global"}]}]"#;
    let routes = r#"[{"dst":"default","dev":"ens34f0"}]"#;
    let told = [("links", links), ("routes", routes)]
        .iter()
        .chain(parts)
        .fold(String::new(), |all, (part, text)| format!("{all}@@{part}\n{}\n", text.trim_end()));
    let facts = Facts::read(&format!("{told}@@end\n")).unwrap();
    assert!(facts.unknown.is_empty(), "{:?}", facts.unknown);
    facts
}

/// Returns the chains into which rules of ours are wanted: `PROGRAM CHAIN`.
fn opened(facts: &Facts) -> BTreeSet<String> {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Phase::Nat.wanted(&cluster, 0, facts).unwrap();
    let makes = wanted.iter().filter_map(|resource| match resource {
        Resource::Entries(entries) if entries.firewall == "iptables" => Some(&entries.make),
        _ => None,
    });
    let chain = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        (words.get(2) == Some(&"-I")).then(|| format!("{} {}", words[0], words[3]))
    };
    makes.flat_map(|make| make.lines()).filter_map(chain).collect()
}

/// Returns what is found in the filters that ocp2 puts nothing into.
fn found(facts: &Facts) -> Vec<(String, String)> {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let findings = bringup::preflight(&cluster, 0, facts, 0).into_iter();
    findings.filter(|it| it.what.contains("own table accepts")).map(|it| (it.what, it.fix)).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn rules_of_iptables_that_close_the_way_get_ours_in_front() {
    for (file, firewalls, expected) in [
        ("plain-drop.txt", "", ["iptables INPUT", "iptables FORWARD"].as_slice()),
        // Policy ACCEPT, and a last rule that rejects.
        ("iptables-services.txt", "", &["iptables INPUT", "iptables FORWARD"]),
        ("oracle.txt", "", &["iptables INPUT", "iptables FORWARD"]),
        // What comes from outside is dropped by a chain where it is none of our ports; what is forwarded, always.
        ("chains.txt", "", &["iptables FORWARD"]),
        ("docker.txt", "", &["iptables DOCKER-USER"]),
        ("docker-28.txt", "", &["iptables DOCKER-USER"]),
        // These keep ours themselves.
        ("ufw.txt", "ufw", &[]),
        ("firewalld-by-iptables.txt", "firewalld", &[]),
        // Not enabled, its rules are like any.
        ("ufw.txt", "", &["iptables INPUT", "iptables FORWARD"]),
        // Other networks and other people are their owner's business.
        ("libvirt.txt", "", &[]),
    ] {
        let facts = facts(&[("iptables", &captured(file)), ("firewalls", firewalls)]);
        assert_eq!(opened(&facts), set(expected), "{file} {firewalls}");
        assert_eq!(found(&facts), [], "{file}");
    }
}

#[test]
fn beside_docker_the_entries_do_not_depend_on_the_policy_that_it_sets_or_not() {
    let (closed, rules) = (captured("docker.txt"), set(&["iptables DOCKER-USER"]));
    let open = closed.replace("-P FORWARD DROP", "-P FORWARD ACCEPT");
    for rules_seen in [&closed, &open] {
        assert_eq!(opened(&facts(&[("iptables", rules_seen)])), rules, "{rules_seen}");
    }
    // A rule at the end stays where the rules are loaded anew without Docker's.
    let rejecting = open + "-A FORWARD -j REJECT\n";
    let both = set(&["iptables DOCKER-USER", "iptables FORWARD"]);
    assert_eq!(opened(&facts(&[("iptables", &rejecting)])), both);
}

#[test]
fn a_filter_in_front_of_what_others_keep_is_opened_itself() {
    let before = |file: &str, chain: &str, jump: &str| {
        let reject = format!("-A {chain} -j REJECT\n{jump}");
        let rules = captured(file);
        assert!(rules.contains(jump));
        rules.replacen(jump, &reject, 1)
    };
    for (rules, firewalls, expected) in [
        (before("docker.txt", "FORWARD", "-A FORWARD -j DOCKER-USER"), "", "iptables FORWARD"),
        (before("ufw.txt", "INPUT", "-A INPUT -j ufw-before-input"), "ufw", "iptables INPUT"),
        (before("ufw.txt", "FORWARD", "-A FORWARD -j ufw-before-forward"), "ufw", "iptables FORWARD"),
        (
            before("firewalld-by-iptables.txt", "INPUT", "-A INPUT -j INPUT_direct"),
            "firewalld",
            "iptables INPUT",
        ),
    ] {
        let facts = facts(&[("iptables", &rules), ("firewalls", firewalls)]);
        assert_eq!(opened(&facts), set(&[expected]), "{rules}");
    }
}

#[test]
fn one_rule_more_or_less_closes_the_way_or_opens_it() {
    let head =
        "# iptables iptables v1.8.9 (nf_tables)\n-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-N other\n-N deep\n";
    for (rules, closed) in [
        ("-A INPUT -j DROP", true),
        ("-A INPUT -j LOG --log-prefix \"a b\"\n-A INPUT -m comment --comment \"the end\" -j REJECT", true),
        ("-A INPUT -j other\n-A other -j deep\n-A deep -j DROP", true),
        ("-A INPUT -j other\n-A other -j RETURN\n-A other -j DROP", false),
        ("-A INPUT -j other\n-A other -g deep\n-A other -j DROP", false),
        ("-A INPUT -g other\n-A INPUT -j DROP", false),
        ("-A INPUT -j ACCEPT\n-A INPUT -j DROP", false),
        ("-A INPUT ! -i lo -j DROP", true),
        ("-A INPUT -i ens34f0 -j DROP", true),
        ("-A INPUT -i ens+ -j DROP", true),
        ("-A INPUT -i ens35 -j DROP", false),
        ("-A INPUT -p udp -j DROP", true),
        ("-A INPUT -p udp -m udp --dport 4789 -j DROP", true),
        ("-A INPUT -p udp -m udp --dport 4790 -j DROP", false),
        ("-A INPUT -p udp -m udp --dport 4000:5000 -j DROP", true),
        ("-A INPUT -p tcp -m multiport --dports 25,6443 -j DROP", true),
        ("-A INPUT -p tcp -m tcp --dport 22623 ! -i br-vm -j DROP", false),
        ("-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP", true),
        ("-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m state --state NEW -j DROP", false),
        ("-A INPUT -m state --state NEW -j DROP", true),
        ("-A INPUT -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP", true),
        ("-A INPUT -m addrtype --dst-type LOCAL -j DROP", true),
        ("-A INPUT -m addrtype --dst-type MULTICAST -j DROP", false),
        ("-A INPUT -m pkttype --pkt-type broadcast -j DROP", true),
        ("-A INPUT -s 192.168.0.24/32 -j DROP", true),
        ("-A INPUT -s 192.168.0.99/32 -j DROP", false),
        ("-A INPUT ! -s 10.0.0.0/8 -j DROP", true),
        // Of these some are taken, or it is not known which.
        ("-A INPUT -m limit --limit 5/min -j DROP", false),
        ("-A INPUT -m set --match-set blocked src -j DROP", false),
        ("-A INPUT -m mark --mark 0x8000/0x8000 -j DROP", false),
        ("-A INPUT -p tcp -m tcp --sport 80 -j DROP", false),
        ("-A INPUT -m limit --limit 5/min -j ACCEPT\n-A INPUT -j DROP", true),
        // What ocp2 let pass, for whichever cluster, opens it no longer than it is there.
        ("-A INPUT -m comment --comment ocp2:other -j ACCEPT\n-A INPUT -j DROP", true),
        // No kernel has circles.
        ("-A INPUT -j other\n-A other -j deep\n-A deep -j other\n-A INPUT -j DROP", true),
    ] {
        let facts = facts(&[("iptables", &format!("{head}{rules}\n"))]);
        let expected = if closed { set(&["iptables INPUT"]) } else { set(&[]) };
        assert_eq!(opened(&facts), expected, "{rules}");
    }
}

#[test]
fn what_goes_through_is_looked_at_each_way() {
    let head = "# iptables iptables v1.8.9 (nf_tables)\n-P INPUT ACCEPT\n-P FORWARD ACCEPT\n";
    for (rules, closed) in [
        ("-A FORWARD -i br-vm -o br-vm -j DROP", true),
        ("-A FORWARD -i br-vm -j DROP", true),
        ("-A FORWARD -o br-vm -j DROP", true),
        ("-A FORWARD -o br-vm -m conntrack --ctstate NEW ! -i br-vm -j DROP", false),
        ("-A FORWARD -i ens34f0 -m conntrack --ctstate RELATED,ESTABLISHED -j DROP", true),
        ("-A FORWARD -s 192.168.139.0/24 -o ens34f0 -j DROP", true),
        ("-A FORWARD -s 10.0.0.0/8 -j DROP", false),
        ("-A FORWARD -i docker0 -j DROP\n-A FORWARD -o docker0 -j DROP", false),
    ] {
        let rules = rules.replace("192.168.139.0/24", &machine_network());
        let facts = facts(&[("iptables", &format!("{head}{rules}\n"))]);
        let expected = if closed { set(&["iptables FORWARD"]) } else { set(&[]) };
        assert_eq!(opened(&facts), expected, "{rules}");
    }
}

fn machine_network() -> String {
    inventories::cluster(&inventories::path("two-hosts")).network.machine.to_string()
}

#[test]
fn filters_of_nftables_that_close_the_way_are_named() {
    for (file, expected) in [
        (
            "nft-closing.json",
            [
                "chain forward of the nftables table inet filter drops",
                "chain input of the nftables table inet filter leads to chain closed, which drops",
            ]
            .as_slice(),
        ),
        (
            "nft-server.json",
            &[
                "chain forward of the nftables table inet firewall drops",
                "chain inbound of the nftables table inet firewall drops",
            ],
        ),
        ("nft-others.json", &[]),
        ("firewalld.json", &[]),
    ] {
        let facts = facts(&[("ruleset", &captured(file))]);
        let mut found = found(&facts);
        found.sort();
        assert_eq!(found.len(), expected.len(), "{file}: {found:#?}");
        for ((what, _), expected) in found.iter().zip(expected) {
            assert!(what.starts_with(expected), "{file}: {what}");
        }
        assert_eq!(opened(&facts), set(&[]), "{file}");
    }
}

#[test]
fn a_table_is_opened_by_the_program_that_keeps_it() {
    let (rules, ruleset) = (captured("iptables-services.txt"), captured("iptables-services.json"));
    // The same rules, seen by both programs.
    let both = facts(&[("iptables", &rules), ("ruleset", &ruleset)]);
    assert_eq!((opened(&both), found(&both).len()), (set(&["iptables INPUT", "iptables FORWARD"]), 0));
    // Without the one, or where it is the older one, only the other can.
    for rules in ["", "# iptables iptables v1.8.9 (legacy)\n-P INPUT ACCEPT\n-P FORWARD ACCEPT\n"] {
        let native = facts(&[("iptables", rules), ("ruleset", &ruleset)]);
        assert_eq!((opened(&native), found(&native).len()), (set(&[]), 2), "{:?}", found(&native));
    }
    // A table of the name that iptables cannot list: it told nothing but its version.
    let incompatible =
        facts(&[("iptables", "# iptables iptables v1.8.9 (nf_tables)\n"), ("ruleset", &ruleset)]);
    assert_eq!((opened(&incompatible), found(&incompatible).len()), (set(&[]), 2));
    // The older one's rules hold beside the newer one's.
    let beside = rules.replace("# iptables ", "# iptables-legacy ").replace("nf_tables", "legacy");
    let beside = facts(&[("iptables", &beside)]);
    let found = found(&beside);
    assert_eq!((opened(&beside), found.len()), (set(&[]), 2), "{found:#?}");
    assert!(found[0].0.contains("the rules of iptables-legacy"), "{found:#?}");
    assert!(found[0].1.contains("iptables-legacy -w -I INPUT -s 192.168.0.24 -p udp"), "{found:#?}");
}

#[test]
fn names_that_a_host_made_up_run_nothing_in_the_advice() {
    let ruleset = captured("nft-closing.json")
        .replace("\"input\"", "\"in; reboot\"")
        .replace("\"hook\": \"in; reboot\"", "\"hook\": \"input\"");
    let found = found(&facts(&[("ruleset", &ruleset)]));
    let (what, fix) = found.iter().find(|(_, fix)| fix.contains("reboot")).unwrap();
    assert!(what.contains("chain 'in; reboot' of"), "{what}");
    assert!(fix.contains("nft insert rule inet filter 'in; reboot' iifname br-vm accept"), "{fix}");
}

#[test]
fn filters_that_are_no_json_are_unknown() {
    let told = "@@ruleset\n{\"nftables\": [{\"chain\": \n@@end\n";
    assert!(Facts::read(told).unwrap().unknown.contains_key("ruleset"));
    let long = format!("@@ruleset\n{{\"nftables\": [{}{{}}]}}\n@@end\n", "{},".repeat(2 << 20));
    assert!(Facts::read(&long).unwrap().unknown["ruleset"].contains("more than"));
    // Of kinds and forms never met before nothing is read.
    let odd = r#"@@ruleset
{"nftables": [{"new": 1}, {}, {"chain": 7}, {"rule": {"family": "inet"}}, {"rule": {"family": "inet", "table": "a", "chain": "b", "expr": [null, 7, {}, {"xt": null}]}}]}
@@end
"#;
    let facts = Facts::read(odd).unwrap();
    assert!(facts.unknown.is_empty() && facts.filters.is_empty(), "{facts:?}");
}

#[test]
fn rules_without_end_are_walked_in_a_moment() {
    // Each chain jumps to the next twice; walked as they are there would be 2^5000 ways.
    let names: Vec<String> = (0..5000).map(|index| format!("c{index}")).collect();
    let mut rules = String::from("# iptables iptables v1.8.9 (nf_tables)\n-P INPUT DROP\n-A INPUT -j c0\n");
    rules.extend(names.iter().map(|name| format!("-N {name}\n")));
    for pair in names.windows(2) {
        rules += &format!("-A {0} -j {1}\n-A {0} -j {1}\n", pair[0], pair[1]);
    }
    let begun = std::time::Instant::now();
    opened(&facts(&[("iptables", &rules)]));
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}

proptest! {
    #[test]
    fn any_rules_are_read_without_panic(
        lines in "(-[PNA] (INPUT|FORWARD|a|b)( (!|-[iospdmjg]|--[a-z]{1,8}|[a-z0-9:,./+\"']{0,9})){0,6}\n){0,8}",
    ) {
        let facts = Facts::read(&format!("@@iptables\n# iptables v1\n-P INPUT DROP\n{lines}\n@@end\n")).unwrap();
        opened(&facts);
    }

    #[test]
    fn a_damaged_ruleset_is_read_without_panic(at in 0.0..1.0_f64, length in 0_usize..60, with in "[ -~]{0,6}") {
        let ruleset = captured("nft-closing.json");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "it is a place in a short text")]
        let start = (ruleset.len() as f64 * at) as usize;
        let end = (start + length).min(ruleset.len());
        let damaged = format!("{}{with}{}", &ruleset[..start], &ruleset[end..]);
        let facts = Facts::read(&format!("@@ruleset\n{damaged}\n@@end\n")).unwrap();
        found(&facts);
    }
}
