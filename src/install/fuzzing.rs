//! Doors for the fuzz targets in `fuzz/`; only a build with `--cfg fuzzing` has them.

use super::{gather, pem, upi, wait};

/// Cuts what a host has collected into files; returns their names and sizes.
#[must_use]
pub fn gathered(output: &[u8]) -> Vec<(String, usize)> {
    gather::files(output).into_iter().map(|(name, text)| (name, text.len())).collect()
}

/// Reads certificates, and returns them as they are written again.
///
/// # Errors
/// Says what else there is.
pub fn certificates(text: &str) -> Result<String, String> {
    pem::certificates(text).map(|all| pem::of_certificates(&all))
}

/// Reads a private key, and returns it as it is written again.
///
/// # Errors
/// Says what else there is.
pub fn private_key(text: &str) -> Result<String, String> {
    pem::private_key(text).map(|key| key.expose().to_owned())
}

/// Reads a release's stream of images; returns where the disk image is.
#[must_use]
pub fn image_of_stream(text: &str) -> Option<String> {
    upi::image_of_stream(text)
}

/// Returns the message in a line of the installer's log.
#[must_use]
pub fn log_message(line: &str) -> String {
    wait::message(line)
}
