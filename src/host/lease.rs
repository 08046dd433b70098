//! The lock that a run holds on a host, as far as its sessions must know of it.
//!
//! Two things keep a run that has lost its lock from going on. The host itself refuses every script and
//! program of a run whose token is not the lock's (see [`Fence`]): that holds however late it arrives
//! there. And this side stops at once, without asking, where the lock must have ended.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Clock, Error, connection::SILENT};
use crate::command::Script;

/// The status with which a host refuses a script of a run that has lost its lock.
pub const REFUSED: i32 = 79;

/// What it says on stderr then, before the holder's name, where there is one.
pub const REFUSAL: &str = "ocp2:lock-lost ";

/// How often the clock is looked at; timers alone would not see that the machine slept.
const TICK: Duration = Duration::from_secs(1);

/// A longer time without a tick is one in which this process did not run.
const STANDSTILL: Duration = Duration::from_secs(5);

/// What comes before what a run has a host do, so that nothing is done there for a run without its lock.
#[derive(Debug, Clone, Default)]
pub struct Fence {
    /// Before a script that ends by itself: it is let finish.
    pub script: Script,
    /// Before a program that is talked to: it ends when another run takes the lock.
    pub program: Script,
}

/// The lock on one host. Clones share it.
#[derive(Clone)]
pub struct Lease(Arc<Inner>);

struct Inner {
    host: String,
    fence: Fence,
    term: Duration,
    clock: Clock,
    time: Mutex<Time>,
    reason: OnceLock<Error>,
    lost: CancellationToken,
}

/// What the lease's clock showed.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// From here on the host may have given up on us.
    until: Duration,
    /// The last look.
    tick: Duration,
}

impl Lease {
    /// Makes the lease of a lock that a host has just granted and keeps for `term` after each sign of life.
    #[must_use]
    pub fn new(host: &str, fence: Fence, term: Duration, clock: Clock) -> Self {
        let now = clock();
        Self(Arc::new(Inner {
            host: host.to_owned(),
            fence,
            term,
            clock,
            time: Mutex::new(Time { until: now + term, tick: now }),
            reason: OnceLock::new(),
            lost: CancellationToken::new(),
        }))
    }

    /// Returns what the lease's clock shows.
    #[must_use]
    pub fn now(&self) -> Duration {
        (self.0.clock)()
    }

    /// Takes in that the host has answered a sign of life that was sent at `sent`.
    pub fn renew(&self, sent: Duration) {
        let mut time = self.0.time.lock().unwrap_or_else(PoisonError::into_inner);
        time.until = time.until.max(sent + self.0.term);
    }

    /// Fails where the lock is lost; it asks nobody but the clock.
    ///
    /// # Errors
    /// [`Error::LockLost`], or [`Error::ConnectionLost`] where the host has fallen silent for so long that
    /// it must have freed the lock.
    pub fn check(&self) -> Result<(), Error> {
        let now = self.now();
        let time = {
            let mut time = self.0.time.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = *time;
            time.tick = now;
            seen
        };
        if now >= time.until {
            let stood = now.saturating_sub(time.tick);
            self.lose(if stood > STANDSTILL {
                let reason = format!("ocp2 or its machine stood still for {} s", stood.as_secs());
                Error::LockLost { host: self.0.host.clone(), reason }
            } else {
                Error::ConnectionLost { host: self.0.host.clone(), reason: SILENT.to_owned() }
            });
        }
        self.0.reason.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Takes in that the lock is lost; the first reason stays.
    pub fn lose(&self, reason: Error) {
        let _ = self.0.reason.set(reason);
        self.0.lost.cancel();
    }

    /// Waits until the lock is lost, and returns why.
    pub async fn lost(&self) -> Error {
        loop {
            if let Err(error) = self.check() {
                return error;
            }
            tokio::select! {
                () = self.0.lost.cancelled() => {}
                () = sleep(TICK) => {}
            }
        }
    }

    pub(super) fn fence(&self) -> &Fence {
        &self.0.fence
    }

    /// Reads a host's refusal.
    pub(super) fn refusal(&self, status: i32, stderr: &str) -> Option<Error> {
        if status != REFUSED {
            return None;
        }
        let holder = stderr.lines().find_map(|line| line.strip_prefix(REFUSAL))?;
        let error = taken(&self.0.host, holder);
        self.lose(error.clone());
        Some(error)
    }
}

/// Waits until the lock is lost, for ever where there is none.
pub(super) async fn loss(lease: Option<&Lease>) -> Error {
    match lease {
        // Boxed, for what waits for it is part of every command's future, many times over.
        Some(lease) => Box::pin(lease.lost()).await,
        None => std::future::pending().await,
    }
}

/// Makes the error of a lock that is `holder`'s now, or nobody's where that is empty.
fn taken(host: &str, holder: &str) -> Error {
    let reason = match holder.trim() {
        "" => "the host has freed it".to_owned(),
        holder => format!("another ocp2 has taken over: {holder}"),
    };
    Error::LockLost { host: host.to_owned(), reason }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lease on {}", self.0.host)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const TERM: Duration = Duration::from_secs(30);

    /// A lease by a clock that shows what `seconds` holds.
    macro_rules! lease {
        ($seconds:ident) => {{
            static $seconds: AtomicU64 = AtomicU64::new(1000);
            (
                Lease::new("bm1", Fence::default(), TERM, || {
                    Duration::from_secs($seconds.load(Ordering::SeqCst))
                }),
                |to| {
                    $seconds.store(to, Ordering::SeqCst);
                },
            )
        }};
    }

    #[test]
    fn a_clock_that_jumps_over_the_term_ends_the_run_before_its_next_step() {
        let (lease, set) = lease!(SECONDS);
        set(1010);
        lease.check().unwrap();
        // The laptop was closed: no timer has run since.
        set(1047);
        let lost = lease.check().unwrap_err();
        assert_eq!(
            lost.to_string(),
            "bm1: this run has lost its lock: ocp2 or its machine stood still for 37 s"
        );
        // An answer that was on its way changes nothing any more.
        lease.renew(Duration::from_secs(1046));
        lease.check().unwrap_err();
    }

    #[test]
    fn a_jump_within_the_term_is_sat_out() {
        let (lease, set) = lease!(SECONDS);
        set(1029);
        lease.check().unwrap();
        lease.renew(Duration::from_secs(1003));
        set(1032);
        lease.check().unwrap();
        set(1033);
        lease.check().unwrap_err();
    }

    #[test]
    fn a_host_that_answers_no_sign_of_life_is_told_from_a_machine_that_slept() {
        let (lease, set) = lease!(SECONDS);
        for second in 1000..1030 {
            set(second);
            lease.check().unwrap();
        }
        set(1030);
        let lost = lease.check().unwrap_err();
        assert!(matches!(lost, Error::ConnectionLost { .. }), "{lost}");
    }

    #[tokio::test]
    async fn what_waits_hears_of_the_loss() {
        let (lease, set) = lease!(SECONDS);
        let waiting = tokio::spawn({
            let lease = lease.clone();
            async move { lease.lost().await }
        });
        set(1031);
        let heard = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        assert!(matches!(heard, Error::LockLost { .. }), "{heard}");
    }

    #[test]
    fn a_refusal_is_told_from_a_script_that_fails_alike() {
        let (lease, _) = lease!(SECONDS);
        assert!(lease.refusal(REFUSED, "a program's own words\n").is_none());
        assert!(lease.refusal(1, &format!("{REFUSAL}somebody\n")).is_none());
        lease.check().unwrap();
        let refused = lease.refusal(REFUSED, &format!("noise\n{REFUSAL}ann on desk, since 10:00\n")).unwrap();
        assert_eq!(
            refused.to_string(),
            "bm1: this run has lost its lock: another ocp2 has taken over: ann on desk, since 10:00"
        );
        lease.check().unwrap_err();
    }
}
