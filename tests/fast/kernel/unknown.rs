//! Programs that fail, or are not there: what they would tell is unknown, or it is nothing.

use ocp2::{
    bringup::{self, Place},
    resource::{Facts, Scope},
};

use crate::{inventories, wanted::Wanted};

/// A table of iptables', as the newer one makes it.
const TABLE: &str =
    "nft 'table ip filter { chain INPUT { type filter hook input priority 0; policy drop; }; }'";

/// Stands in for iptables: `$1` is what it does when it is asked for its rules.
const IPTABLES: &str = r#"
ip6tables() { echo "ip6tables v1.8.9 (legacy)"; }
iptables-legacy() { ip6tables; }
ip6tables-legacy() { ip6tables; }
iptables() { [ "$1" != -V ] || { echo "iptables v1.8.9 (nf_tables)"; return; }; $1; }
"#;

/// Hides a program.
const HIDDEN: &str = r#"command() { [ "$2" != $1 ] && builtin command "$@"; }"#;

/// Probes a machine where `source` has run. Of libvirt, which does not run there, nothing is asked.
fn probed(source: &str) -> Facts {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let probe = bringup::questions(&cluster, 0).unwrap().script(Scope::Whole);
    let done = wanted.machine().line(TABLE).line(source).step("probe", probe.source()).run();
    let mut facts = Facts::read(&done.outcome("probe").stdout).unwrap();
    facts.unknown.remove("libvirt");
    facts
}

#[test]
fn a_program_that_fails_leaves_unknown_what_it_would_tell() {
    let rules = |does: &str| IPTABLES.replace("$1; }", &format!("{does}; }}"));
    let locked = rules("echo 'Another app is holding the xtables lock' >&2; return 4");
    for (source, parts) in [
        (locked.as_str(), ["iptables", "entries"].as_slice()),
        (&locked.replace("return; }; ", "return 1; }; "), &["iptables", "entries"]),
        ("nft() { [ \"$1\" != -j ] || { echo 'no permission' >&2; return 1; }; }", &["ruleset"]),
        ("nft() { [ \"$1\" != -j ] || head -c 9000000 /dev/zero; }", &["ruleset"]),
        ("dpkg-query() { echo 'the status database is locked' >&2; return 2; }", &["packages"]),
        (
            &format!(
                "{}\nrpm() {{ echo 'error: cannot open Packages database' >&2; return 1; }}",
                HIDDEN.replace("$1", "dpkg-query")
            ),
            &["packages"],
        ),
        ("ufw() { echo 'ERROR: problem running iptables' >&2; return 1; }", &["entries"]),
        (
            "firewall-cmd() { :; }\nsystemctl() { echo 'Failed to connect to bus' >&2; return 1; }",
            &["firewalls", "units"],
        ),
        (
            "firewall-cmd() { :; }\nsystemctl() { :; }\nbusctl() { echo 'Call failed: timed out' >&2; return 1; }",
            &["entries"],
        ),
    ] {
        let facts = probed(source);
        let found = bringup::unread(&Place::named("ocp"), "bm1", &facts);
        for part in parts {
            let reason = facts.unknown.get(part).unwrap_or_else(|| panic!("{part} is known: {source}"));
            assert!(found.iter().any(|finding| finding.what.ends_with(reason)), "{source}: {found:#?}");
        }
        let others = facts.unknown.keys().filter(|part| !parts.contains(part));
        assert_eq!(others.count(), 0, "{source}: {:?}", facts.unknown);
    }
}

#[test]
fn what_is_not_there_has_nothing_to_tell() {
    let not_of_iptables = IPTABLES.replace(
        "$1; }",
        "echo \"iptables v1.8.9 (nf_tables): table 'filter' is incompatible, use 'nft' tool.\" >&2; return 1; }",
    );
    for source in [
        "true",
        &HIDDEN.replace("$1", "iptables"),
        &not_of_iptables,
        "dpkg-query() { echo 'no packages found matching haproxy' >&2; return 1; }",
        &format!(
            "{}\nrpm() {{ echo 'package haproxy is not installed'; return 1; }}",
            HIDDEN.replace("$1", "dpkg-query")
        ),
        "firewall-cmd() { :; }\nsystemctl() { :; }\nbusctl() { echo 'Call failed: INVALID_ZONE: ocp2-ocp' >&2; return 1; }",
    ] {
        let facts = probed(source);
        assert!(facts.unknown.is_empty(), "{source}: {:?}", facts.unknown);
        // What iptables has not told, nftables has.
        let found = bringup::preflight(&inventories::cluster(&inventories::path("two-hosts")), 0, &facts, 0);
        let named =
            found.iter().any(|finding| finding.what.contains("chain INPUT of the nftables table ip filter"));
        assert!(named || facts.iptables.iter().any(|filter| filter.in_nftables), "{source}: {found:#?}");
    }
}
