//! What a stop says, a line each: data of a host's, some of which is told to other hosts.

use crate::host::transfer::is_sha256;

/// What a stop says while the file travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) enum Said {
    /// It has so many bytes.
    At(u64),
    /// It has all that came: so many bytes, and their SHA-256 where it hashes.
    Arrived(u64, Option<String>),
    /// The one before it gave no more.
    CutOff,
    /// What came could not be written, or be given on.
    Failed,
    /// Nothing: it has ended.
    Ended,
    /// Something else, that is for nobody.
    Other,
}

impl Said {
    /// Reads a line; `None` is the stop's end. On the way nobody has more than the file's `size`, bytes.
    pub fn read(line: Option<&str>, size: u64) -> Self {
        let number = |word: &str| word.parse().unwrap_or(0);
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        match words[..] {
            ["at", bytes] => Self::At(number(bytes).min(size)),
            ["arrived", bytes] => Self::Arrived(number(bytes), None),
            ["arrived", bytes, sha256] if is_sha256(sha256) => {
                Self::Arrived(number(bytes), Some(sha256.to_owned()))
            }
            ["failed", "take"] => Self::CutOff,
            ["failed", _] | ["arrived", ..] => Self::Failed,
            [] => Self::Ended,
            _ => Self::Other,
        }
    }
}

/// Tells whether a text is one word of base64: what a stop shows as its certificate stands in orders to others.
pub(in crate::host) fn is_base64(text: &str) -> bool {
    !text.is_empty() && data_encoding::BASE64.decode(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stop_says_is_read() {
        let sha256 = "0a".repeat(32);
        for (line, said) in [
            ("at 12", Said::At(12)),
            ("at 18446744073709551615", Said::At(100)),
            ("at x", Said::At(0)),
            ("arrived 99", Said::Arrived(99, None)),
            ("arrived 101", Said::Arrived(101, None)),
            (&format!("arrived 100 {sha256}"), Said::Arrived(100, Some(sha256.clone()))),
            ("arrived 100 $(id)", Said::Failed),
            (&format!("arrived 100 {sha256} more"), Said::Failed),
            ("failed take", Said::CutOff),
            ("failed write", Said::Failed),
            ("", Said::Ended),
            ("giving", Said::Other),
        ] {
            assert_eq!(Said::read(Some(line), 100), said, "{line}");
        }
        assert_eq!(Said::read(None, 100), Said::Ended);
    }

    #[test]
    fn a_certificate_is_one_word_of_base64() {
        assert!(is_base64("LS0tLS1CRUdJTg=="));
        for text in ["", "LS0t 0", "LS0t;id", "a[$(id)]", "LS0"] {
            assert!(!is_base64(text), "{text}");
        }
    }
}
