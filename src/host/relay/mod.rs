//! A file goes from host to host, inside the overlay and not over the workstation's line.
//!
//! The hosts stand in a row: each takes the file from the one before it and gives away what it
//! has while the rest still arrives. So a host's line carries the file in once and out once, and
//! many hosts take hardly longer than two. What runs on them is `stop.sh`; this side tells them
//! of each other, and listens.

mod running;

use std::{net::Ipv4Addr, time::Duration};

use futures_util::future::{join_all, select_all, try_join_all};
use tokio::time::interval;

use self::running::{Has, Running, end, start};
use super::{Digest, Error, Session};

/// Time between signs of life; a stop gives up two minutes after the last one.
const BEAT: Duration = Duration::from_secs(10);

/// What travels, and how.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// The file, at the same place on every host.
    pub path: &'a str,
    /// Its mode where it arrives (`"0600"`).
    pub mode: &'a str,
    /// What it is.
    pub digest: &'a Digest,
    /// How the name of the transient unit begins; each host has one while the relay lasts.
    pub unit: &'a str,
    /// TCP port on the overlay.
    pub port: u16,
}

/// A host that takes part.
#[derive(Debug, Clone, Copy)]
pub struct Stop<'a> {
    /// Its session.
    pub session: &'a Session,
    /// Its address on the overlay.
    pub address: Ipv4Addr,
}

/// Parts are whole blocks of this size.
const BLOCK: u64 = 1 << 20;

/// Brings a file that the first stop has to all the others.
///
/// A host that has the file already is left out; one that has its beginning gets the rest.
/// `progress` hears which stop has how many bytes.
///
/// # Errors
/// [`Error::RelayFailed`] where a host does not get it from the one before, [`Error::Corrupt`] where
/// it arrived with another content, and those of [`Session::spawn`].
pub async fn relay(
    parcel: &Parcel<'_>,
    stops: &[Stop<'_>],
    mut progress: impl FnMut(usize, u64),
) -> Result<(), Error> {
    let started = join_all(stops.iter().enumerate().map(|(at, stop)| start(parcel, stops, *stop, at == 0)));
    let mut running = Vec::new();
    let mut failure = None;
    for outcome in started.await {
        match outcome {
            Ok(stop) => running.push(stop),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let outcome = match failure {
        Some(error) => Err(error),
        None => travel(parcel, &mut running, &mut progress).await,
    };
    join_all(running.into_iter().map(|stop| end(stop.process))).await;
    outcome
}

/// Lets the file travel along the stops that lack it.
async fn travel(
    parcel: &Parcel<'_>,
    running: &mut [Running<'_>],
    progress: &mut impl FnMut(usize, u64),
) -> Result<(), Error> {
    let mut row: Vec<(usize, &mut Running<'_>)> =
        running.iter_mut().enumerate().filter(|(at, stop)| *at == 0 || stop.has != Has::All).collect();
    if row.len() < 2 {
        return Ok(());
    }
    // Nobody can give what it does not have: along the row, each keeps at most what the one before has.
    let mut offsets = vec![parcel.digest.size];
    for (_, stop) in &row[1..] {
        let Has::Some(bytes) = stop.has else { continue };
        let least = offsets.last().map_or(bytes, |before| bytes.min(*before));
        offsets.push(least.min(parcel.digest.size.saturating_sub(1)) / BLOCK * BLOCK);
    }
    let told: Vec<(Ipv4Addr, String, String)> = row
        .iter()
        .map(|(_, stop)| (stop.stop.address, stop.certificate.clone(), stop.stop.session.name().to_owned()))
        .collect();
    let ready = row.iter_mut().enumerate().map(|(place, (_, stop))| {
        let next = told.get(place + 1).map(|(_, certificate, _)| (certificate, offsets[place + 1]));
        let own = (place > 0).then_some(offsets[place]);
        async move { stop.prepare(parcel, own, next).await }
    });
    try_join_all(ready).await?;
    let holes = if row[0].1.holes { " holes" } else { "" };
    for (place, (_, stop)) in row.iter_mut().enumerate().skip(1) {
        let (address, certificate, _) = &told[place - 1];
        stop.tell(&format!("take {address} {certificate} {}{holes}", offsets[place])).await?;
    }
    arrive(parcel, &mut row, &told, progress).await
}

/// Listens until the file is on every stop of the row.
async fn arrive(
    parcel: &Parcel<'_>,
    row: &mut [(usize, &mut Running<'_>)],
    told: &[(Ipv4Addr, String, String)],
    progress: &mut impl FnMut(usize, u64),
) -> Result<(), Error> {
    let mut beat = interval(BEAT);
    let mut missing = row.len() - 1;
    while missing > 0 {
        let heard = {
            let lines = row
                .iter_mut()
                .enumerate()
                .map(|(place, (_, stop))| Box::pin(async move { (place, stop.process.line().await) }));
            tokio::select! {
                (heard, ..) = select_all(lines) => Some(heard),
                _ = beat.tick() => None,
            }
        };
        let Some((place, line)) = heard else {
            for (_, stop) in row.iter() {
                stop.tell("beat").await?;
            }
            continue;
        };
        let (at, stop) = &mut row[place];
        let before = told.get(place.wrapping_sub(1));
        let line = line.unwrap_or_default();
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["at", bytes] => progress(*at, bytes.parse().unwrap_or(0)),
            ["arrived"] => missing -= 1,
            ["other", sha256, size] => {
                let arrived = Digest { sha256: sha256.to_owned(), size: size.parse().unwrap_or(0) };
                if arrived.size >= parcel.digest.size {
                    return Err(corrupt(stop.stop.session, parcel, arrived));
                }
                let reason = format!("it ended after {} of {} bytes", arrived.size, parcel.digest.size);
                return Err(stop.cut(parcel, before, reason));
            }
            ["failed", "take"] => {
                let error = stop.failed("").await;
                let Error::CommandFailed { stderr, .. } = &error else { return Err(error) };
                let reason = stderr.trim().lines().last().unwrap_or("it ended").to_owned();
                return Err(stop.cut(parcel, before, reason));
            }
            ["failed", _] => return Err(stop.failed(&format!("writing {}", parcel.path)).await),
            [""] => return Err(stop.failed(&format!("relaying {}", parcel.path)).await),
            _ => {}
        }
    }
    Ok(())
}

fn corrupt(session: &Session, parcel: &Parcel<'_>, arrived: Digest) -> Error {
    Error::Corrupt {
        host: session.name().to_owned(),
        path: parcel.path.to_owned(),
        wanted: Box::new(parcel.digest.clone()),
        arrived: Box::new(arrived),
    }
}
