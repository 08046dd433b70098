//! A file goes from host to host, inside the overlay and not over the workstation's line.
//!
//! The hosts stand in a row: each takes the file from the one before it and gives away what it
//! has while the rest still arrives. So a host's line carries the file in once and out once, and
//! many hosts take hardly longer than two. What runs on them is `relay.sh`; this side tells them
//! of each other, and listens.

use std::{net::Ipv4Addr, time::Duration};

use futures_util::future::{join_all, select_all, try_join_all};
use tokio::time::{interval, timeout};

use super::{Digest, Error, Process, Session, preamble, transfer::HASH};
use crate::command::{Command, Script, quote};

/// What every stop runs.
const STOP: &str = include_str!("relay.sh");

/// Most hours a relay takes: 1.2 GB over 0.5 Mbit/s.
const HOURS: u32 = 6;

/// Time between signs of life; a stop gives up 30 s after the last one.
const BEAT: Duration = Duration::from_secs(10);

/// How long a stop may take to clear up; systemd does it even if we do not wait.
const FAREWELL: Duration = Duration::from_secs(10);

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

/// A stop that is at work.
struct Running<'a> {
    stop: Stop<'a>,
    process: Process,
    certificate: String,
    has: Has,
}

/// What is on a host before anything travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// The file itself.
    All,
    /// So many bytes of it.
    Some(u64),
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

/// Starts a stop; it says what it has, and shows its certificate.
async fn start<'a>(
    parcel: &Parcel<'_>,
    stops: &[Stop<'_>],
    stop: Stop<'a>,
    source: bool,
) -> Result<Running<'a>, Error> {
    let process = stop.session.spawn(&unit(parcel, stops)).await?;
    process.write(preamble::line(&script(parcel, stop, source)).as_bytes()).await?;
    let mut running = Running { stop, process, certificate: String::new(), has: Has::Some(0) };
    while running.certificate.is_empty() {
        let Some(line) = running.process.line().await else {
            return Err(running.failed(&format!("preparing to relay {}", parcel.path)).await);
        };
        match line.split_once(' ') {
            Some(("has", "all")) => running.has = Has::All,
            Some(("has", bytes)) => running.has = Has::Some(bytes.parse().unwrap_or(0)),
            Some(("certificate", text)) => text.clone_into(&mut running.certificate),
            _ => {}
        }
    }
    Ok(running)
}

/// Returns source that starts the unit, which reads the rest of its source from its stdin.
fn unit(parcel: &Parcel<'_>, stops: &[Stop<'_>]) -> Script {
    let addresses: Vec<String> = stops.iter().map(|stop| stop.address.to_string()).collect();
    let run = Command::new("systemd-run")
        .args(["--quiet", "--pipe", "--wait", "--collect", "--setenv=LC_ALL=C"])
        .arg(format_args!("--description=ocp2 relays {}", parcel.path))
        .arg(format_args!("--property=RuntimeDirectory={}", parcel.unit))
        .arg("--property=RuntimeDirectoryMode=0700")
        .arg(format_args!("--property=RuntimeMaxSec={HOURS}h"))
        // A VM that only holds the connection open would keep the next stop waiting.
        .arg("--property=IPAddressDeny=any")
        .arg(format_args!("--property=IPAddressAllow={}", addresses.join(" ")))
        .args(["/bin/bash", "-c", "read -r source; eval \"$(base64 -d <<<$source)\""])
        .to_string();
    let named = run.replacen("systemd-run", &format!("exec systemd-run --unit={}-$$", parcel.unit), 1);
    Script::new()
        // What a run that was killed has left would be in the way.
        .line(format_args!("systemctl stop --quiet '{}-*' 2>/dev/null </dev/null || true", parcel.unit))
        .line(named)
}

fn script(parcel: &Parcel<'_>, stop: Stop<'_>, source: bool) -> String {
    let Digest { sha256, size } = parcel.digest;
    let part = format!("{}.{}.part", parcel.path, &sha256[..sha256.len().min(12)]);
    format!(
        "file={} part={} mode={} size={size} sha256={} address={} port={} role={}\n{HASH}\n{STOP}",
        quote(parcel.path),
        quote(&part),
        quote(parcel.mode),
        quote(sha256),
        stop.address,
        parcel.port,
        if source { "source" } else { "target" },
    )
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
    for (place, (_, stop)) in row.iter_mut().enumerate().skip(1) {
        let (address, certificate, _) = &told[place - 1];
        stop.tell(&format!("take {address} {certificate} {}", offsets[place])).await?;
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

impl Running<'_> {
    async fn tell(&self, line: &str) -> Result<(), Error> {
        self.process.write(format!("{line}\n").as_bytes()).await
    }

    /// Lets the stop keep `own` bytes of its own, and serve the `next` one from an offset on.
    async fn prepare(
        &mut self,
        parcel: &Parcel<'_>,
        own: Option<u64>,
        next: Option<(&String, u64)>,
    ) -> Result<(), Error> {
        let begin = own.map(|offset| (format!("begin {offset}"), "begun"));
        let give = next.map(|(certificate, offset)| (format!("give {certificate} {offset}"), "giving"));
        for (order, answer) in begin.into_iter().chain(give) {
            self.tell(&order).await?;
            if self.process.line().await.as_deref() != Some(answer) {
                return Err(self.failed(&format!("preparing to relay {}", parcel.path)).await);
            }
        }
        Ok(())
    }

    /// Ends the stop and makes an error of what it said.
    async fn failed(&mut self, what: &str) -> Error {
        let _ = self.process.close_stdin().await;
        match timeout(FAREWELL, self.process.ended()).await {
            Ok(Ok((status, stderr))) => Error::CommandFailed {
                host: self.stop.session.name().to_owned(),
                what: what.to_owned(),
                status,
                stderr,
            },
            Ok(Err(error)) => error,
            Err(_) => self.stop.session.lost(),
        }
    }

    fn cut(&self, parcel: &Parcel<'_>, before: Option<&(Ipv4Addr, String, String)>, reason: String) -> Error {
        let (from, address) =
            before.map_or(("", Ipv4Addr::UNSPECIFIED), |(address, _, name)| (name, *address));
        Error::RelayFailed {
            host: self.stop.session.name().to_owned(),
            path: parcel.path.to_owned(),
            from: from.to_owned(),
            address,
            port: parcel.port,
            reason,
        }
    }
}

async fn end(mut process: Process) {
    let _ = process.close_stdin().await;
    let _ = timeout(FAREWELL, process.ended()).await;
}

fn corrupt(session: &Session, parcel: &Parcel<'_>, arrived: Digest) -> Error {
    Error::Corrupt {
        host: session.name().to_owned(),
        path: parcel.path.to_owned(),
        wanted: Box::new(parcel.digest.clone()),
        arrived: Box::new(arrived),
    }
}
