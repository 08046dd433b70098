//! What makes a log fit to be shown to others: secrets in it become dots.

use std::sync::LazyLock;

use regex::Regex;

use crate::{install::encoded::forms, secret::Secret};

/// What stands in place of a secret.
const MASK: &str = "•••";

/// Shorter ones would be found inside ordinary words.
const SHORTEST: usize = 6;

/// Masks secrets: those that are known, and everything that looks like one.
#[derive(Debug, Default)]
pub struct Redactor {
    /// Longest first: one may be part of another.
    known: Vec<Secret>,
}

impl Redactor {
    /// Makes a redactor that knows these secrets; of JSON, every string value is one as well.
    #[must_use]
    pub fn knowing(secrets: &[Secret]) -> Self {
        let mut known: Vec<String> = Vec::new();
        for secret in secrets {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(secret.expose()) {
                strings(&value, &mut known);
            }
            known.push(secret.expose().trim().to_owned());
        }
        let passwords: Vec<String> = known.iter().filter_map(|text| password(text)).collect();
        known.extend(passwords);
        known.retain(|text| text.len() >= SHORTEST);
        let encoded: Vec<String> = known.iter().flat_map(|text| forms(text)).collect();
        known.extend(encoded.into_iter().filter(|text| text.len() >= SHORTEST));
        known.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { known: known.into_iter().map(Secret::new).collect() }
    }

    /// Returns `text` without its secrets.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.known {
            text = text.replace(secret.expose(), MASK);
        }
        for (pattern, masked) in PATTERNS.iter() {
            text = pattern.replace_all(&text, *masked).into_owned();
        }
        text
    }
}

fn strings(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => into.push(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| strings(value, into)),
        serde_json::Value::Object(fields) => fields.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

/// Returns the password in what a registry's `auth` is: base64 of `user:password`.
fn password(auth: &str) -> Option<String> {
    let decoded = String::from_utf8(data_encoding::BASE64.decode(auth.as_bytes()).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

/// Patterns of secrets, and what stays of them. Quotes may be escaped, once or more: logs quote JSON.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let all = [
        // A log may be cut off in the middle of a key, at either end.
        (r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*\z)", "$1 •••"),
        (r"(?s)\A.*-----END [A-Z ]*PRIVATE KEY-----", "•••"),
        // JSON web tokens, whatever they are called.
        (r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+", "•••"),
        // A private key in base64, as Secrets and ignition have it.
        (
            r"LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJVkFUR|BFQyBQUklWQVRF|BPUEVOU1NI|BFTkNSWVBURUQg|BEU0Eg)[\w+/=-]*(?:\s+[\w+/=-]{20,})*",
            "•••",
        ),
        // Its values are quoted one by one.
        (r"(?i)\b((?:proxy-)?authorization\W*digest)\b[^\r\n]*", "$1 •••"),
        (
            r#"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)([\\"']*\s*[:=]\s*[\\"']*)(bearer|basic|digest|negotiate)?(\s*)[^\r\n"'\\]+"#,
            "$1$2$3$4•••",
        ),
        (r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", "$1 •••"),
        // Up to the last `@`: a password may have one.
        (r#"://[^/\s:@"']+:[^/\s"']*@"#, "://•••@"),
        (r"(?i)(--?[\w-]*(?:password|passphrase|passwd|token|secret)[\w-]*)(\s+|=)[^\s-][^\s]*", "$1$2•••"),
        (
            r#"(?i)((?:[\w.-]*(?:password|passwd|passphrase|token|secret[-_]?access[-_]?key|secret|private[-_]?key|access[-_]?key|api[-_]?key|credentials?|client-key-data)|\b(?:auth|tls\.key))[\\"']*\s*[:=]\s*[\\"']*)[^\s"'\\,}\]{\[]+"#,
            "$1•••",
        ),
        // kubeadmin's password, a bootstrap token, and what crypt(3) makes of passwords.
        (r"\b[A-Za-z0-9]{5}(?:-[A-Za-z0-9]{5}){3}\b", "•••"),
        (r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", "•••"),
        (r"\$(?:1|2[aby]|5|6|y|gy|apr1)\$[./A-Za-z0-9$=,]{8,}", "•••"),
    ];
    all.map(|(pattern, masked)| (Regex::new(pattern).expect("a constant pattern"), masked)).into()
});
