//! The hosts of a relay that take part in it, each behind the one it takes the file from.

use std::{net::Ipv4Addr, time::Duration};

use futures_util::future::{join_all, select_all, try_join_all};
use tokio::time::interval;

use super::{
    Origin, Parcel, Stop,
    running::{Has, Running, end, start},
    said::Said,
};
use crate::host::{Digest, Error};

/// Time between signs of life; a stop gives up two minutes after the last one.
const BEAT: Duration = Duration::from_secs(10);

/// Parts are whole blocks of this size.
const BLOCK: u64 = 1 << 20;

/// The stops at work: the first gives, the last takes, the others do both.
pub(super) struct Row<'a> {
    parcel: &'a Parcel<'a>,
    places: Vec<Place<'a>>,
}

/// A stop in its place.
struct Place<'a> {
    running: Running<'a>,
    /// Which of all stops it is.
    at: usize,
    /// How much of the file it has before anything travels.
    offset: u64,
    /// What arrived, once all has: its length, and SHA-256 where it hashes.
    arrived: Option<(u64, Option<String>)>,
}

/// What a stop is told of the one before it.
struct Giver {
    host: String,
    address: Ipv4Addr,
    certificate: String,
}

impl<'a> Row<'a> {
    /// Makes a row without stops.
    pub fn new(parcel: &'a Parcel<'a>) -> Self {
        Self { parcel, places: Vec::new() }
    }

    /// Starts all stops, and ends those that have the file already.
    async fn form(&mut self, stops: &[Stop<'a>], origin: &Origin<'_>) -> Result<(), Error> {
        let parcel = self.parcel;
        let starting =
            stops.iter().enumerate().map(|(at, stop)| start(parcel, stops, *stop, origin, at == 0));
        let (mut idle, mut failure) = (Vec::new(), None);
        for (at, started) in join_all(starting).await.into_iter().enumerate() {
            match started {
                Ok(running) if at > 0 && running.has == Has::All => idle.push(running),
                Ok(running) => self.places.push(Place { running, at, offset: parcel.size, arrived: None }),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        join_all(idle.into_iter().map(|running| end(running.process))).await;
        if let Some(error) = failure {
            return Err(error);
        }
        // Nobody can give what it does not have: along the row, each keeps at most what the one before has.
        for place in 1..self.places.len() {
            if let Has::Some(bytes) = self.places[place].running.has {
                let least = bytes.min(self.places[place - 1].offset);
                self.places[place].offset = least.min(parcel.size.saturating_sub(1)) / BLOCK * BLOCK;
            }
        }
        Ok(())
    }

    /// Forms the row and lets the file travel until all have it; `progress` hears which stop has how many
    /// bytes. Where that fails, the stops have cleared up.
    pub async fn carry(
        &mut self,
        stops: &[Stop<'a>],
        origin: &Origin<'_>,
        progress: &impl Fn(usize, u64),
    ) -> Result<(), Error> {
        let carried = match self.form(stops, origin).await {
            Ok(()) => self.travel(progress).await,
            Err(error) => Err(error),
        };
        if carried.is_err() {
            self.end().await;
        }
        carried
    }

    async fn travel(&mut self, progress: &impl Fn(usize, u64)) -> Result<(), Error> {
        if self.places.len() < 2 {
            return Ok(());
        }
        let parcel = self.parcel;
        let givers: Vec<Giver> = self.places.iter().map(Giver::of).collect();
        let next: Vec<Option<u64>> = (0..givers.len()).map(|place| self.next_offset(place)).collect();
        let ready = self.places.iter_mut().enumerate().map(|(at, place)| {
            let own = (at > 0).then_some(place.offset);
            let next = next[at].map(|offset| (givers[at + 1].certificate.as_str(), offset));
            place.running.prepare(parcel, own, next)
        });
        try_join_all(ready).await?;
        let holes = if self.places[0].running.holes { " holes" } else { "" };
        for (at, place) in self.places.iter().enumerate().skip(1) {
            let Giver { address, certificate, .. } = &givers[at - 1];
            let hash = if next[at] == Some(0) { "" } else { " hash" };
            let order = format!("take {address} {certificate} {}{hash}{holes}", place.offset);
            place.running.tell(&order).await?;
        }
        self.listen(&givers, progress).await
    }

    /// Returns from where on a place gives the file to the next one.
    fn next_offset(&self, place: usize) -> Option<u64> {
        self.places.get(place + 1).map(|next| next.offset)
    }

    /// Tells whether the whole file was read from the first stop's and hashed.
    pub fn proves_the_first(&self) -> bool {
        self.next_offset(0) == Some(0)
    }

    async fn listen(&mut self, givers: &[Giver], progress: &impl Fn(usize, u64)) -> Result<(), Error> {
        let mut beat = interval(BEAT);
        while self.places.iter().skip(1).any(|place| place.arrived.is_none()) {
            let heard = {
                let lines = self
                    .places
                    .iter_mut()
                    .enumerate()
                    .map(|(at, place)| Box::pin(async move { (at, place.running.process.line().await) }));
                tokio::select! {
                    (heard, ..) = select_all(lines) => Some(heard),
                    _ = beat.tick() => None,
                }
            };
            let Some((at, line)) = heard else {
                for place in &self.places {
                    place.running.tell("beat").await?;
                }
                continue;
            };
            let giver = at.checked_sub(1).map(|before| &givers[before]);
            self.places[at].hear(self.parcel, giver, line.as_deref(), progress).await?;
        }
        Ok(())
    }

    /// Lets all keep what has arrived, if it is `wanted`.
    pub async fn settle(&mut self, wanted: &Digest) -> Result<(), Error> {
        let is_right = |place: &Place<'_>| match &place.arrived {
            Some((size, sha256)) => {
                *size == wanted.size && sha256.as_ref().is_none_or(|sha256| *sha256 == wanted.sha256)
            }
            None => true,
        };
        let wrong = if self.places.iter().all(is_right) { None } else { self.drop_wrong(wanted).await };
        let keeping = self.places.iter_mut().skip(1).filter(|place| place.arrived.is_some());
        try_join_all(keeping.map(|place| place.running.keep(self.parcel))).await?;
        wrong.map_or(Ok(()), Err)
    }

    /// Removes what is wrong; returns where it began to be.
    async fn drop_wrong(&mut self, wanted: &Digest) -> Option<Error> {
        let mut failure = None;
        for place in self.places.iter_mut().skip(1) {
            let session = place.running.stop.session;
            match session.digest(&place.running.part(self.parcel)).await {
                Ok(there) if there == *wanted => {}
                Ok(there) => {
                    failure = failure.or_else(|| Some(session.corrupt(self.parcel.path, wanted, there)));
                    place.arrived = None;
                    let _ = place.running.tell("drop").await;
                }
                Err(error) => {
                    failure = failure.or(Some(error));
                    place.arrived = None;
                }
            }
        }
        failure
    }

    /// Lets all stops clear up.
    pub async fn end(&mut self) {
        join_all(self.places.drain(..).map(|place| end(place.running.process))).await;
    }
}

impl Place<'_> {
    /// Takes in what the stop says; `None` is its end.
    async fn hear(
        &mut self,
        parcel: &Parcel<'_>,
        giver: Option<&Giver>,
        line: Option<&str>,
        progress: &impl Fn(usize, u64),
    ) -> Result<(), Error> {
        let running = &mut self.running;
        match Said::read(line, parcel.size) {
            Said::At(bytes) => progress(self.at, bytes),
            Said::Arrived(size, sha256) => {
                if size < parcel.size {
                    // A leg that was cut in a clean way leaves a good beginning.
                    return Err(cut(
                        running,
                        parcel,
                        giver,
                        format!("it ended after {size} of {} bytes", parcel.size),
                    ));
                }
                self.arrived = Some((size, sha256));
            }
            Said::CutOff => {
                let error = running.failed("").await;
                let Error::CommandFailed { stderr, .. } = &error else { return Err(error) };
                let reason = stderr.trim().lines().last().unwrap_or("it ended").to_owned();
                return Err(cut(running, parcel, giver, reason));
            }
            Said::Failed => return Err(running.failed(&format!("writing {}", parcel.path)).await),
            Said::Ended => return Err(running.failed(&format!("relaying {}", parcel.path)).await),
            Said::Other => {}
        }
        Ok(())
    }
}

impl Giver {
    fn of(place: &Place<'_>) -> Self {
        let Running { stop, certificate, .. } = &place.running;
        Self { host: stop.session.name().to_owned(), address: stop.address, certificate: certificate.clone() }
    }
}

/// Makes the error of a leg that brought nothing more.
fn cut(running: &Running<'_>, parcel: &Parcel<'_>, giver: Option<&Giver>, reason: String) -> Error {
    let (from, address) =
        giver.map_or(("", Ipv4Addr::UNSPECIFIED), |giver| (giver.host.as_str(), giver.address));
    Error::RelayFailed {
        host: running.stop.session.name().to_owned(),
        path: parcel.path.to_owned(),
        from: from.to_owned(),
        address,
        port: parcel.port,
        reason,
    }
}
