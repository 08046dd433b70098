//! How a secret reads where a program has encoded it: JSON, a URL, base64.

use data_encoding::{BASE64, BASE64URL};

/// Shorter ones have too few characters of base64 that nothing around them changes.
const SHORTEST: usize = 9;

/// Lines of base64 as `base64` (76) and PEM (64) break them.
const LINES: [usize; 2] = [76, 64];

/// Returns the other forms in which a secret may stand in a log.
pub(super) fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![in_json(secret), in_url(secret)];
    if secret.len() >= SHORTEST {
        forms.extend((0..3).flat_map(|before| inside_base64(secret, before)));
        let whole = BASE64.encode(secret.as_bytes());
        forms.extend(LINES.iter().filter_map(|length| broken(&whole, *length)));
    }
    forms.retain(|form| form != secret);
    forms
}

/// Returns it as the inside of a JSON string.
fn in_json(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Returns it as RFC 3986 wants it in a URL.
fn in_url(secret: &str) -> String {
    let one = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    secret.bytes().map(one).collect()
}

/// Returns those characters of base64 that say it and nothing of what stands around it, in both alphabets,
/// where `before` bytes (modulo 3) stand before it.
fn inside_base64(secret: &str, before: usize) -> [String; 2] {
    let bytes = [&b"\0\0"[..before], secret.as_bytes()].concat();
    let whole = bytes.len() / 3 * 3;
    // The first group holds what stands before, the last one what comes after.
    let from = if before == 0 { 0 } else { 4 };
    [BASE64.encode(&bytes[..whole]), BASE64URL.encode(&bytes[..whole])].map(|text| text[from..].to_owned())
}

/// Breaks base64 into lines; `None` where it is one.
fn broken(text: &str, length: usize) -> Option<String> {
    let lines: Vec<&str> =
        (0..text.len()).step_by(length).map(|at| &text[at..text.len().min(at + length)]).collect();
    (lines.len() > 1).then(|| lines.join("\n"))
}
