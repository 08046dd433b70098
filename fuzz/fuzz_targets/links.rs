//! Links, routes and forwarding entries in iproute2's JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2_fuzz::told_by;

fuzz_target!(|bytes: &[u8]| {
    let Some((part, bytes)) = bytes.split_first() else { return };
    match part % 3 {
        0 => {
            for link in told_by("links", bytes).links {
                assert!(!link.name.is_empty());
                if let Some(mac) = link.mac {
                    assert_eq!(mac.to_string().parse(), Ok(mac));
                }
            }
        }
        1 => drop(told_by("routes", bytes).routes),
        _ => drop(told_by("fdb", bytes).fdb),
    }
});
