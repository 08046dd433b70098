//! The release on the mirror: a stand-in, in the real mirror's own layout.

use std::path::{Path, PathBuf};

use super::{LabError, place::Home, recipe::Recipe};

/// Path of the mirror's root on its web server.
pub const PATH: &str = "pub/openshift-v4";

/// The stand-in's version, and the channel that has it.
const VERSION: &str = "4.18.30";
const CHANNEL: &str = "stable-4.18";

/// Names each source and embeds it.
macro_rules! embed {
    ($($path:literal => $name:literal),* $(,)?) => {
        vec![$(($name, include_bytes!($path).as_slice())),*]
    };
}

/// Builds what the mirror serves: the boot images and the client archives.
pub(super) fn build(home: &Home, full: &Path, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, LabError> {
    Recipe {
        kind: "release",
        files: sources(),
        arguments: vec![VERSION.into(), CHANNEL.into()],
        root: Some(full.to_owned()),
    }
    .build(home, progress)
}

/// Puts the key that the release is signed with beside the lab's other files, for inventories to name.
pub(super) fn key(home: &Home, release: &Path) -> Result<(), LabError> {
    let (from, to) = (release.join("mirror-key.asc"), home.file("mirror-key.asc"));
    std::fs::copy(from, &to).map(drop).map_err(LabError::file("write", &to))
}

fn sources() -> Vec<(&'static str, &'static [u8])> {
    embed! {
        "release/build.sh" => "build.sh",
        "release/README.md" => "README.md",
        "release/client/__main__.py" => "client/__main__.py",
        "release/installer/__main__.py" => "installer/__main__.py",
        "release/installer/agent_config.py" => "installer/agent_config.py",
        "release/installer/base_image.py" => "installer/base_image.py",
        "release/installer/faults.py" => "installer/faults.py",
        "release/installer/image.py" => "installer/image.py",
        "release/installer/install_config.py" => "installer/install_config.py",
        "release/installer/log.py" => "installer/log.py",
        "release/installer/pki.py" => "installer/pki.py",
        "release/installer/problems.py" => "installer/problems.py",
        "release/installer/upi.py" => "installer/upi.py",
        "release/installer/upi_waiting.py" => "installer/upi_waiting.py",
        "release/installer/waiting.py" => "installer/waiting.py",
        "guest/build.sh" => "guest/build.sh",
        "guest/closure.py" => "guest/closure.py",
        "guest/init.sh" => "guest/init.sh",
        "guest/isolinux.cfg" => "guest/isolinux.cfg",
        "guest/regions.py" => "guest/regions.py",
        "guest/udhcpc.sh" => "guest/udhcpc.sh",
        "guest/standin/__init__.py" => "guest/standin/__init__.py",
        "guest/standin/__main__.py" => "guest/standin/__main__.py",
        "guest/standin/agent.py" => "guest/standin/agent.py",
        "guest/standin/assisted.py" => "guest/standin/assisted.py",
        "guest/standin/checks.py" => "guest/standin/checks.py",
        "guest/standin/connection.py" => "guest/standin/connection.py",
        "guest/standin/faults.py" => "guest/standin/faults.py",
        "guest/standin/hook.py" => "guest/standin/hook.py",
        "guest/standin/ignition.py" => "guest/standin/ignition.py",
        "guest/standin/join.py" => "guest/standin/join.py",
        "guest/standin/kube/__init__.py" => "guest/standin/kube/__init__.py",
        "guest/standin/kube/csrs.py" => "guest/standin/kube/csrs.py",
        "guest/standin/kube/nodes.py" => "guest/standin/kube/nodes.py",
        "guest/standin/kube/operators.py" => "guest/standin/kube/operators.py",
        "guest/standin/kube/registration.py" => "guest/standin/kube/registration.py",
        "guest/standin/machine.py" => "guest/standin/machine.py",
        "guest/standin/medium.py" => "guest/standin/medium.py",
        "guest/standin/network.py" => "guest/standin/network.py",
        "guest/standin/peers.py" => "guest/standin/peers.py",
        "guest/standin/ping.py" => "guest/standin/ping.py",
        "guest/standin/ports.py" => "guest/standin/ports.py",
        "guest/standin/power.py" => "guest/standin/power.py",
        "guest/standin/resolver.py" => "guest/standin/resolver.py",
        "guest/standin/tls.py" => "guest/standin/tls.py",
        "guest/standin/upi.py" => "guest/standin/upi.py",
        "guest/standin/web.py" => "guest/standin/web.py",
    }
}
