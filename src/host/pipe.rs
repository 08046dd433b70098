//! A remote command as root: its output without what came before, its errors, its end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use russh::{ChannelMsg, ChannelWriteHalf, client::Msg};
use tokio::time::{Instant, timeout_at};

use super::{
    Bounds, Error, Lease, Session,
    channel::{Channel, End},
    lease::loss,
    preamble::Preamble,
};

/// A running remote command.
pub(super) struct Pipe {
    session: Session,
    channel: Channel,
    preamble: Preamble,
    end: End,
    stderr: Vec<u8>,
    closed: bool,
    bounds: Bounds,
    opened: Instant,
    /// When the last message came.
    heard: Instant,
    /// Bytes that came, of whatever kind.
    taken: usize,
    /// The lock that the run holds there; the pipe ends with it.
    lease: Option<Lease>,
    /// Why it has ended before the command: the host has passed a bound, or the lock is lost.
    passed: Option<Box<Error>>,
}

/// How long output may still come after the command's end: a child that kept the pipe open
/// must not keep us.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Enough of a command's errors to say what happened, bytes.
const MOST_STDERR: usize = 1 << 20;

/// What may come before a script begins (greetings, a login shell's noise), bytes; more is no greeting.
const MOST_NOISE: usize = 1 << 20;

impl Pipe {
    /// Starts one of the [`super::preamble`]'s commands.
    pub async fn open(session: &Session, command: &str, bounds: Bounds) -> Result<Self, Error> {
        let lease = session.lease();
        lease.as_ref().map_or(Ok(()), Lease::check)?;
        let opened = Instant::now();
        let channel = session.exec(command).await?;
        Ok(Self {
            session: session.clone(),
            channel,
            preamble: Preamble::default(),
            end: End::default(),
            stderr: Vec::new(),
            closed: false,
            bounds,
            opened,
            heard: opened,
            taken: 0,
            lease,
            passed: None,
        })
    }

    /// Returns the way to the command's stdin. Whoever writes must go on reading: a host that
    /// waits for us to read may be the one we wait for to read.
    pub fn writer(&self) -> Arc<ChannelWriteHalf<Msg>> {
        self.channel.writer()
    }

    /// Returns the next piece of the command's own output, `None` at its end. Cancel safe.
    ///
    /// It ends, too, where the host passes a bound; [`Pipe::outcome`] then says which.
    pub async fn next(&mut self) -> Option<Bytes> {
        while !self.closed {
            let (deadline, lease) = (self.deadline(), self.lease.clone());
            let wait = self.channel.read().wait();
            let wait = async {
                match deadline {
                    Some(deadline) => timeout_at(deadline, wait).await,
                    None => Ok(wait.await),
                }
            };
            let message = tokio::select! {
                // What has come is taken in, whatever became of the lock since.
                biased;
                message = wait => message,
                error = loss(lease.as_ref()) => {
                    self.passed = Some(Box::new(error));
                    break;
                }
            };
            let Ok(message) = message else {
                // A command that has ended is not waited for: see [`AFTERMATH`].
                if self.end.status().is_none() {
                    self.passed = Some(Box::new(self.silent()));
                }
                break;
            };
            let Some(message) = message else { break };
            self.heard = Instant::now();
            self.end.note(&message);
            match message {
                ChannelMsg::Data { data } => {
                    self.taken = self.taken.saturating_add(data.len());
                    let own = self.preamble.take(data);
                    if self.is_too_much() {
                        break;
                    }
                    if !own.is_empty() {
                        return Some(own);
                    }
                }
                ChannelMsg::ExtendedData { data, ext: 1 } => {
                    self.taken = self.taken.saturating_add(data.len());
                    let room = MOST_STDERR.saturating_sub(self.stderr.len());
                    self.stderr.extend_from_slice(&data[..room.min(data.len())]);
                    if self.is_too_much() {
                        break;
                    }
                }
                ChannelMsg::Close | ChannelMsg::Failure => break,
                _ => {}
            }
        }
        self.closed = true;
        None
    }

    /// Returns until when the next message is waited for.
    fn deadline(&self) -> Option<Instant> {
        let call = self.bounds.time.map(|time| self.opened + time);
        let begin = (!self.preamble.begun()).then(|| self.opened + self.session.answer());
        let aftermath = self.end.status().map(|_| self.heard + AFTERMATH);
        call.into_iter().chain(begin).chain(aftermath).min()
    }

    fn silent(&self) -> Error {
        let call = self.bounds.time.unwrap_or_else(|| self.session.answer());
        let (what, waited) = match (self.preamble.begun(), self.preamble.uid()) {
            (true, _) => ("its script has begun and does not end", call),
            (false, Some(0)) => ("bash does not come up", self.session.answer()),
            (false, Some(_)) => ("sudo does not come back", self.session.answer()),
            (false, None) => ("the login shell does not get as far as a command", self.session.answer()),
        };
        let host = self.session.name().to_owned();
        Error::Silent { host, what: what.to_owned(), seconds: waited.min(call).as_secs() }
    }

    /// Notes and tells whether the host says more than it may.
    fn is_too_much(&mut self) -> bool {
        let (limit, what) = if self.preamble.begun() {
            (self.bounds.bytes, "where an answer was expected")
        } else {
            (Some(MOST_NOISE), "before the script began")
        };
        let Some(limit) = limit.filter(|limit| self.taken > *limit) else { return false };
        let host = self.session.name().to_owned();
        self.passed = Some(Box::new(Error::TooMuch { host, what: what.to_owned(), limit }));
        true
    }

    /// Returns status and errors of the command; call it after [`Pipe::next`] gave `None`.
    pub fn outcome(self) -> Result<(i32, String), Error> {
        self.ended()
    }

    /// Like [`Pipe::outcome`], where the pipe cannot be given away.
    pub fn ended(&self) -> Result<(i32, String), Error> {
        let stderr = String::from_utf8_lossy(&self.stderr).into_owned();
        if let Some(passed) = &self.passed {
            return Err(Error::clone(passed));
        }
        match self.end.status() {
            _ if self.end.refused() => Err(self.session.login_refused("sshd refuses to run commands")),
            // Never taken for success: the connection is what ended.
            None => Err(self.session.lost()),
            Some(status) if self.preamble.begun() => {
                let refusal = self.lease.as_ref().and_then(|lease| lease.refusal(status, &stderr));
                refusal.map_or(Ok((status, stderr)), Err)
            }
            Some(status) => Err(self.session.never_began(&self.preamble, &stderr, status)),
        }
    }
}

/// The longest line, bytes; a longer one comes in pieces.
const LONGEST_LINE: usize = 4 << 20;

/// Cuts a stream into lines.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Takes more of the stream, and passes on every line it completes.
    pub fn take(&mut self, data: &[u8], mut line: impl FnMut(&str)) {
        let mut rest = data;
        while let Some(at) = rest.iter().position(|&byte| byte == b'\n') {
            self.0.extend_from_slice(&rest[..at]);
            line(&String::from_utf8_lossy(&self.0));
            self.0.clear();
            rest = &rest[at + 1..];
        }
        self.0.extend_from_slice(rest);
        if self.0.len() > LONGEST_LINE {
            line(&String::from_utf8_lossy(&std::mem::take(&mut self.0)));
        }
    }

    /// Passes on the last line, if nothing ended it.
    pub fn finish(&mut self, mut line: impl FnMut(&str)) {
        if !self.0.is_empty() {
            line(&String::from_utf8_lossy(&std::mem::take(&mut self.0)));
        }
    }
}
