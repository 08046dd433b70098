//! A host's control group, on a machine that systemd does not run.
//!
//! There nspawn would put all containers into one group, and the hosts' systemds would empty and
//! remove each other's: units of one host then fail at the moment the other's of that name ends.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::place::text;

/// Where systemd's groups may be: the one hierarchy of version 2, or beside version 1 its own one and
/// version 2 as a second.
const ROOTS: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"];

fn folders(machine: &str) -> impl Iterator<Item = PathBuf> {
    let roots = ROOTS.into_iter().map(Path::new).filter(|root| root.join("cgroup.procs").exists());
    roots.map(move |root| root.join("ocp2-lab").join(machine))
}

/// Returns the words that enter a machine's own group and then become the command after them.
pub(super) fn entering(machine: &str) -> Vec<String> {
    let enter = "while [ \"$1\" != -- ]; do mkdir -p \"$1\" && echo $$ > \"$1/cgroup.procs\" || exit 1; shift; done; \
                 shift; exec \"$@\"";
    let words = ["sh", "-c", enter, "sh"].map(String::from).into_iter();
    words.chain(folders(machine).map(|folder| text(&folder))).chain(["--".into()]).collect()
}

/// Removes what a machine that has ended leaves of its groups.
pub(super) fn remove(machine: &str) {
    folders(machine).for_each(|folder| empty(&folder));
}

fn empty(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).for_each(|path| empty(&path));
    // A group that somebody is still in stays; it does no harm, and goes with the next lab.
    let _ = fs::remove_dir(folder);
}
