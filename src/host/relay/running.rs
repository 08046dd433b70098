//! A stop of a relay that is at work: its unit on the host, what it has, and how it ends.

use std::{net::Ipv4Addr, time::Duration};

use tokio::time::timeout;

use super::{Parcel, Stop};
use crate::{
    command::{Command, Script, quote},
    host::{
        Digest, Error, Process, preamble,
        transfer::{FOLLOW, HASH},
    },
};

/// What every stop runs.
const STOP: &str = include_str!("stop.sh");

/// Most hours a relay takes: 1.2 GB over 0.5 Mbit/s.
const HOURS: u32 = 6;

/// How long a stop may take to clear up; systemd does it even if we do not wait.
const FAREWELL: Duration = Duration::from_secs(30);

/// A stop that is at work.
pub(super) struct Running<'a> {
    /// Where.
    pub stop: Stop<'a>,
    /// What is told there and heard from there.
    pub process: Process,
    /// The public half of the key it has made for this relay, base64 of PEM.
    pub certificate: String,
    /// What is there already.
    pub has: Has,
    /// The file has holes here.
    pub holes: bool,
}

/// What is on a host before anything travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Has {
    /// The file itself.
    All,
    /// So many bytes of it.
    Some(u64),
}

/// Starts a stop; it says what it has, and shows its certificate.
pub(super) async fn start<'a>(
    parcel: &Parcel<'_>,
    stops: &[Stop<'_>],
    stop: Stop<'a>,
    source: bool,
) -> Result<Running<'a>, Error> {
    let process = stop.session.spawn(&unit(parcel, stops)).await?;
    process.write(preamble::line(&script(parcel, stop, source)).as_bytes()).await?;
    let mut running = Running { stop, process, certificate: String::new(), has: Has::Some(0), holes: false };
    while running.certificate.is_empty() {
        let Some(line) = running.process.line().await else {
            return Err(running.failed(&format!("preparing to relay {}", parcel.path)).await);
        };
        match line.split_once(' ') {
            Some(("has", "all")) => running.has = Has::All,
            Some(("has", bytes)) => running.has = Has::Some(bytes.parse().unwrap_or(0)),
            None if line == "holes" => running.holes = true,
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
        .line(format_args!(
            "systemctl stop --quiet '{}-*.service' 2>/dev/null </dev/null || true",
            parcel.unit
        ))
        .line(named)
}

fn script(parcel: &Parcel<'_>, stop: Stop<'_>, source: bool) -> String {
    let Digest { sha256, size } = parcel.digest;
    let part = format!("{}.{}.part", parcel.path, &sha256[..sha256.len().min(12)]);
    format!(
        "file={} part={} mode={} size={size} sha256={} address={} port={} role={}\n{HASH}\n{FOLLOW}\n{STOP}",
        quote(parcel.path),
        quote(&part),
        quote(parcel.mode),
        quote(sha256),
        stop.address,
        parcel.port,
        if source { "source" } else { "target" },
    )
}

impl Running<'_> {
    /// Gives an order.
    pub(super) async fn tell(&self, line: &str) -> Result<(), Error> {
        self.process.write(format!("{line}\n").as_bytes()).await
    }

    /// Lets the stop keep `own` bytes of its own, and serve the `next` one from an offset on.
    pub(super) async fn prepare(
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
    pub(super) async fn failed(&mut self, what: &str) -> Error {
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

    /// Makes the error of a leg that brought nothing more.
    pub(super) fn cut(
        &self,
        parcel: &Parcel<'_>,
        before: Option<&(Ipv4Addr, String, String)>,
        reason: String,
    ) -> Error {
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

/// Lets a stop clear up.
pub(super) async fn end(mut process: Process) {
    let _ = process.close_stdin().await;
    let _ = timeout(FAREWELL, process.ended()).await;
}
