//! Words that nobody guesses.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Returns what no user of a host can guess, and no other run has: 32 hexadecimal digits.
pub(super) fn token() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
