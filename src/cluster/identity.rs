//! Names a machine keeps: the same in every run, without a state file.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Derives a UUID from `seed`: SHA-256, with version 8 and the variant of RFC 9562 section 5.8.
#[must_use]
pub fn uuid(seed: &str) -> String {
    let digest = Sha256::digest(seed.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_stable_and_says_its_version() {
        let id = uuid("ocp/master0");
        assert_eq!(id, uuid("ocp/master0"));
        assert_ne!(id, uuid("ocp/master1"));
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "8");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
    }
}
