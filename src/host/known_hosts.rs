//! `known_hosts` as OpenSSH understands it.
//!
//! Hashed names, wildcards, negation, `[host]:port`, several keys of one type, `@revoked`, tabs,
//! lines nobody can read, authorities that sign host keys: all as `hostfile.c` has it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{Algorithm, PublicKey};
use sha1::Sha1;

/// A key recorded for a host, and where.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub file: PathBuf,
    pub line: usize,
    pub revoked: bool,
    pub key: PublicKey,
}

/// What the recorded keys say about the one a host showed.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    Known,
    Unknown,
    Changed(&'a Recorded),
}

/// The keys recorded for one host.
#[derive(Debug, Default)]
pub(super) struct KnownHosts {
    /// Recorded under the host's name (with the port, where it is not 22).
    exact: Vec<Recorded>,
    /// Recorded for the name alone, where the port is not 22: good enough to trust, never to refuse.
    portless: Vec<Recorded>,
    /// Keys that may sign the host's.
    authorities: Vec<PublicKey>,
}

impl KnownHosts {
    /// Collects what `files` have for `name`, and for the host without its port.
    pub fn read(files: &[PathBuf], name: &str) -> Self {
        let mut this = Self::default();
        for file in files {
            // A file that is not there or not readable has no keys, as in OpenSSH.
            let Ok(text) = fs::read(file) else { continue };
            this.take(file, &String::from_utf8_lossy(&text), name);
        }
        this
    }

    /// Takes in what the text of one file has for `name`, and for the host without its port.
    pub fn take(&mut self, file: &Path, text: &str, name: &str) {
        let portless = name.strip_prefix('[').and_then(|rest| rest.split_once("]:")).map(|(host, _)| host);
        for (line, entry) in entries(text) {
            let exact = matches(entry.names, name);
            if !exact && !portless.is_some_and(|host| matches(entry.names, host)) {
                continue;
            }
            let Some(key) = entry.key() else { continue };
            let recorded = Recorded { file: file.to_owned(), line, revoked: entry.revoked, key };
            match () {
                () if entry.authority => self.authorities.push(recorded.key),
                () if exact => self.exact.push(recorded),
                () => self.portless.push(recorded),
            }
        }
    }

    /// Judges a key that is not revoked.
    pub fn verdict(&self, key: &PublicKey) -> Verdict<'_> {
        let same = |recorded: &&Recorded| recorded.key.key_data() == key.key_data();
        let good = |recorded: &&Recorded| !recorded.revoked;
        if self.exact.iter().filter(good).any(|recorded| same(&recorded)) {
            return Verdict::Known;
        }
        match self.exact.iter().rfind(good) {
            Some(other) => Verdict::Changed(other),
            None if self.portless.iter().filter(good).any(|recorded| same(&recorded)) => Verdict::Known,
            None => Verdict::Unknown,
        }
    }

    /// Returns the line that revokes a key, a host's or an authority's.
    pub fn revoked(&self, key: &PublicKey) -> Option<&Recorded> {
        let all = self.exact.iter().chain(&self.portless);
        all.filter(|recorded| recorded.revoked).find(|recorded| recorded.key.key_data() == key.key_data())
    }

    /// Returns the keys that may sign the host's.
    pub fn authorities(&self) -> &[PublicKey] {
        &self.authorities
    }

    /// Returns the types of the recorded keys: asked for first, or a host with several keys would
    /// show one that nobody recorded.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.exact.iter().chain(&self.portless).filter(|r| !r.revoked).map(|r| r.key.algorithm())
    }
}

/// A line: names, and the key as text.
struct Entry<'a> {
    revoked: bool,
    authority: bool,
    names: &'a str,
    rest: &'a str,
}

impl Entry<'_> {
    /// Reads the key; a type that is not known or a broken line has none.
    fn key(&self) -> Option<PublicKey> {
        let mut words = self.rest.split([' ', '\t']).filter(|word| !word.is_empty());
        let (kind, blob) = (words.next()?, words.next()?);
        PublicKey::from_openssh(&format!("{kind} {blob}")).ok()
    }
}

/// Splits a file into its entries, with line numbers from 1.
fn entries(text: &str) -> impl Iterator<Item = (usize, Entry<'_>)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let blank = [' ', '\t'];
        let line = line.trim_start_matches(blank);
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (marker, line) = match line.strip_prefix('@') {
            Some(tail) => {
                let (marker, rest) = tail.split_once(blank)?;
                (Some(marker), rest.trim_start_matches(blank))
            }
            None => (None, line),
        };
        let (revoked, authority) = match marker {
            None => (false, false),
            Some("revoked") => (true, false),
            Some("cert-authority") => (false, true),
            Some(_) => return None,
        };
        let (names, rest) = line.split_once(blank)?;
        Some((index + 1, Entry { revoked, authority, names, rest }))
    })
}

/// Tells whether the first field of a line means `name` (which is in lower case).
fn matches(names: &str, name: &str) -> bool {
    if names.starts_with('|') {
        return hashed(names, name);
    }
    let mut found = false;
    for pattern in names.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if wildcard(pattern.to_lowercase().as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= wildcard(pattern.to_lowercase().as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// `|1|salt|HMAC-SHA1(salt, name)`, both in base64.
fn hashed(field: &str, name: &str) -> bool {
    let Some((salt, digest)) = field.strip_prefix("|1|").and_then(|rest| rest.split_once('|')) else {
        return false;
    };
    match (BASE64.decode(salt.as_bytes()), BASE64.decode(digest.as_bytes())) {
        (Ok(salt), Ok(digest)) => hmac(&salt, name) == digest,
        _ => false,
    }
}

fn hmac(salt: &[u8], name: &str) -> Vec<u8> {
    // HMAC takes a key of any length: there is no error to have.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else { return Vec::new() };
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Matches `*` and `?`, without going back further than the last `*`.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Appends a key, under a lock, so that two runs (or hosts) cannot tear each other's lines.
pub(super) fn append(file: &Path, name: &str, key: &PublicKey, hash: bool) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.exists()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut out = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    out.lock()?;
    let mut line = "";
    if out.seek(SeekFrom::End(0))? > 0 {
        out.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        out.read_exact(&mut last)?;
        if last != *b"\n" {
            line = "\n";
        }
    }
    let text = key.to_openssh().map_err(io::Error::other)?;
    // Without the comment: it is the other side's, or nobody's.
    let mut words = text.split(' ');
    let (kind, blob) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let name = if hash { hash_name(name)? } else { name.to_owned() };
    out.write_all(format!("{line}{name} {kind} {blob}\n").as_bytes())?;
    out.unlock()
}

fn hash_name(name: &str) -> io::Result<String> {
    let mut salt = [0; 20];
    File::open("/dev/urandom")?.read_exact(&mut salt)?;
    Ok(format!("|1|{}|{}", BASE64.encode(&salt), BASE64.encode(&hmac(&salt, name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_openssh() {
        for (names, name, expected) in [
            ("h", "h", true),
            ("H.Example", "h.example", true),
            ("*.example", "h.example", true),
            ("*.example,!h.example", "h.example", false),
            ("!x,h", "h", true),
            ("!x", "h", false),
            ("h?", "h1", true),
            ("h?", "h", false),
            ("[h]:22*", "[h]:2222", true),
            ("h", "[h]:2222", false),
            ("a*b*c*d*e", "aXbXcXdX", false),
            ("**", "x", true),
            ("", "h", false),
        ] {
            assert_eq!(matches(names, name), expected, "{names} against {name}");
        }
    }

    #[test]
    fn hashed_names_match() {
        let field = hash_name("[h.example]:2222").unwrap();
        assert!(matches(&field, "[h.example]:2222"));
        assert!(!matches(&field, "h.example"));
        assert!(!matches("|1|bad", "h"));
        assert!(!matches("|2|AAAA|AAAA", "h"));
    }
}
