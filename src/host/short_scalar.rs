//! ECDSA keys whose private scalar is short.
//!
//! OpenSSH writes the scalar of a key without leading zeros, and about one P-256 key in 256 has one; the
//! ssh-key crate takes none shorter than 32 bytes (0.7.0-rc.11, `private/ecdsa.rs`: "length invalid"). Such a
//! key is written anew with its zeros. Of a key with a passphrase only the agent can make use.

use data_encoding::BASE64;

use crate::secret::Secret;

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const ALGORITHM: &[u8] = b"ecdsa-sha2-nistp256";
const SCALAR: usize = 32;

/// How long OpenSSH's lines are.
const LINE: usize = 70;

/// What the private part is a multiple of where it is not encrypted, bytes (PROTOCOL.key of OpenSSH).
const BLOCK: usize = 8;

/// Returns the key with its zeros; `None` where it is none of this kind.
pub(super) fn padded(text: &str) -> Option<Secret> {
    let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let body: String = body.split_whitespace().collect();
    let bytes = BASE64.decode(body.as_bytes()).ok()?;
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let [cipher, _, _] = [string(&mut rest)?, string(&mut rest)?, string(&mut rest)?];
    let (count, after) = rest.split_first_chunk()?;
    rest = after;
    if cipher != b"none" || u32::from_be_bytes(*count) != 1 {
        return None;
    }
    string(&mut rest)?;
    let head = &bytes[..bytes.len() - rest.len()];
    let mut private = string(&mut rest)?;
    // Two numbers that have to be alike, after a passphrase.
    let (check, mut fields) = private.split_at_checked(8)?;
    private = fields;
    let [algorithm, _, _] = [string(&mut fields)?, string(&mut fields)?, string(&mut fields)?];
    let before = &private[..private.len() - fields.len()];
    let scalar = string(&mut fields)?;
    let comment = string(&mut fields)?;
    if algorithm != ALGORITHM || scalar.len() >= SCALAR {
        return None;
    }
    let mut whole = [check, before].concat();
    put(&mut whole, &[&vec![0; SCALAR - scalar.len()], scalar].concat());
    put(&mut whole, comment);
    whole.extend((1..).take(whole.len().next_multiple_of(BLOCK) - whole.len()));
    let mut key = head.to_vec();
    put(&mut key, &whole);
    let encoded = BASE64.encode(&key);
    let lines: Vec<&str> =
        (0..encoded.len()).step_by(LINE).map(|from| &encoded[from..encoded.len().min(from + LINE)]).collect();
    Some(Secret::new(format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))))
}

/// Takes a string of SSH's, which has its length before it.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (string, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(string)
}

fn put(into: &mut Vec<u8>, string: &[u8]) {
    // A key's parts are far shorter than a length can say.
    into.extend(u32::try_from(string.len()).unwrap_or(u32::MAX).to_be_bytes());
    into.extend(string);
}

#[cfg(test)]
mod tests {
    use russh::keys::PrivateKey;

    use super::*;

    /// Made by ssh-keygen for this test, and of no use elsewhere.
    const SHORT: &str = include_str!("../../tests/ssh/short-scalar");
    const PUBLIC: &str = include_str!("../../tests/ssh/short-scalar.pub");

    #[test]
    fn a_short_scalar_gets_its_zeros_and_stays_the_same_key() {
        assert!(PrivateKey::from_openssh(SHORT).is_err(), "the crate reads it now: this file can go");
        let padded = padded(SHORT).unwrap();
        let key = PrivateKey::from_openssh(padded.expose()).unwrap();
        assert_eq!(key.public_key().to_openssh().unwrap(), PUBLIC.trim());
    }

    #[test]
    fn whatever_else_it_is_stays_as_it_is() {
        let whole = padded(SHORT).unwrap();
        assert!(padded(whole.expose()).is_none(), "it has its zeros");
        for cut in 0..SHORT.len() {
            assert!(padded(&SHORT[..cut]).is_none() || cut + 1 == SHORT.len(), "cut after {cut}");
        }
    }
}
