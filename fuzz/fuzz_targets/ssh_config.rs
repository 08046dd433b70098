//! What `ssh -G` prints, and the hops in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::host::fuzzing::{configuration, hop};

fuzz_target!(|text: &str| {
    let _ = configuration(text);
    let _ = configuration(&format!("host h\nhostname h\nuser me\nport 22\n{text}"));
    if let Some(hop) = hop(text) {
        assert!(!hop.address.is_empty());
    }
});
