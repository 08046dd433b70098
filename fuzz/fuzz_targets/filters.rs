//! Rules of other people's firewalls, as iptables and nftables list them, and where in them our packets end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::bringup::preflight;
use ocp2_fuzz::{CLUSTER, told_by};

fuzz_target!(|bytes: &[u8]| {
    let Some((part, bytes)) = bytes.split_first() else { return };
    let facts = told_by(if part % 2 == 0 { "iptables" } else { "ruleset" }, bytes);
    for filter in facts.iptables.iter().chain(&facts.filters) {
        assert!(matches!(filter.family.as_str(), "ip" | "ip6" | "inet"), "{}", filter.family);
        assert!(!filter.chains.is_empty());
    }
    // It says which of them end what is ours, however they jump into each other.
    let _ = preflight(&CLUSTER, 0, &facts, 0);
});
