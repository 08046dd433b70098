//! Files that a host has: lines of `stat`, sizes, and their contents in one piece of base64.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2_fuzz::told_by;

fuzz_target!(|bytes: &[u8]| {
    let facts = told_by("files", bytes);
    for seen in facts.files.values() {
        if let Some(text) = &seen.text {
            // A sum that comes later stands for what was not read.
            assert!(
                seen.sha256 == ocp2::resource::sha256(text.as_bytes())
                    || bytes.windows(4).any(|w| w == b"sum ")
            );
        }
    }
    assert!(facts.files.is_empty() || facts.unknown.is_empty());
});
