//! A clock that goes on while this machine sleeps.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A clock: what it shows counts from some moment before this process.
pub type Clock = fn() -> Duration;

/// Linux's monotonic clock, and with it [`std::time::Instant`] and every timer, stands still while the
/// machine is suspended. macOS's goes on.
#[cfg(any(target_os = "linux", target_os = "android"))]
const WITH_SLEEP: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const WITH_SLEEP: ClockId = ClockId::Monotonic;

/// Returns how long this machine has been up, the time it slept included.
#[must_use]
pub fn uptime() -> Duration {
    let now = clock_gettime(WITH_SLEEP);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}
