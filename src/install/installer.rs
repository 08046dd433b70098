//! Getting and running `openshift-install` on the first host.

use crate::{
    bringup::Place,
    cluster::Cluster,
    command::{Command, Script, quote},
};

/// Folder of the installer, its cache and its files; only root may look inside.
pub(super) fn folder(place: &Place) -> String {
    place.var("installer")
}

/// Folder the installer is run on.
pub(super) fn assets(place: &Place) -> String {
    format!("{}/assets", folder(place))
}

/// Returns source that gets installer and client of the cluster's version, unless they are there.
///
/// What is downloaded is checked against the mirror's own sha256sum.txt before
/// it is unpacked; a download that was cut off is carried on.
pub(super) fn getting(cluster: &Cluster, place: &Place) -> Script {
    let bin = bin(cluster, place);
    let url = format!("{}/x86_64/clients/ocp/{}", cluster.install.mirror, cluster.version);
    Script::new()
        .line(format_args!("bin={} url={}", quote(&bin), quote(&url)))
        .line("if [ -x $bin/openshift-install ]; then exit 0; fi")
        .line(format_args!("install -d -m 700 {} \"$bin\"; cd \"$bin\"", quote(&folder(place))))
        .line("fetch() { curl -fsSL --retry 3 --connect-timeout 15 \"$@\"; }")
        .line("fetch -o sha256sum.txt \"$url/sha256sum.txt\"")
        .line("get() {")
        .line("  line=$(grep -E \"  $1(-[0-9][^ ]*)?\\.tar\\.gz$\" sha256sum.txt | head -n1) || return 1")
        .line("  [ -n \"$line\" ] || return 1")
        .line("  file=${line##* }")
        .line("  fetch -C - -o \"$file\" \"$url/$file\" || { rm -f \"$file\"; fetch -o \"$file\" \"$url/$file\"; }")
        .line("  echo \"$line\" | sha256sum -c --quiet || { rm -f \"$file\"; echo \"the checksum of $url/$file is wrong\"; exit 1; }")
        .line("}")
        .line("get openshift-client-linux && { tar -xzf \"$file\" oc; rm -f \"$file\"; } || true")
        .line("get openshift-install-linux || { echo \"$url/sha256sum.txt names no openshift-install-linux\"; exit 1; }")
        .line("tar -xzf \"$file\" openshift-install; rm -f \"$file\"")
}

fn bin(cluster: &Cluster, place: &Place) -> String {
    format!("{}/{}", folder(place), cluster.version)
}

/// Returns the command that runs the installer with `arguments`.
///
/// It is run by systemd with a resolv.conf that names ocp2's own DNS server,
/// or the cluster's names would not resolve on the host; HOME and its cache
/// are in the private folder.
pub(super) fn running(cluster: &Cluster, place: &Place, arguments: &[&str]) -> String {
    command(cluster, place, None, arguments)
}

/// As [`running`], under a name by which a wait that was left behind can be ended.
///
/// The shell's process id is in it: systemd keeps a name for a moment after its unit has ended.
pub(super) fn waiting(cluster: &Cluster, place: &Place, arguments: &[&str]) -> String {
    command(cluster, place, Some(&format!("{}$$", place.waits())), arguments)
}

/// Returns source that ends a wait that an earlier run left behind.
pub(super) fn stopping(place: &Place) -> String {
    format!("systemctl stop --quiet '{}*' 2>/dev/null || true", place.waits())
}

fn command(cluster: &Cluster, place: &Place, unit: Option<&str>, arguments: &[&str]) -> String {
    let (folder, bin) = (folder(place), bin(cluster, place));
    let run = Command::new("systemd-run")
        .args(["--quiet", "--pipe", "--wait", "--collect"])
        .arg(format_args!("--property=BindReadOnlyPaths={}:/etc/resolv.conf", place.etc("resolv.conf")))
        .arg(format_args!("--property=WorkingDirectory={folder}"))
        .arg(format_args!("--setenv=HOME={folder}"))
        .arg(format_args!("--setenv=PATH={bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
        .arg(format_args!("{bin}/openshift-install"))
        .args(arguments);
    // Not quoted: the shell fills in its process id.
    match unit {
        Some(unit) => run.to_string().replacen("systemd-run", &format!("systemd-run --unit={unit}"), 1),
        None => run.to_string(),
    }
}
