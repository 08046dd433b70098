//! One run at a time: a lock on every host, held by a process that ends with us.
//!
//! Whoever takes the lock writes a token of its own into it. A host carries out a script only while the
//! lock has the token of its run, and ends the programs of the run before, so that one that was asleep or
//! cut off does nothing more once another has taken over (see [`Lease`]).

mod script;

use std::time::Duration;

use futures_util::future::{join_all, select_all};
use tokio::{task::JoinHandle, time::sleep};

pub(super) use self::script::marking;
use self::script::{EXPIRY_SECONDS, fence, holding};
use crate::{
    engine::Error,
    host::{self, Lease, Process, Session, uptime},
};

/// Time between heartbeats.
const BEAT: Duration = Duration::from_secs(3);

/// Who takes the lock.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    /// What others are told of it.
    pub(super) name: String,
    /// What no other run has.
    pub(super) token: String,
}

/// The lock on all hosts; it is free again when this is dropped, when the
/// connection ends, or 40 s after the last heartbeat.
#[derive(Debug, Default)]
pub(super) struct Lock {
    taken: Vec<Taken>,
}

/// The lock on one host.
#[derive(Debug)]
struct Taken {
    session: Session,
    lease: Lease,
    beat: JoinHandle<()>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.beat.abort();
        self.session.unbind();
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
        holder: &Holder,
        sessions: impl IntoIterator<Item = &'a Session>,
    ) -> Result<(Self, Vec<String>), Error> {
        let mut sessions = sessions.into_iter();
        let (mut lock, mut marks) = (Self::default(), Vec::new());
        let Some(first) = sessions.next() else { return Ok((lock, marks)) };
        let (taken, mark) = take_on(cluster, holder, first).await?;
        lock.taken.push(taken);
        marks.push(mark);
        let others = join_all(sessions.map(|session| take_on(cluster, holder, session))).await;
        let mut errors = Vec::new();
        for taken in others {
            match taken {
                Ok((taken, mark)) => {
                    lock.taken.push(taken);
                    marks.push(mark);
                }
                Err(error) => errors.push(error),
            }
        }
        Error::collect(errors).map_or(Ok((lock, marks)), Err)
    }

    /// Fails where the lock of any host is lost.
    pub(super) fn check(&self) -> Result<(), Error> {
        let lost = self.taken.iter().filter_map(|taken| taken.lease.check().err());
        Error::collect(lost.map(Error::from).collect()).map_or(Ok(()), Err)
    }

    /// Waits until the lock of any host is lost.
    pub(super) async fn lost(&self) -> Error {
        if self.taken.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.taken.iter().map(|taken| Box::pin(taken.lease.lost()))).await.0.into()
    }
}

/// Takes the lock on one host, and the mark that the run before this one has left.
async fn take_on(cluster: &str, holder: &Holder, session: &Session) -> Result<(Taken, String), Error> {
    let mut process = session.spawn(&holding(cluster, holder)).await?;
    let said = process.line().await;
    match said.as_deref().map(|said| said.split_once(' ').unwrap_or((said, ""))) {
        Some(("locked", mark)) => {
            let mark = mark.to_owned();
            let term = Duration::from_secs(EXPIRY_SECONDS.into());
            let lease = Lease::new(session.name(), fence(cluster, &holder.token), term, uptime);
            session.bind(lease.clone());
            let beat = tokio::spawn(beat(session.name().to_owned(), process, lease.clone()));
            Ok((Taken { session: session.clone(), lease, beat }, mark))
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

/// Keeps the lock of one host, one sign of life after the other, until it is lost.
async fn beat(host: String, mut process: Process, lease: Lease) {
    loop {
        let sent = lease.now();
        let answered = async { process.write(b"\n").await.is_ok() && process.line().await.is_some() };
        tokio::select! {
            answered = answered => if !answered { break },
            _ = lease.lost() => return,
        }
        lease.renew(sent);
        tokio::select! {
            () = sleep(BEAT) => {}
            // It says nothing unasked: this is its end.
            _ = process.line() => break,
            _ = lease.lost() => return,
        }
    }
    let reason = match process.wait().await {
        Ok(_) => {
            host::Error::LockLost { host, reason: "the process that held it there has ended".to_owned() }
        }
        Err(error) => error,
    };
    // Where the clock knows a better one, that is told.
    if lease.check().is_ok() {
        lease.lose(reason);
    }
}

/// Returns the paths of a host's lock files, for `down` to remove.
pub(super) fn path(cluster: &str, kind: &str) -> String {
    format!("/run/ocp2-{cluster}.{kind}")
}
