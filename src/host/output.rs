//! What a script said, and how it ended.

use super::Error;

/// The outcome of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; 128 + N after signal N, as in a shell.
    pub status: i32,
    /// Everything on standard output.
    pub stdout: Vec<u8>,
    /// Everything on standard error.
    pub stderr: String,
}

impl Output {
    /// Returns standard output as text.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Makes an error of a status other than 0; `what` says what was tried.
    ///
    /// # Errors
    /// [`Error::CommandFailed`] where the script failed.
    pub fn checked(self, host: &str, what: &str) -> Result<Self, Error> {
        if self.status == 0 {
            return Ok(self);
        }
        Err(Error::CommandFailed {
            host: host.to_owned(),
            what: what.to_owned(),
            status: self.status,
            stderr: self.stderr,
        })
    }
}
