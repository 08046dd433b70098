//! Keys that a mirror's checksum files are signed with: armored, as `gpg --armor --export` writes them.

use data_encoding::BASE64;

/// Red Hat's release key; `keys/README.md` says where it is from.
pub const RELEASE_KEY: &str = include_str!("keys/redhat-release.asc");

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";

/// What a public key begins with in its old and its new form (RFC 9580, 4.2): packet 6.
const PACKET: [u8; 3] = [0x98, 0x99, 0xc6];

/// Returns the keys of an armored text as `gpgv` wants them in a keyring: binary, one after the other.
///
/// # Errors
/// Says what is wrong with the text.
pub fn keyring(text: &str) -> Result<Vec<u8>, String> {
    let mut keys = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate();
    while let Some((number, line)) = lines.next() {
        if line.contains("PRIVATE KEY") {
            return Err(format!("line {}: this is a private key", number + 1));
        }
        if line != BEGIN {
            // What is around the blocks is for people.
            continue;
        }
        let damaged = || format!("the key that begins in line {} is damaged", number + 1);
        let mut body = Vec::new();
        loop {
            match lines.next().ok_or_else(damaged)?.1 {
                END => break,
                line => body.push(line),
            }
        }
        keys.extend(block(&body).ok_or_else(damaged)?);
    }
    if keys.is_empty() { Err("there is no public key in it".to_owned()) } else { Ok(keys) }
}

/// Returns what the lines of a block hold, where that begins with a key and fits its checksum, if it has one.
fn block(lines: &[&str]) -> Option<Vec<u8>> {
    // Headers end with an empty line.
    let lines = lines.iter().skip_while(|line| !line.is_empty());
    let (sums, data): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with('='));
    let key = BASE64.decode(data.concat().as_bytes()).ok()?;
    let fits = |sum: &&str| {
        let sum = BASE64.decode(sum.trim_start_matches('=').as_bytes());
        sum.is_ok_and(|sum| sum == crc24(&key).to_be_bytes()[1..])
    };
    (key.first().is_some_and(|first| PACKET.contains(first)) && sums.iter().all(fits)).then_some(key)
}

/// Returns the checksum of an armor (RFC 9580, 6.1).
fn crc24(data: &[u8]) -> u32 {
    data.iter().fold(0x00b7_04ce, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 16), |sum, _| {
            let next = sum << 1;
            if next & 0x0100_0000 == 0 { next } else { (next ^ 0x0186_4cfb) & 0x00ff_ffff }
        })
    })
}

#[cfg(test)]
mod tests {
    use sha1::{Digest as _, Sha1};

    use super::*;

    #[test]
    fn the_release_key_is_red_hats() {
        let key = keyring(RELEASE_KEY).unwrap();
        // Its first packet, of the old form with a length of two octets; the fingerprint is of that (RFC 9580, 5.5.4.1).
        let length = usize::from(u16::from_be_bytes([key[1], key[2]]));
        let fingerprint = data_encoding::HEXUPPER.encode(&Sha1::digest(&key[..3 + length]));
        assert_eq!(fingerprint, "567E347AD0044ADE55BA8A5F199E2F91FD431D51");
    }

    #[test]
    fn what_is_no_public_key_is_refused_with_the_reason() {
        let fault = |text: &str| keyring(text).unwrap_err();
        assert_eq!(fault("-----BEGIN PGP PRIVATE KEY BLOCK-----\n"), "line 1: this is a private key");
        assert_eq!(fault("ssh-ed25519 AAAA me"), "there is no public key in it");
        let (before, after) = RELEASE_KEY.split_once("mQIN").unwrap();
        let line = before.lines().position(|line| line == BEGIN).unwrap() + 1;
        let damaged = format!("the key that begins in line {line} is damaged");
        assert_eq!(fault(&format!("{before}mQIM{after}")), damaged);
        assert_eq!(fault(&RELEASE_KEY.replace(END, "")), damaged);
    }

    #[test]
    fn several_keys_are_a_keyring_of_all() {
        let one = keyring(RELEASE_KEY).unwrap();
        assert_eq!(
            keyring(&format!("ours:\n{RELEASE_KEY}\n{RELEASE_KEY}")).unwrap(),
            [&one[..], &one].concat()
        );
    }
}
