//! The stand-in installer has tests of its own, for it is not written in Rust.

use crate::programs::run;

#[test]
fn the_stand_in_installer_passes_its_own_tests() {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lab/release/tests.py");
    // Debian's own, whatever else is on the path: it is what has python3-yaml.
    let done = run("/usr/bin/python3", &["-B", tests], "");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let count = done.stderr.split("Ran ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    assert!(count.parse::<u32>().unwrap() > 5, "{}", done.stderr);
    assert!(!done.stderr.contains("skipped"), "{}", done.stderr);
}
