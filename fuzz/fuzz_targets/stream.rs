//! What comes over an SSH channel: what precedes a script's output, its lines, and what stops of a relay say.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::host::fuzzing::{is_base64, lines, own_output, relay_line, size_and_hash};

fuzz_target!(|bytes: &[u8]| {
    // However the network cuts it, what is read is the same.
    let whole = own_output(&[bytes]);
    let split = lines(&[bytes]);
    for at in [bytes.len() / 3, bytes.len() / 2] {
        let (one, other) = bytes.split_at(at);
        assert_eq!(own_output(&[one, other]), whole);
        assert_eq!(lines(&[one, other]), split);
    }
    assert!(whole.is_none_or(|own| bytes.ends_with(&own)));
    for line in split {
        assert!(!line.contains('\n'));
        let _ = relay_line(&line, 1000);
        if let Some((_, Some(hash))) = size_and_hash(&line) {
            assert!(
                hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
                "{hash}"
            );
        }
        // What is told to other hosts is one word.
        if is_base64(&line) {
            assert!(
                line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)),
                "{line}"
            );
        }
    }
});
