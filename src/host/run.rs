//! Running scripts on a host's session, as root: those that act, those that last, those that only look.

use super::{
    Bounds, Error, Output, Process, Session,
    pipe::{Lines, Pipe},
    preamble::{self, Preamble},
};
use crate::command::Script;

impl Session {
    /// Runs bash source as root and calls `line` for every line of its output as it arrives.
    ///
    /// The user is root, or sudo makes root of it. The script is read to its end before any of it
    /// runs; its commands find `/dev/null` on stdin, `LC_ALL=C`, umask 022, `/` as folder and a
    /// `PATH` with the `sbin` folders. `set -eu -o pipefail` is the script's own choice. A status
    /// other than 0 is not an error here: see [`Output::checked`].
    ///
    /// Where the session is bound to a [`Lease`], the host runs it only while the lock is ours, and nobody
    /// takes the lock before it has ended.
    ///
    /// Dropping the future closes the channel: the script loses its output, but only sshd's host
    /// can tell whether it has ended.
    ///
    /// # Errors
    /// [`Error::SudoRefused`], [`Error::NoBash`] and [`Error::LoginRefused`] where the script was
    /// never started, [`Error::ConnectionLost`] where its end is not known, [`Error::Silent`] and
    /// [`Error::TooMuch`] where the host passes the bounds of [`Bounds::work`], [`Error::LockLost`].
    pub async fn run(&self, script: &Script, line: impl FnMut(&str) + Send) -> Result<Output, Error> {
        let fence = self.lease().map(|lease| lease.fence().script.clone());
        let fenced = fence.unwrap_or_default().line(script.source());
        self.run_within(Bounds::work(), &fenced, line).await
    }

    /// As [`Session::run`], for a script that lasts: it ends when another run takes the lock.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn watch(&self, script: &Script, line: impl FnMut(&str) + Send) -> Result<Output, Error> {
        let fenced = Script::new().line(self.fenced(script.source()));
        self.run_within(Bounds::work(), &fenced, line).await
    }

    /// As [`Session::run`], for a script that only looks: its answer comes within [`Target::answer`].
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn ask(&self, script: &Script) -> Result<Output, Error> {
        self.run_within(Bounds::question(self.answer()), script, |_| ()).await
    }

    /// As [`Session::run`], within other bounds, for a script that only looks: it needs no lock.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn run_within(
        &self,
        bounds: Bounds,
        script: &Script,
        mut line: impl FnMut(&str) + Send,
    ) -> Result<Output, Error> {
        let input = preamble::whole(script.source()).into_bytes();
        let mut pipe = Pipe::open(self, preamble::RUN, bounds).await?;
        let writer = pipe.writer();
        let feed = async {
            // A host that stopped reading is no error of its own: its exit status says why.
            if writer.data_bytes(input).await.is_ok() {
                let _ = writer.eof().await;
            }
        };
        tokio::pin!(feed);
        let (mut done, mut lines, mut stdout) = (false, Lines::default(), Vec::new());
        loop {
            tokio::select! {
                () = &mut feed, if !done => done = true,
                data = pipe.next() => match data {
                    Some(data) => {
                        lines.take(&data, &mut line);
                        stdout.extend_from_slice(&data);
                    }
                    None => break,
                },
            }
        }
        lines.finish(&mut line);
        let (status, stderr) = pipe.outcome()?;
        Ok(Output { status, stdout, stderr })
    }

    /// Starts a long-running root process whose stdin stays open, with the script's own commands
    /// reading from it. The script is best short: it travels as one line that is read byte by byte.
    ///
    /// # Errors
    /// [`Error::ConnectionLost`] and [`Error::ChannelRefused`]; what else there is shows in
    /// [`Process::wait`].
    pub async fn spawn(&self, script: &Script) -> Result<Process, Error> {
        Process::start(self, script).await
    }

    /// Returns the source of a program that is talked to, with what keeps it from outliving the lock.
    pub(super) fn fenced(&self, source: &str) -> String {
        self.lease()
            .map_or_else(|| source.to_owned(), |lease| format!("{}{source}", lease.fence().program.source()))
    }

    pub(super) fn login_refused(&self, reason: &str) -> Error {
        Error::LoginRefused {
            host: self.name().to_owned(),
            user: self.user().to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// Finds out why a script was not started, by how far its preamble got.
    pub(super) fn never_began(&self, preamble: &Preamble, stderr: &str, status: i32) -> Error {
        let said = |fallback: String| match stderr.trim() {
            "" => fallback,
            said => said.to_owned(),
        };
        let (host, user) = (self.name().to_owned(), self.user().to_owned());
        match preamble.uid() {
            Some(0) => Error::NoBash { host, reason: said(format!("status {status}")) },
            Some(_) => {
                Error::SudoRefused { host, user, reason: said(format!("sudo ended with status {status}")) }
            }
            None => {
                let noise = preamble.noise();
                let fallback =
                    if noise.is_empty() { format!("the shell ended with status {status}") } else { noise };
                Error::LoginRefused { host, user, reason: said(fallback) }
            }
        }
    }
}
