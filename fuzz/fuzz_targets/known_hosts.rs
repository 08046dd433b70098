//! A `known_hosts` file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::host::fuzzing::key_by_known_hosts;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHf0pf9vU5Yt6Y6yqX8yqU1H8nXPqUqC0gJrS5mqxw0b";

fuzz_target!(|text: &str| {
    for name in ["h.example", "[h.example]:2222"] {
        let _ = key_by_known_hosts(text, name, KEY);
        // A key that is recorded stays known whatever else there is, unless a line revokes it.
        let recorded = format!("{name} {KEY}\n{text}");
        assert!(matches!(key_by_known_hosts(&recorded, name, KEY), "known" | "revoked"));
        // And one that is revoked is never known.
        let revoked = format!("{text}\n@revoked * {KEY}");
        assert_eq!(key_by_known_hosts(&revoked, name, KEY), "revoked");
    }
});
