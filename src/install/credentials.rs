//! The way into the finished cluster, on the workstation.

use std::path::Path;

use crate::{
    bringup::Place,
    cluster::Cluster,
    engine::Fleet,
    install::{Error, api, first_host, installer},
};

/// Files that open the cluster, on the workstation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// kubeconfig that works without the cluster's names being in any DNS.
    pub kubeconfig: std::path::PathBuf,
    /// File with the password of `kubeadmin`.
    pub password: std::path::PathBuf,
}

/// Largest file with a password, bytes: the installer's has 23 characters.
const LIMIT: usize = 128;

/// Fetches the password, and what makes a kubeconfig, into `folder`, readable by the user alone.
///
/// # Errors
/// Returns an error where they cannot be read, are not what the installer writes, or cannot be written.
pub async fn fetch(fleet: &Fleet, cluster: &Cluster, folder: &Path) -> Result<Credentials, Error> {
    let (_, administrator) = api::administrator(fleet, cluster).await?;
    let path = format!("{}/auth/kubeadmin-password", installer::assets(&Place::of(cluster)));
    let session = first_host::session(fleet, cluster, &path)?;
    let password = session.read(&path, LIMIT).await?;
    // It is one word that a terminal will be shown.
    if !password.trim_ascii_end().iter().all(u8::is_ascii_graphic) {
        let reason = "this is not the password that the installer has written: it is more than one word";
        return Err(Error::Artefact { host: session.name().to_owned(), path, reason: reason.to_owned() });
    }
    let credentials =
        Credentials { kubeconfig: folder.join("kubeconfig"), password: folder.join("kubeadmin-password") };
    private_folder(folder)?;
    write_private(&credentials.kubeconfig, administrator.kubeconfig(cluster).expose().as_bytes())?;
    write_private(&credentials.password, &password)?;
    Ok(credentials)
}

/// Makes a folder that only its owner can look into; one that is there stays as it is.
pub(super) fn private_folder(folder: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    let local = |source| Error::Local { path: folder.display().to_string(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(local)
}

/// Writes a file that only its owner can read, whole or not at all, and on the disk for good.
///
/// # Errors
/// Returns an error where the workstation refuses it.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let local = |source| Error::Local { path: path.display().to_string(), source };
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    let _ = std::fs::remove_file(new);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(new).map_err(local)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(local)?;
    std::fs::rename(new, path).map_err(local)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(local)
}
