//! One run at a time: a lock on every host, held by a process that ends with us.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::{
    command::{Script, quote},
    engine::{Error, guard},
    host::{self, Process, Session},
};

/// Seconds without a heartbeat after which a host frees the lock by itself.
const EXPIRY_SECONDS: u32 = 30;

/// Seconds the process of a run that was killed may take to end.
const LEAVING_SECONDS: u32 = 2;

/// Seconds that a step of such a run is waited for.
const STEP_SECONDS: u32 = 20;

/// Time between heartbeats.
const BEAT: Duration = Duration::from_secs(10);

/// The lock on all hosts; it is free again when this is dropped, when the
/// connection ends, or 30 s after the last heartbeat.
#[derive(Debug)]
pub(super) struct Lock {
    beats: Vec<JoinHandle<()>>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        for beat in &self.beats {
            beat.abort();
        }
    }
}

impl Lock {
    /// Takes the lock on every host, without waiting for a run that lives.
    ///
    /// The inventory's first host comes first, so that of two runs at the same moment
    /// exactly one gets all of them; the others are asked all at once.
    pub(super) async fn take<'a>(
        cluster: &str,
        holder: &str,
        sessions: impl IntoIterator<Item = &'a Session>,
    ) -> Result<Self, Error> {
        let mut sessions = sessions.into_iter();
        let mut lock = Self { beats: Vec::new() };
        if let Some(first) = sessions.next() {
            lock.beats.push(take_on(cluster, holder, first).await?);
            let others = join_all(sessions.map(|session| take_on(cluster, holder, session))).await;
            let (taken, errors): (Vec<_>, Vec<_>) = others.into_iter().partition(Result::is_ok);
            lock.beats.extend(taken.into_iter().filter_map(Result::ok));
            if let Some(error) = Error::collect(errors.into_iter().filter_map(Result::err).collect()) {
                return Err(error);
            }
        }
        Ok(lock)
    }
}

/// Takes the lock on one host; returns what keeps it.
async fn take_on(cluster: &str, holder: &str, session: &Session) -> Result<JoinHandle<()>, Error> {
    let mut process = session.spawn(&holding(cluster, holder)).await?;
    match process.line().await.as_deref() {
        Some("locked") => Ok(tokio::spawn(beat(process))),
        Some(other) => {
            let holder = other.strip_prefix("held ").unwrap_or(other).to_owned();
            Err(Error::Locked { host: session.name().to_owned(), holder })
        }
        // It knows best why it ended: sudo was refused, the connection is gone.
        None => {
            process.wait().await?;
            let host = session.name().to_owned();
            let reason = "the process that holds the lock ended".to_owned();
            Err(host::Error::ConnectionLost { host, reason }.into())
        }
    }
}

async fn beat(process: Process) {
    while process.write(b"\n").await.is_ok() {
        tokio::time::sleep(BEAT).await;
    }
}

/// Returns the source of the process that holds the lock on a host.
///
/// It confirms what such a run left on probation (see [`guard`]).
/// The file is removed at the end; whoever locked a removed file sees that the
/// name leads elsewhere now, and tries again.
fn holding(cluster: &str, holder: &str) -> Script {
    let (lock, work) = (quote(&path(cluster, "lock")), quote(&path(cluster, "work")));
    let armed = quote(&guard::armed(cluster));
    Script::new()
        .line("while :; do")
        .line(format_args!("  exec 9>>{lock}"))
        // The process of a run that was killed ends a moment after it.
        .line(format_args!("  if ! flock -w {LEAVING_SECONDS} 9; then"))
        // Whoever has just taken it may not have written yet who it is.
        .line(format_args!("    for i in 1 2 3 4 5 6 7 8 9; do [ -s {lock} ] && break; sleep 0.1; done"))
        .line(format_args!("    echo \"held $(head -n1 {lock})\"; exit 0"))
        .line("  fi")
        .line(format_args!(
            "  [ \"$(stat -Lc %i /proc/self/fd/9)\" = \"$(stat -c %i {lock} 2>/dev/null)\" ] && break"
        ))
        .line("done")
        .line(format_args!("exec 8>>{work}"))
        .line(format_args!(
            "if ! flock -w {STEP_SECONDS} 8; then echo 'a step of an earlier run has not ended yet'; exit 0; fi"
        ))
        // That we are here proves that the host lets us in.
        .line(format_args!("if [ -e {armed} ]; then"))
        .line(guard::disarm(cluster).source().trim_end())
        .line("fi")
        .line("exec 8>&-")
        .line(format_args!("trap 'rm -f {lock}' EXIT"))
        .line(format_args!("echo {}\", since $(date '+%F %T %Z')\" >&9", quote(holder)))
        .line("echo locked")
        .line(format_args!("while read -r -t {EXPIRY_SECONDS} _; do :; done"))
}

/// Returns source that marks a step as at work, so that nobody begins before it ends, even if the connection is lost.
pub(super) fn at_work(cluster: &str) -> Script {
    let work = quote(&path(cluster, "work"));
    Script::new().line(format_args!("exec 8>>{work}; flock -s 8"))
}

/// Returns the paths of a host's lock files, for `down` to remove.
pub(super) fn path(cluster: &str, kind: &str) -> String {
    format!("/run/ocp2-{cluster}.{kind}")
}
