//! A file of the first host's goes to the others, from host to host inside the overlay.

use crate::{
    bringup::{Place, RELAY_PORT},
    cluster::Cluster,
    engine::{Event, Fleet},
    host::{self, Digest, Parcel, Stop, relay},
    install::Error,
};

/// Brings the file at `path` to the same place on `hosts`; `what` is what the user calls it.
///
/// # Errors
/// Returns [`Error::Artefact`] where the first host's own file is not what it was, and those of [`relay`].
pub(super) async fn spread(
    fleet: &Fleet,
    cluster: &Cluster,
    (path, mode, what): (&str, &str, &str),
    digest: &Digest,
    hosts: &[usize],
) -> Result<(), Error> {
    let unit = Place::of(cluster).relay();
    let parcel = Parcel { path, mode, digest, unit: &unit, port: RELAY_PORT };
    let stop =
        |host: usize| Stop { session: &fleet.members()[host].session, address: cluster.hosts[host].address };
    let stops: Vec<Stop<'_>> = [0].iter().chain(hosts).map(|&host| stop(host)).collect();
    let sink = fleet.sink();
    let told = relay(&parcel, &stops, |at, done| {
        let (host, what) = (stops[at].session.name().to_owned(), what.to_owned());
        sink(Event::Transfer { host, what, done, total: Some(digest.size) });
    });
    match told.await {
        Err(error @ host::Error::Corrupt { .. }) => Err(blamed(&stops[0], &parcel, error).await),
        other => Ok(other?),
    }
}

/// Finds out whether what arrived wrong was wrong from the beginning.
async fn blamed(first: &Stop<'_>, parcel: &Parcel<'_>, error: host::Error) -> Error {
    match first.session.digest(parcel.path).await {
        Ok(there) if there != *parcel.digest => Error::Artefact {
            host: first.session.name().to_owned(),
            path: parcel.path.to_owned(),
            reason: format!(
                "its checksum is {}, but it was {} when it was made; delete it there, and `ocp2 up` makes it again",
                there.sha256, parcel.digest.sha256
            ),
        },
        _ => error.into(),
    }
}
