//! What was there before ocp2 changed it, kept so that `down` can put it back.

use crate::command::{Script, into_place, quote};

/// Returns source that keeps what `tell` prints as `folder`/`name`, once and whole.
///
/// `folder` is `ROOT/CLUSTER/before/KIND`. Several clusters may change the same thing of a host, even at
/// the same moment: who comes after another one takes over what that one has kept, for what it would find
/// itself is the other's doing.
pub(super) fn keep(folder: &str, name: &str, tell: &str) -> Script {
    let path = format!("{folder}/{name}");
    let (kept, new) = (quote(&path), format!("{path}.ocp2-new"));
    let (cluster, kind) = folder.split_once("/before/").unwrap_or((folder, ""));
    let root = cluster.rsplit_once('/').map_or("/", |(root, _)| root);
    let (root, theirs) = (quote(root), quote(&format!("before/{kind}/{name}")));
    Script::new()
        .line(format_args!("if [ ! -e {kept} ]; then"))
        .line(format_args!("  install -d -m 755 {}", quote(folder)))
        .line(format_args!("  ( exec 5<{root}; flock 5"))
        .line(format_args!("    for other in {root}/*/{theirs}; do [ ! -e \"$other\" ] || break; done"))
        .line(format_args!(
            "    if [ -e \"$other\" ]; then cat \"$other\"; else {tell}; fi > {}",
            quote(&new)
        ))
        .line(format_args!("    {} )", into_place(&new, &path)))
        .line("fi")
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    /// Lets a cluster keep what a setting is and change it, as `up` does.
    fn keeping(root: &std::path::Path, cluster: &str) -> Command {
        let (folder, value) = (format!("{}/{cluster}/before/settings", root.display()), root.join("value"));
        let value = value.display();
        let script = Script::new()
            .line("set -eu -o pipefail")
            .line(keep(&folder, "net.ipv4.ip_forward", &format!("cat {value}; sleep 0.3")).source())
            .line(format_args!("echo 1 > {value}"));
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(script.source());
        bash
    }

    #[test]
    fn of_two_clusters_at_once_both_keep_what_was_there_before_either() {
        for _ in 0..3 {
            let root = tempfile::tempdir().unwrap();
            fs::write(root.path().join("value"), "0\n").unwrap();
            let both = ["one", "two"].map(|cluster| keeping(root.path(), cluster).spawn().unwrap());
            for mut cluster in both {
                assert!(cluster.wait().unwrap().success());
            }
            assert!(keeping(root.path(), "late").status().unwrap().success());
            for cluster in ["one", "two", "late"] {
                let folder = root.path().join(cluster).join("before/settings");
                assert_eq!(
                    fs::read_to_string(folder.join("net.ipv4.ip_forward")).unwrap(),
                    "0\n",
                    "{cluster}"
                );
                assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
            }
        }
    }

    #[test]
    fn what_was_kept_once_stays() {
        let root = tempfile::tempdir().unwrap();
        let value = root.path().join("value");
        fs::write(&value, "0\n").unwrap();
        assert!(keeping(root.path(), "one").status().unwrap().success());
        fs::write(&value, "2\n").unwrap();
        assert!(keeping(root.path(), "one").status().unwrap().success());
        let kept = root.path().join("one/before/settings/net.ipv4.ip_forward");
        assert_eq!(fs::read_to_string(kept).unwrap(), "0\n");
    }
}
