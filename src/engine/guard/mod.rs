//! Changes that could cut the way in: the host undoes them by itself unless it hears from us again.
//!
//! What undoes them is armed on the host before the first such change. What calls that off
//! comes over a fresh connection, which proves that the host still lets one in;
//! so does the lock of a later run, should this one end in between.

mod script;

use std::time::Duration;

use tokio::time::{sleep, timeout};

pub(super) use self::script::Guard;
use self::script::{CONFIRMED, NEVER_ARMED, UNDONE};
use crate::{
    command::Script,
    engine::token::token,
    host::{self, Session, uptime},
    resource::Change,
};

/// How long changes that could cut the way in may be silent before a fresh connection is tried.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

/// How much longer the host waits than we try.
const MARGIN: Duration = Duration::from_secs(5);

/// How long the undoing may take: it waits for steps to end first.
const UNDOING: Duration = Duration::from_secs(30);

/// Time between tries where the host answers at once.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of the way in.
pub(super) enum Proof {
    /// It is open, and the host keeps the changes.
    Open,
    /// It is open, and the host was never asked to undo anything: the changes have not begun.
    NeverArmed,
    /// The host has undone the changes.
    Undone {
        /// Why a fresh connection did not come about in time, where one was tried.
        reason: Option<host::Error>,
        /// What the undoing printed.
        output: String,
    },
    /// It stays closed.
    Closed(host::Error),
}

/// One time that changes are on probation on one host.
pub(super) struct Probation<'a> {
    guard: Guard,
    id: String,
    session: &'a Session,
}

impl<'a> Probation<'a> {
    pub(super) fn new(cluster: &str, session: &'a Session) -> Self {
        Self { guard: Guard::of(cluster), id: token(), session }
    }

    /// How long one fresh connection is waited for: as long as a login may take.
    fn answer(&self) -> Duration {
        self.session.login_time()
    }

    /// When the host undoes what nobody confirmed: later than the first try for a fresh connection ends.
    fn undone_after(&self) -> Duration {
        SILENCE + self.answer() + MARGIN
    }

    /// Returns source that arms the undoing of `changes`.
    pub(super) fn arm(&self, changes: &[Change]) -> Script {
        self.guard.arm(&self.id, changes, self.undone_after())
    }

    /// Proves over fresh connections that the host can still be reached, or waits until it has undone what
    /// was changed.
    ///
    /// `waiting` is called once, when the first try has failed.
    pub(super) async fn prove(&self, mut waiting: impl FnMut(&host::Error)) -> Proof {
        let script = self.guard.confirmation(&self.id);
        let patience = self.undone_after() + UNDOING + self.answer();
        let begin = uptime();
        let mut reason = None;
        loop {
            let tried = timeout(self.answer(), self.ask(&script)).await.unwrap_or_else(|_| {
                let reason = format!("a new one was not there within {} s", self.answer().as_secs());
                Err(host::Error::ConnectionLost { host: self.session.name().to_owned(), reason })
            });
            match tried {
                Ok(output) if output.status == CONFIRMED => return Proof::Open,
                Ok(output) if output.status == NEVER_ARMED => return Proof::NeverArmed,
                Ok(output) if output.status == UNDONE => {
                    return Proof::Undone { reason, output: output.text().into_owned() };
                }
                Ok(output) if uptime().saturating_sub(begin) > patience => {
                    let (host, what) = (self.session.name().to_owned(), "confirming the changes".to_owned());
                    let (status, stderr) = (output.status, output.stderr);
                    return Proof::Closed(host::Error::CommandFailed { host, what, status, stderr });
                }
                Ok(_) => {}
                Err(error) if uptime().saturating_sub(begin) > patience => return Proof::Closed(error),
                Err(error) => {
                    if reason.is_none() {
                        waiting(&error);
                    }
                    reason = Some(error);
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks over a connection of its own. It needs no lock: the host knows which probation is meant.
    async fn ask(&self, script: &Script) -> Result<host::Output, host::Error> {
        let fresh = self.session.reconnect().await?;
        fresh.unbind();
        let output = fresh.run(script, |_| {}).await?;
        fresh.close().await;
        Ok(output)
    }
}
