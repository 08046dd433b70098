//! Processes of the lab, found by what the kernel says of them rather than by pid files.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use super::{LabError, program::run};

/// Returns the systemd-nspawn that runs a machine.
pub(super) fn nspawn(machine: &str) -> Option<u32> {
    let mine = format!("--machine={machine}");
    pids().find(|&pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|&byte| byte == 0);
        words.next().is_some_and(|word| word.ends_with(b"systemd-nspawn"))
            && words.any(|word| word == mine.as_bytes())
    })
}

/// Returns a machine's own init, as the outside sees it.
pub(super) fn init(machine: &str) -> Option<u32> {
    let parent = nspawn(machine)?;
    pids().find(|&pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        field("PPid:").trim() == parent.to_string()
            && field("NSpid:").split_whitespace().count() > 1
            && field("NSpid:").split_whitespace().last() == Some("1")
    })
}

/// Returns all processes in a network namespace, none if there is no such namespace.
pub(super) fn within(namespace: &str) -> Vec<u32> {
    if !exists(namespace) {
        return Vec::new();
    }
    let listed = run(&["ip", "netns", "pids", namespace]).unwrap_or_default();
    listed.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Tells whether a network namespace is there.
pub(super) fn exists(namespace: &str) -> bool {
    Path::new("/run/netns").join(namespace).exists()
}

/// Tells whether this very process is in a network namespace.
pub(super) fn is_inside(namespace: &str) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = |path: &str| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let theirs = inode(&format!("/run/netns/{namespace}"));
    theirs.is_some() && theirs == inode("/proc/self/ns/net")
}

/// Sends a signal; a process that is gone by now is as good as one that got it.
pub(super) fn signal(name: &str, pids: &[u32]) {
    for pid in pids {
        // The shell's own `kill`: a minimal machine has no other.
        let _ = run(&["sh", "-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()]);
    }
}

/// Asks `done` ten times a second until it says yes.
pub(super) fn wait_for(
    what: &str,
    limit: Duration,
    log: &Path,
    mut done: impl FnMut() -> bool,
) -> Result<(), LabError> {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            return Err(LabError::Timeout {
                what: what.to_owned(),
                seconds: limit.as_secs(),
                log: log.to_owned(),
            });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}
