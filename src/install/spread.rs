//! The boot image's way to the hosts: up once, and from host to host inside the overlay.

use std::os::unix::fs::MetadataExt as _;

use crate::{
    bringup::{ImageRecord, Place, RELAY_PORT, image_path},
    cluster::Cluster,
    engine::{Event, Fleet},
    host::{self, Digest, Parcel, Stop, Uploaded, relay, relay_upload},
    install::{Error, first_host::MODE},
};

/// What of a digest is enough to tell it from others.
const TAG: usize = 12;

/// Brings the first host's image, which is as `record` says, to `hosts`.
///
/// # Errors
/// Returns [`Error::Artefact`] where the first host's own file is not what it was, and those of [`relay`].
pub(super) async fn spread(
    fleet: &Fleet,
    cluster: &Cluster,
    record: &ImageRecord,
    hosts: &[usize],
) -> Result<(), Error> {
    let ImageRecord { sha256, size, inputs, .. } = record;
    // What one that was just going up has left on a host is known by its inputs.
    let tag = if cluster.install.method.own_iso().is_some() { inputs } else { sha256 };
    let (path, unit) = (image_path(cluster), Place::of(cluster).relay());
    let parcel = parcel(&path, *size, tag, &unit);
    let stops = stops(fleet, cluster, hosts);
    match relay(&parcel, sha256, &stops, progress(fleet, &stops, *size)).await {
        Err(error @ host::Error::Corrupt { .. }) => Err(blamed(&stops[0], &path, record, error).await),
        other => Ok(other?),
    }
}

/// Sends the workstation's file at `iso` up to the first host, which gives it on to `hosts` meanwhile;
/// `inputs` is what it is known by.
///
/// # Errors
/// As [`relay_upload`], and where the file cannot be read.
pub(super) async fn send(
    fleet: &Fleet,
    cluster: &Cluster,
    iso: &str,
    inputs: &str,
    hosts: &[usize],
) -> Result<Uploaded, Error> {
    let local = |source| Error::Local { path: iso.into(), source };
    let file = tokio::fs::File::open(iso).await.map_err(local)?;
    let seen = file.metadata().await.map_err(local)?;
    let (path, unit) = (image_path(cluster), Place::of(cluster).relay());
    let parcel = parcel(&path, seen.len(), inputs, &unit);
    let stops = stops(fleet, cluster, hosts);
    // Blocks of 512 bytes, whatever the file system's are (stat(2)).
    let holes = seen.blocks() * 512 < seen.len();
    Ok(relay_upload(&parcel, file, holes, &stops, progress(fleet, &stops, seen.len())).await?)
}

fn parcel<'a>(path: &'a str, size: u64, tag: &'a str, unit: &'a str) -> Parcel<'a> {
    Parcel { path, mode: MODE, size, tag: &tag[..tag.len().min(TAG)], unit, port: RELAY_PORT }
}

fn stops<'a>(fleet: &'a Fleet, cluster: &Cluster, hosts: &[usize]) -> Vec<Stop<'a>> {
    let stop =
        |host: usize| Stop { session: &fleet.members()[host].session, address: cluster.hosts[host].address };
    [0].iter().chain(hosts).map(|&host| stop(host)).collect()
}

/// Returns what tells of the image's way to each stop.
fn progress(fleet: &Fleet, stops: &[Stop<'_>], size: u64) -> impl Fn(usize, u64) + Sync {
    let sink = fleet.sink().clone();
    let names: Vec<String> = stops.iter().map(|stop| stop.session.name().to_owned()).collect();
    move |at, done| {
        let (host, what) = (names[at].clone(), "boot image".to_owned());
        sink(Event::Transfer { host, what, done, total: Some(size) });
    }
}

/// Finds out whether what arrived wrong was wrong from the beginning.
async fn blamed(first: &Stop<'_>, path: &str, record: &ImageRecord, error: host::Error) -> Error {
    let known = Digest { sha256: record.sha256.clone(), size: record.size };
    match first.session.digest(path).await {
        Ok(there) if there != known => Error::Artefact {
            host: first.session.name().to_owned(),
            path: path.to_owned(),
            reason: format!(
                "its checksum is {}, but it was {} when it was made; delete it there, and `ocp2 up` makes it again",
                there.sha256, known.sha256
            ),
        },
        _ => error.into(),
    }
}
