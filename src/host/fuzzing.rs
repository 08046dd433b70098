//! Doors for the fuzz targets in `fuzz/`; only a build with `--cfg fuzzing` has them.

use std::path::Path;

use bytes::Bytes;
use russh::keys::PublicKey;

use super::{
    Target, configuration, jump,
    known_hosts::{KnownHosts, Verdict},
    pipe::Lines,
    preamble::Preamble,
    relay, transfer,
};

/// Says what the text of a `known_hosts` file says of a host's key: `known`, `unknown`, `changed` or `revoked`.
#[must_use]
pub fn key_by_known_hosts(text: &str, name: &str, key: &str) -> &'static str {
    let Ok(key) = PublicKey::from_openssh(key) else { return "unknown" };
    let mut known = KnownHosts::default();
    known.take(Path::new("known_hosts"), text, name);
    match known.verdict(&key) {
        _ if known.revoked(&key).is_some() => "revoked",
        Verdict::Known => "known",
        Verdict::Unknown => "unknown",
        Verdict::Changed(_) => "changed",
    }
}

/// Reads what `ssh -G` printed; returns it in words.
#[must_use]
pub fn configuration(text: &str) -> Option<String> {
    let configuration = configuration::parse(text).ok()?;
    Some(format!("{} {} {configuration:?}", configuration.key_name(), configuration.address()))
}

/// Reads a hop of `ProxyJump`.
#[must_use]
pub fn hop(text: &str) -> Option<Target> {
    jump::hop("bm1", text)
}

/// Returns what of a stream is the script's own output, once it has begun.
#[must_use]
pub fn own_output(pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut preamble = Preamble::default();
    let own: Vec<u8> =
        pieces.iter().flat_map(|piece| preamble.take(Bytes::copy_from_slice(piece)).to_vec()).collect();
    let _ = (preamble.uid(), preamble.noise());
    preamble.begun().then_some(own)
}

/// Cuts a stream into lines.
#[must_use]
pub fn lines(pieces: &[&[u8]]) -> Vec<String> {
    let (mut lines, mut all) = (Lines::default(), Vec::new());
    for piece in pieces {
        lines.take(piece, |line| all.push(line.to_owned()));
    }
    lines.finish(|line| all.push(line.to_owned()));
    all
}

/// Reads a size and a hash.
#[must_use]
pub fn size_and_hash(text: &str) -> Option<(u64, Option<String>)> {
    transfer::parse(text)
}

/// Reads what a stop of a relay says; returns it in words.
#[must_use]
pub fn relay_line(line: &str, size: u64) -> String {
    format!("{:?}", relay::Said::read(Some(line), size))
}

/// Tells whether a stop's certificate may be told to others.
#[must_use]
pub fn is_base64(text: &str) -> bool {
    relay::is_base64(text)
}
