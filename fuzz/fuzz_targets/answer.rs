//! A whole answer to a probe: its frame, and every part behind it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::resource::Facts;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut facts = Facts::default();
    if facts.renew(&text, "mark-").is_ok() {
        // Told again, nothing is other than it was.
        let mut again = facts.clone();
        again.renew(&text, "mark-").expect("it was whole");
        assert_eq!(format!("{facts:?}"), format!("{again:?}"));
    }
    // Cut off anywhere before its end, it is never taken for a whole one.
    let cut = text.replace("@@end", "@@-");
    assert!(Facts::read(&cut).is_err());
});
