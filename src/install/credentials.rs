//! The way into the finished cluster, on the workstation.

use std::{net::SocketAddr, path::Path};

use crate::{
    bringup::Place,
    cluster::{Cluster, Host},
    engine::Fleet,
    install::{Error, installer},
};

/// Files that open the cluster, on the workstation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// kubeconfig that works without the cluster's names being in any DNS.
    pub kubeconfig: std::path::PathBuf,
    /// File with the password of `kubeadmin`.
    pub password: std::path::PathBuf,
}

/// Largest kubeconfig there is, with room to spare, bytes.
const LIMIT: usize = 1 << 20;

/// Fetches kubeconfig and password into `folder`, readable by the user alone.
///
/// # Errors
/// Returns an error where they cannot be read, understood or written.
pub async fn fetch(fleet: &Fleet, cluster: &Cluster, folder: &Path) -> Result<Credentials, Error> {
    let session = &fleet.members()[0].session;
    let auth = format!("{}/auth", installer::assets(&Place::of(cluster)));
    let kubeconfig = session.read(&format!("{auth}/kubeconfig"), LIMIT).await?;
    let password = session.read(&format!("{auth}/kubeadmin-password"), LIMIT).await?;
    let kubeconfig = String::from_utf8_lossy(&kubeconfig);
    let rewritten = reachable(cluster, &kubeconfig).ok_or_else(|| Error::Artefact {
        host: session.name().to_owned(),
        path: format!("{auth}/kubeconfig"),
        reason: format!("it names no server https://api.{}:6443", cluster.domain()),
    })?;
    let credentials =
        Credentials { kubeconfig: folder.join("kubeconfig"), password: folder.join("kubeadmin-password") };
    private_folder(folder)?;
    write_private(&credentials.kubeconfig, rewritten.as_bytes())?;
    write_private(&credentials.password, &password)?;
    Ok(credentials)
}

/// Points a kubeconfig at a host's public address, with the name the certificate has.
fn reachable(cluster: &Cluster, kubeconfig: &str) -> Option<String> {
    let name = format!("api.{}", cluster.domain());
    let server = format!("server: https://{name}:6443");
    if !kubeconfig.contains(&server) {
        return None;
    }
    let Some(public) = cluster.hosts.iter().find_map(Host::published) else {
        return Some(kubeconfig.to_owned());
    };
    let address = SocketAddr::new(public, 6443);
    let lines = kubeconfig.lines().map(|line| match line.find(&server) {
        Some(at) => {
            // `- server:` begins a list item; what belongs to it is indented like the key.
            let indent: String = line[..at].chars().map(|_| ' ').collect();
            format!("{}server: https://{address}\n{indent}tls-server-name: {name}\n", &line[..at])
        }
        None => format!("{line}\n"),
    });
    Some(lines.collect())
}

fn private_folder(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    let local = |source| Error::Local { path: folder.display().to_string(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(local)
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let local = |source| Error::Local { path: path.display().to_string(), source };
    let new = path.with_extension("new");
    let _ = std::fs::remove_file(&new);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(local)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(local)?;
    std::fs::rename(&new, path).map_err(local)
}
