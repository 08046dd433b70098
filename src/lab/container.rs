//! A host: a systemd container on its own overlay of the shared root.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use super::{
    LabError, group,
    identity::Identity,
    network,
    place::{Home, Host, SECOND_SSH_PORT, WORKSTATION, Wiring, namespace, text},
    process,
    program::{program, run, start, tail},
};

/// How long a host may take to boot, and how much longer for each that boots beside it.
const BOOT: Duration = Duration::from_secs(60);
const BOOT_BESIDE: Duration = Duration::from_secs(8);

/// What a host is made from.
#[derive(Debug, Clone)]
pub(super) struct Foundation {
    /// The shared root file system.
    pub root: PathBuf,
    /// A folder of packages the host may install from; shown as /opt/packages.
    pub packages: Option<PathBuf>,
    /// Its network cards.
    pub wiring: Wiring,
}

/// How many inotify instances a host takes, counted on Debian 12: systemd five, logind, D-Bus and the
/// console's getty one each.
const INSTANCES: usize = 8;

/// Demands that the machine lets the systemd of so many hosts watch files, besides its own.
///
/// inotify(7) counts instances by user, and root of a container is root.
pub(super) fn check_room(hosts: usize) -> Result<(), LabError> {
    let allowed = fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap_or_default();
    let needed = hosts * INSTANCES;
    match allowed.trim().parse() {
        Ok(allowed) if allowed < needed => Err(LabError::TooFewInstances { hosts, needed, allowed }),
        _ => Ok(()),
    }
}

/// Returns the name under which a host's container runs.
pub(super) fn machine(host: &Host) -> String {
    namespace(&host.name)
}

/// Makes a host's disk: an overlay with its own name, keys and resolver.
pub(super) fn install(
    home: &Home,
    host: &Host,
    all: &[Host],
    foundation: &Foundation,
    identity: &Identity,
) -> Result<(), LabError> {
    let dir = home.host(host);
    for part in ["upper", "work", "root"] {
        let path = dir.join(part);
        fs::create_dir_all(&path).map_err(LabError::file("write", path))?;
    }
    let root = dir.join("root");
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        text(&foundation.root),
        text(&dir.join("upper")),
        text(&dir.join("work"))
    );
    if !is_mount_point(&root) {
        run(&["mount", "-t", "overlay", &machine(host), "-o", &layers, &text(&root)])?;
    }
    for (file, content) in [
        ("etc/hostname", format!("{}\n", host.name)),
        ("etc/hosts", network::hosts_file(&host.name, all)),
        ("etc/resolv.conf", network::resolv_conf()),
        ("etc/machine-id", format!("{}\n", identity.machine_id(host))),
        ("etc/ssh/sshd_config.d/ports.conf", format!("Port 22\nPort {SECOND_SSH_PORT}\n")),
    ] {
        // The base system's file may be a link that leads out of this root.
        let path = root.join(file);
        let _ = fs::remove_file(&path);
        write(&path, content.as_bytes(), 0o644)?;
    }
    for (file, content, mode) in identity.host_keys(host)? {
        write(&root.join("etc/ssh").join(file), &content, mode)?;
    }
    for (home, owner) in [("root", 0), ("home/ops", 1000), ("home/nosudo", 1001)] {
        let ssh = root.join(home).join(".ssh");
        fs::create_dir_all(&ssh).map_err(LabError::file("write", &ssh))?;
        let keys = ssh.join("authorized_keys");
        write(&keys, identity.public_key.as_bytes(), 0o600)?;
        set_mode(&ssh, 0o700)?;
        for path in [&ssh, &keys] {
            chown(path, Some(owner), Some(owner)).map_err(LabError::file("write", path))?;
        }
    }
    Ok(())
}

/// Switches a host on: its network card, then its system; returns the process that is the machine.
pub(super) fn power_on(home: &Home, host: &Host, foundation: &Foundation) -> Result<Child, LabError> {
    network::host(host, foundation.wiring)?;
    let log = console(home, host);
    let mut words: Vec<String> = vec!["setsid".into()];
    if Path::new("/run/systemd/system").is_dir() {
        // Where systemd runs the machine, the container gets a control group that is its own to divide.
        words.extend(
            ["systemd-run", "--quiet", "--collect", "--scope", "--property=Delegate=yes"].map(Into::into),
        );
        words.push(format!("--unit={}", machine(host)));
    } else {
        words.extend(group::entering(&machine(host)));
    }
    words.push("systemd-nspawn".into());
    words.extend([
        format!("--directory={}", text(&home.host(host).join("root"))),
        format!("--machine={}", machine(host)),
        format!("--hostname={}", host.name),
        format!("--network-namespace-path=/run/netns/{}", host.namespace()),
    ]);
    words.extend(
        [
            "--register=no",
            "--keep-unit",
            "--boot",
            "--capability=all",
            "--rlimit=NOFILE=1024:524288",
            "--bind=/dev/net/tun",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            "--console=read-only",
        ]
        .map(Into::into),
    );
    if let Some(packages) = &foundation.packages {
        words.push(format!("--bind-ro={}:/opt/packages", text(packages)));
    }
    // The rest goes to the host's own init: its log is what a failed boot leaves.
    words.extend(["--", "--show-status=yes"].map(Into::into));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // Without this the container sees /proc/sys/net read-only, and no host can be a router.
    start(program(&words).env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network"), &log)
}

/// Tells whether a host is on.
pub(super) fn is_on(host: &Host) -> bool {
    process::init(&machine(host)).is_some()
}

/// Waits until the sshd of a host answers with its key; `at_once` hosts share the machine's cores for it.
pub(super) fn await_ready(
    home: &Home,
    host: &Host,
    mut booting: Option<Child>,
    at_once: usize,
) -> Result<(), LabError> {
    let patience = BOOT + BOOT_BESIDE * u32::try_from(at_once).unwrap_or(u32::MAX);
    let address = host.address.to_string();
    let scan = format!("ssh-keyscan -T 2 -t ed25519 {address} 2>/dev/null | grep -q .");
    let words = ["ip", "netns", "exec", &namespace(WORKSTATION), "sh", "-c", &scan];
    let (what, log) = (format!("the answer of {}'s sshd", host.name), console(home, host));
    let mut dead = false;
    process::wait_for(&what, patience, &log, || {
        dead = booting.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
        dead || run(&words).is_ok()
    })?;
    if dead {
        return Err(LabError::Boot { host: host.name.clone(), tail: tail(&log), log });
    }
    Ok(())
}

/// Switches a host off: orderly, as `poweroff` does, or by pulling the plug.
pub(super) fn power_off(home: &Home, host: &Host, pull_plug: bool) -> Result<(), LabError> {
    let name = machine(host);
    if pull_plug {
        // Its init, not nspawn: the process namespace goes with its first process,
        // while nspawn's end would leave the guests running, unseen.
        let pid = process::init(&name).or_else(|| process::nspawn(&name));
        process::signal("KILL", &pid.into_iter().collect::<Vec<_>>());
    } else if let Some(pid) = process::nspawn(&name) {
        process::signal("TERM", &[pid]);
    }
    let what = format!("the end of {}", host.name);
    process::wait_for(&what, Duration::from_secs(180), &console(home, host), || {
        process::nspawn(&name).is_none() && process::within(&host.namespace()).is_empty()
    })
}

/// Returns the log of a host's console.
pub(super) fn console(home: &Home, host: &Host) -> PathBuf {
    home.host(host).join("console.log")
}

/// Tells whether something is mounted on a folder.
pub(super) fn is_mount_point(path: &Path) -> bool {
    let wanted = text(path);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(&wanted))
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), LabError> {
    fs::write(path, content).map_err(LabError::file("write", path))?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), LabError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(LabError::file("write", path))
}
