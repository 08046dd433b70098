//! The release on the mirror: a stand-in, in the real mirror's own layout.

use std::path::{Path, PathBuf};

use super::{LabError, place::Home, recipe::Recipe};

/// Path of the mirror's root on its web server.
pub const PATH: &str = "pub/openshift-v4";

/// The stand-in's version, and the channel that has it.
const VERSION: &str = "4.18.30";
const CHANNEL: &str = "stable-4.18";

/// Builds what the mirror serves: the boot image and the client archives.
pub(super) fn build(home: &Home, full: &Path, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, LabError> {
    let kernel = full.join("kernel.deb");
    let _ = kernel;
    Recipe {
        kind: "release",
        files: vec![("build.sh", include_bytes!("release/build.sh"))],
        arguments: vec![VERSION.into(), CHANNEL.into()],
        root: Some(full.join("rootfs")),
    }
    .build(home, progress)
}
