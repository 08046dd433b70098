//! Rules of the owner's own, in nftables.

use ocp2::{
    bringup,
    resource::{Facts, Scope},
};

use crate::{inventories, wanted::Wanted};

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
";

#[test]
fn rules_of_the_owners_that_drop_our_traffic_are_named_with_those_that_let_it_pass() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let probe = bringup::questions(&cluster, 0).unwrap().script(Scope::Whole);
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
    // Not where the owner has seen to the bridge.
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
