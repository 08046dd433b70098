//! A file goes from host to host, inside the overlay and not over the workstation's line.
//!
//! The hosts stand in a row: each takes the file from the one before it and gives away what it
//! has while the rest still arrives, be it from this machine. So every line carries the file in
//! once and out once, and many hosts take hardly longer than one. What runs on them is `stop.sh`;
//! this side tells them of each other, and listens.
//!
//! What a host gives away it reads from its own file. So it is enough that the last one hashes the
//! file, and those before a host that had a beginning of it already: that proves all the others'.

mod row;
mod running;
mod said;

use std::net::Ipv4Addr;

use tokio::io::AsyncRead;

#[cfg(fuzzing)]
pub(in crate::host) use self::said::{Said, is_base64};

use self::row::Row;
use super::{
    Digest, Error, Session,
    upload::{Check, Upload},
};

/// What travels, and how.
#[derive(Debug, Clone, Copy)]
pub struct Parcel<'a> {
    /// The file, at the same place on every host.
    pub path: &'a str,
    /// Its mode where it arrives (`"0600"`).
    pub mode: &'a str,
    /// Its length in bytes.
    pub size: u64,
    /// A word that tells it from others at the same place: the beginning of another one is not carried on.
    pub tag: &'a str,
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

/// Where the first stop has the file from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin<'a> {
    /// It is there, with this SHA-256.
    There(&'a str),
    /// It is on its way there.
    Growing {
        /// Shell function that says how far it is there, unless that is the file's size.
        reach: String,
        /// It has holes.
        holes: bool,
    },
}

/// What came of [`relay_upload`].
#[derive(Debug)]
pub struct Uploaded {
    /// What the first stop has now.
    pub digest: Digest,
    /// Whether all the others have it too.
    pub relayed: Result<(), Error>,
}

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
    sha256: &str,
    stops: &[Stop<'_>],
    progress: impl Fn(usize, u64),
) -> Result<(), Error> {
    let mut row = Row::new(parcel);
    row.carry(stops, &Origin::There(sha256), &progress).await?;
    let settled = row.settle(&Digest { sha256: sha256.to_owned(), size: parcel.size }).await;
    row.end().await;
    settled
}

/// Sends a file up to the first stop, which gives it on to the others while it arrives.
///
/// What goes wrong between the hosts does not hold up the way to the first one.
///
/// # Errors
/// As [`Session::upload`], of the way to the first stop.
pub async fn relay_upload(
    parcel: &Parcel<'_>,
    from: impl AsyncRead + Unpin + Send,
    holes: bool,
    stops: &[Stop<'_>],
    progress: impl Fn(usize, u64) + Sync,
) -> Result<Uploaded, Error> {
    let first = stops[0].session;
    if stops.len() == 1 {
        let sent = first.upload(from, parcel.size, parcel.path, parcel.mode, |bytes| progress(0, bytes));
        return Ok(Uploaded { digest: sent.await?, relayed: Ok(()) });
    }
    let mut upload = Upload::begin(first, (parcel.path, parcel.mode, parcel.size), Check::Later).await?;
    let origin = Origin::Growing { reach: upload.reach(), holes };
    let mut row = Row::new(parcel);
    let (sent, carried) = {
        let sending = upload.send(from, |bytes| progress(0, bytes));
        let carrying = row.carry(stops, &origin, &progress);
        tokio::pin!(sending, carrying);
        tokio::select! {
            sent = &mut sending => match sent {
                Ok(digest) => (Ok(digest), carrying.await),
                Err(error) => (Err(error), Ok(())),
            },
            carried = &mut carrying => (sending.await, carried),
        }
    };
    let digest = match sent {
        Ok(digest) => digest,
        Err(error) => {
            row.end().await;
            return Err(error);
        }
    };
    let relayed = match carried {
        Ok(()) => row.settle(&digest).await,
        Err(error) => Err(error),
    };
    let is_proved = relayed.is_ok() && row.proves_the_first();
    let keeping = async {
        if !is_proved {
            upload.check(&digest).await?;
        }
        upload.keep().await
    };
    let (kept, ()) = tokio::join!(keeping, row.end());
    kept?;
    Ok(Uploaded { digest, relayed })
}
