//! The rendezvous node's assisted API: its list of clusters, as JSON with JSON in its strings.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::install::assisted::ClusterSeen;
use ocp2_fuzz::CLUSTER;

fuzz_target!(|text: &str| {
    if let Some(seen) = ClusterSeen::read(text) {
        let judged = seen.judge(&CLUSTER);
        assert_eq!(judged, seen.judge(&CLUSTER));
        assert!(judged.stages.is_sorted());
        assert!(judged.line.contains("of 6 hosts have registered"), "{}", judged.line);
    }
});
