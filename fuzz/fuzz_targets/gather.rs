//! What `gather` reads from a host, a release's stream of images, the installer's log, and readiness.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::{
    bringup::lacks,
    install::fuzzing::{gathered, image_of_stream, log_message},
};

fuzz_target!(|bytes: &[u8]| {
    let files = gathered(bytes);
    assert!(files.iter().map(|(name, size)| name.len() + size).sum::<usize>() <= 3 * bytes.len());
    let text = String::from_utf8_lossy(bytes);
    let _ = (image_of_stream(&text), log_message(&text));
    // Without its own line about etcd, a master is not ready.
    assert!(!lacks(&text).is_empty() || text.contains("[+]etcd ok"));
});
