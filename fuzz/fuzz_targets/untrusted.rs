//! Text of a host's on its way to a terminal, into JSON, and as the name of a file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::untrusted::{coloured, file_name, json, shown};

/// What does something to a terminal, as ECMA-48 and Unicode have it; written here once more, on purpose.
fn acts(c: char) -> bool {
    matches!(c, '\0'..='\x08' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fuzz_target!(|text: &str| {
    let once = shown(text);
    assert!(!once.contains(acts));
    assert_eq!(shown(&once), once);

    // Of sequences only those that colour are left.
    let mut rest = coloured(text).into_owned();
    while let Some(at) = rest.find('\x1b') {
        let end = rest[at..].find('m').expect("SGR ends with m") + at;
        let codes = rest[at..end].strip_prefix("\x1b[").expect("CSI");
        assert!(codes.split(';').all(|code| !matches!(code, "5" | "6" | "7" | "8" | "30" | "")), "{codes}");
        assert!(codes.chars().all(|c| c.is_ascii_digit() || c == ';'), "{codes}");
        rest.replace_range(at..=end, "");
    }
    assert!(!rest.contains(acts));

    // JSON reads the same, and does nothing either.
    let quoted = serde_json::Value::from(text).to_string();
    let safe = json(&quoted);
    assert!(!safe.contains(acts));
    assert_eq!(serde_json::from_str::<String>(&safe).expect("still JSON"), text);

    if let Some(name) = file_name(text) {
        assert_eq!(name, text);
        assert!(name.len() <= 200 && !name.contains(['/', '\0', ' ']) && !name.contains(acts));
        assert!(!matches!(name, "" | "." | "..") && !name.starts_with(['.', '-']) && name.is_ascii());
    }
});
