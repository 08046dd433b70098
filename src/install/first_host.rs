//! What is done on the first host alone, which has the installer.

use crate::{
    cluster::Cluster,
    engine::{Event, Fleet, Sink},
    host::{Digest, Session},
    install::Error,
    resource::Change,
};

/// The boot image holds the pull secret: nobody but root, and QEMU by libvirt's leave, reads it.
pub(super) const MODE: &str = "0600";

/// Returns its session: where others than it are connected, it is not the first of them.
///
/// # Errors
/// Returns [`Error::Artefact`] where it could not be reached, for `path` is there alone.
pub(super) fn session<'a>(fleet: &'a Fleet, cluster: &Cluster, path: &str) -> Result<&'a Session, Error> {
    let first = cluster.hosts.first().map_or("", |host| host.name.as_str());
    let member = fleet.members().iter().find(|member| member.session.name() == first);
    member.map(|member| &member.session).ok_or_else(|| Error::Artefact {
        host: first.to_owned(),
        path: path.to_owned(),
        reason: "it is on this host alone, which could not be reached".to_owned(),
    })
}

/// Carries out changes there.
pub(super) async fn apply_on(fleet: &mut Fleet, changes: Vec<Change>) -> Result<(), Error> {
    let mut all = vec![Vec::new(); fleet.members().len()];
    all[0] = changes;
    Ok(fleet.apply(all).await?)
}

/// Sends a file of the workstation's into the pool's folder on the first host.
pub(super) async fn upload(fleet: &Fleet, path: &str, to: &str) -> Result<Digest, Error> {
    let (session, sink) = (&fleet.members()[0].session, fleet.sink());
    let local = |source| Error::Local { path: path.into(), source };
    let file = tokio::fs::File::open(path).await.map_err(local)?;
    let total = file.metadata().await.map_err(local)?.len();
    Ok(session.upload(file, total, to, MODE, transfer(sink, session, total)).await?)
}

/// Returns what tells of the boot image's way to a host.
fn transfer<'a>(sink: &'a Sink, to: &'a Session, total: u64) -> impl FnMut(u64) + Send + 'a {
    move |done| {
        let (host, what) = (to.name().to_owned(), "boot image".to_owned());
        sink(Event::Transfer { host, what, done, total: Some(total) });
    }
}
