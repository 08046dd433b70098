//! The conditions that the cluster's own API tells of operators and nodes.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use ocp2::install::progress::{Seen, conditions};
use ocp2_fuzz::CLUSTER;

fuzz_target!(|text: &str| {
    let Ok(serde_json::Value::Object(objects)) = serde_json::from_str(text) else { return };
    let all: BTreeMap<_, _> =
        objects.iter().map(|(name, object)| (name.clone(), conditions(object))).collect();
    let seen = Seen {
        version: all.values().next().cloned().unwrap_or_default(),
        operators: all.clone(),
        nodes: all,
        pending: objects.keys().map(|name| (name.clone(), name.clone())).collect(),
    };
    let progress = seen.progress(&CLUSTER);
    // One line, of a length that fits one.
    assert!(progress.line.chars().count() < 2000 + objects.keys().map(String::len).sum::<usize>());
});
