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
    /// exactly one gets all of them; the others are asked all at once. Beside the lock
    /// comes each host's mark of the run before this one.
    pub(super) async fn take<'a>(
        cluster: &str,
        holder: &str,
        sessions: impl IntoIterator<Item = &'a Session>,
    ) -> Result<(Self, Vec<String>), Error> {
        let mut sessions = sessions.into_iter();
        let (mut lock, mut marks) = (Self { beats: Vec::new() }, Vec::new());
        let Some(first) = sessions.next() else { return Ok((lock, marks)) };
        let (beat, mark) = take_on(cluster, holder, first).await?;
        lock.beats.push(beat);
        marks.push(mark);
        let others = join_all(sessions.map(|session| take_on(cluster, holder, session))).await;
        let mut errors = Vec::new();
        for taken in others {
            match taken {
                Ok((beat, mark)) => {
                    lock.beats.push(beat);
                    marks.push(mark);
                }
                Err(error) => errors.push(error),
            }
        }
        Error::collect(errors).map_or(Ok((lock, marks)), Err)
    }
}

/// Takes the lock on one host; returns what keeps it, and the mark that the run before this one has left.
async fn take_on(cluster: &str, holder: &str, session: &Session) -> Result<(JoinHandle<()>, String), Error> {
    let mut process = session.spawn(&holding(cluster, holder)).await?;
    let said = process.line().await;
    match said.as_deref().map(|said| said.split_once(' ').unwrap_or((said, ""))) {
        Some(("locked", mark)) => {
            let mark = mark.to_owned();
            Ok((tokio::spawn(beat(process)), mark))
        }
        Some((word, rest)) => {
            let holder = if word == "held" { rest.to_owned() } else { format!("{word} {rest}") };
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
    let (armed, mark) = (quote(&guard::armed(cluster)), quote(&path(cluster, "mark")));
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
        // Each run leaves a mark: a look at the host that saw the last one is a look of today.
        .line(format_args!("echo \"locked $(cat {mark} 2>/dev/null)\"; echo \"$EPOCHREALTIME.$$\" >{mark}"))
        .line(format_args!("while read -r -t {EXPIRY_SECONDS} _; do :; done"))
}

/// Returns source that marks a step as at work, so that nobody begins before it ends, even if the connection is lost.
///
/// At its end it leaves a mark as a run does, for who has looked in the middle of it.
pub(super) fn at_work(cluster: &str) -> Script {
    let (work, mark) = (quote(&path(cluster, "work")), quote(&path(cluster, "mark")));
    Script::new()
        .line(format_args!("exec 8>>{work}; flock -s 8"))
        .line(format_args!("trap 'echo \"$EPOCHREALTIME.$$\" >{mark}' EXIT"))
}

/// Returns the paths of a host's lock files, for `down` to remove.
pub(super) fn path(cluster: &str, kind: &str) -> String {
    format!("/run/ocp2-{cluster}.{kind}")
}
