//! A stop of a relay that is at work: its unit on the host, what it has, and how it ends.

use std::time::Duration;

use tokio::time::timeout;

use super::{Origin, Parcel, Stop, said::is_base64};
use crate::{
    command::{Command, Script, quote},
    host::{
        Error, Process, preamble,
        transfer::{FOLLOW, HASH},
        upload,
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
    role: Role,
}

/// What a stop is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It has the file.
    Source,
    /// It gets the file from this machine.
    Growing,
    /// It gets the file from another stop.
    Target,
}

/// What is on a host before anything travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Has {
    /// The file itself.
    All,
    /// So many bytes of it.
    Some(u64),
}

/// Starts a stop; it says what it has, and shows its certificate. The first one has the file by its `origin`.
pub(super) async fn start<'a>(
    parcel: &Parcel<'_>,
    stops: &[Stop<'_>],
    stop: Stop<'a>,
    origin: &Origin<'_>,
    is_first: bool,
) -> Result<Running<'a>, Error> {
    let process = stop.session.spawn(&unit(parcel, stops)).await?;
    let mut running = Running {
        stop,
        process,
        certificate: String::new(),
        has: Has::Some(0),
        holes: matches!(origin, Origin::Growing { holes: true, .. }),
        role: match origin {
            _ if !is_first => Role::Target,
            Origin::There(_) => Role::Source,
            Origin::Growing { .. } => Role::Growing,
        },
    };
    running.process.write(preamble::line(&running.script(parcel, origin)).as_bytes()).await?;
    while running.certificate.is_empty() {
        let Some(line) = running.process.line().await else {
            return Err(running.failed(&format!("preparing to relay {}", parcel.path)).await);
        };
        match line.split_once(' ') {
            Some(("has", "all")) => running.has = Has::All,
            Some(("has", bytes)) => running.has = Has::Some(bytes.parse().unwrap_or(0)),
            None if line == "holes" => running.holes = true,
            Some(("certificate", text)) if is_base64(text) => text.clone_into(&mut running.certificate),
            Some(("certificate", _)) => {
                return Err(Error::CommandFailed {
                    host: stop.session.name().to_owned(),
                    what: format!("preparing to relay {}", parcel.path),
                    status: 0,
                    stderr: "what it shows as its certificate is none".to_owned(),
                });
            }
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

impl Running<'_> {
    /// Returns where the file is until it has its name.
    pub(super) fn part(&self, parcel: &Parcel<'_>) -> String {
        match self.role {
            Role::Growing => upload::part(parcel.path),
            Role::Source | Role::Target => format!("{}.{}.part", parcel.path, parcel.tag),
        }
    }

    fn script(&self, parcel: &Parcel<'_>, origin: &Origin<'_>) -> String {
        let (sha256, reach) = match (origin, self.role) {
            (Origin::There(sha256), _) => (*sha256, ""),
            (Origin::Growing { reach, .. }, Role::Growing) => ("", reach.as_str()),
            (Origin::Growing { .. }, _) => ("", ""),
        };
        let role = match self.role {
            Role::Source => "source",
            Role::Growing => "growing",
            Role::Target => "target",
        };
        format!(
            "file={} part={} mode={} size={} sha256={} address={} port={} role={role}\n{HASH}\n{FOLLOW}\n{reach}\n{STOP}",
            quote(parcel.path),
            quote(&self.part(parcel)),
            quote(parcel.mode),
            parcel.size,
            quote(sha256),
            self.stop.address,
            parcel.port,
        )
    }

    /// Gives an order.
    pub(super) async fn tell(&self, line: &str) -> Result<(), Error> {
        self.process.write(format!("{line}\n").as_bytes()).await
    }

    /// Lets the stop keep `own` bytes of its own, and serve the `next` one from an offset on.
    pub(super) async fn prepare(
        &mut self,
        parcel: &Parcel<'_>,
        own: Option<u64>,
        next: Option<(&str, u64)>,
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

    /// Lets the file have its name.
    pub(super) async fn keep(&mut self, parcel: &Parcel<'_>) -> Result<(), Error> {
        self.tell("keep").await?;
        while let Some(line) = self.process.line().await {
            match line.as_str() {
                "kept" => return Ok(()),
                "failed write" => break,
                // Of what was on its way.
                _ => {}
            }
        }
        Err(self.failed(&format!("naming {}", parcel.path)).await)
    }
}

/// Lets a stop clear up.
pub(super) async fn end(mut process: Process) {
    let _ = process.close_stdin().await;
    let _ = timeout(FAREWELL, process.ended()).await;
}
