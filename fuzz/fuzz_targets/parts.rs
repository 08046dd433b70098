//! The parts of an answer that are lines: system, sockets, settings, units, packages, folders and others.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2_fuzz::told_by;

const PARTS: [&str; 12] = [
    "system",
    "sockets",
    "settings",
    "booleans",
    "labels",
    "listing",
    "folders",
    "units",
    "packages",
    "firewalls",
    "entries",
    "nft",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((part, bytes)) = bytes.split_first() else { return };
    let facts = told_by(PARTS[usize::from(*part) % PARTS.len()], bytes);
    assert!(facts.unknown.is_empty());
    assert!(facts.folders.values().flatten().all(|name| !name.contains('\n')));
});
