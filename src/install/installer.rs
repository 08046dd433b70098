//! Running `openshift-install` on the first host.

use crate::{bringup::Place, command::Command};

/// Folder of the installer, its cache and its files; only root may look inside.
pub(super) fn folder(place: &Place) -> String {
    place.var("installer")
}

/// Folder the installer is run on.
pub(super) fn assets(place: &Place) -> String {
    format!("{}/assets", folder(place))
}

/// Folder of the programs.
pub(super) fn bin(place: &Place) -> String {
    format!("{}/bin", folder(place))
}

/// File with the variables the installer is to find, while it is to find any.
pub(super) fn variables(place: &Place) -> String {
    format!("{}/environment", folder(place))
}

/// Returns the command that runs the installer with `arguments`.
///
/// It is run by systemd with a resolv.conf that names ocp2's own DNS server,
/// or the cluster's names would not resolve on the host; HOME and its cache
/// are in the private folder.
pub(super) fn running(place: &Place, arguments: &[&str]) -> String {
    command(place, None, arguments)
}

/// As [`running`], under a name by which a wait that was left behind can be ended.
///
/// The shell's process id is in it: systemd keeps a name for a moment after its unit has ended.
pub(super) fn waiting(place: &Place, arguments: &[&str]) -> String {
    command(place, Some(&format!("{}$$", place.waits())), arguments)
}

/// Returns source that ends a wait that an earlier run left behind.
pub(super) fn stopping(place: &Place) -> String {
    format!("systemctl stop --quiet '{}*' 2>/dev/null || true", place.waits())
}

fn command(place: &Place, unit: Option<&str>, arguments: &[&str]) -> String {
    let (folder, bin) = (folder(place), bin(place));
    let run = Command::new("systemd-run")
        .args(["--quiet", "--pipe", "--wait", "--collect"])
        .arg(format_args!("--property=BindReadOnlyPaths={}:/etc/resolv.conf", place.etc("resolv.conf")))
        .arg(format_args!("--property=WorkingDirectory={folder}"))
        .arg(format_args!("--property=EnvironmentFile=-{}", variables(place)))
        .arg(format_args!("--setenv=HOME={folder}"))
        .arg(format_args!("--setenv=PATH={bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
        // SELinux lets systemd itself execute nothing below /var/lib, but does let a shell that it runs.
        .args(["/bin/bash", "-c", "exec \"$@\"", "bash"])
        .arg(format_args!("{bin}/openshift-install"))
        .args(arguments);
    // Not quoted: the shell fills in its process id.
    match unit {
        Some(unit) => run.to_string().replacen("systemd-run", &format!("systemd-run --unit={unit}"), 1),
        None => run.to_string(),
    }
}
