//! What relative paths and `~` start from.

use std::path::{Path, PathBuf};

use super::{Inventory, Span, problem::Problem};

/// The inventory's folder, and the user's home.
pub(super) struct Anchor<'a> {
    pub folder: &'a Path,
    pub home: Option<&'a Path>,
}

impl Anchor<'_> {
    /// Makes every path of this machine one that holds from anywhere.
    pub(super) fn resolve(&self, inventory: &mut Inventory, problems: &mut Vec<Problem>) {
        let cluster = &mut inventory.cluster;
        let paths = [
            ("cluster.pullSecretFile", &mut cluster.pull_secret_file),
            ("cluster.sshKeyFile", &mut cluster.ssh_key_file),
            ("install.installer", &mut inventory.install.installer),
            ("install.oc", &mut inventory.install.oc),
            ("install.mirrorKeyFile", &mut inventory.install.mirror_key_file),
            ("install.additionalTrustBundleFile", &mut inventory.install.additional_trust_bundle_file),
        ];
        for (field, path) in paths {
            if let Some(path) = path {
                let at = path.at;
                self.path(&mut path.value, field, at, problems);
            }
        }
        let install = &mut inventory.install;
        let images =
            [("install.iso", &mut install.iso), ("install.clusterOSImage", &mut install.cluster_os_image)];
        for (field, image) in images {
            if let Some(image) = image
                && !image.contains("://")
            {
                let mut path = PathBuf::from(&image.value);
                self.path(&mut path, field, image.at, problems);
                image.value = path.to_string_lossy().into_owned();
            }
        }
        for (index, host) in inventory.hosts.iter_mut().enumerate() {
            let at = host.ssh.at;
            let ssh = &mut host.ssh.value;
            let paths =
                [("identityFile", &mut ssh.identity_file), ("knownHostsFile", &mut ssh.known_hosts_file)];
            for (name, path) in paths {
                if let Some(path) = path {
                    self.path(path, &format!("hosts[{index}].ssh.{name}"), at, problems);
                }
            }
        }
    }

    fn path(&self, path: &mut PathBuf, field: &str, at: Option<Span>, problems: &mut Vec<Problem>) {
        let Ok(rest) = path.strip_prefix("~") else {
            *path = self.folder.join(&path);
            return;
        };
        match self.home {
            Some(home) => *path = home.join(rest),
            None => problems.push(
                Problem::new(field, at, "`~` stands for nothing here: there is no home folder")
                    .help("write the whole path"),
            ),
        }
    }
}
