//! How long a host may take, and how much it may say, in one call.

use std::time::Duration;

/// What one call may cost. Until a script begins (login shell, sudo, bash), [`Target::answer`] holds as well.
///
/// [`Target::answer`]: super::Target::answer
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From the call on; `None`: as long as the connection lives.
    pub time: Option<Duration>,
    /// Bytes of output and errors together; `None`: whoever reads them keeps none.
    pub bytes: Option<usize>,
}

/// The longest answer to a question, bytes. A probe of a host with a hundred VMs has 2 MiB.
const ANSWER: usize = 16 << 20;

/// The longest that work may take which nobody watches: packages over a slow line, a disk image's copy.
const WORK: Duration = Duration::from_secs(2 * 3600);

impl Bounds {
    /// Something is asked: the answer is read whole and comes within `time`.
    #[must_use]
    pub fn question(time: Duration) -> Self {
        Self { time: Some(time), bytes: Some(ANSWER) }
    }

    /// Something is done, however long that takes within reason.
    #[must_use]
    pub fn work() -> Self {
        Self { time: Some(WORK), bytes: Some(ANSWER) }
    }

    /// A stream that is passed on as it comes, for as long as somebody wants it.
    #[must_use]
    pub(super) fn stream() -> Self {
        Self { time: None, bytes: None }
    }
}
