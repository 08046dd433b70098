//! A remote command as root: its output without what came before, its errors, its end.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use russh::{ChannelMsg, ChannelWriteHalf, client::Msg};
use tokio::time::timeout;

use super::{
    Error, Session,
    channel::{Channel, End},
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
}

/// How long output may still come after the command's end: a child that kept the pipe open
/// must not keep us.
const AFTERMATH: Duration = Duration::from_secs(5);

/// Enough of a long-running command's errors to say what happened.
const MOST_STDERR: usize = 16 << 20;

impl Pipe {
    /// Starts one of the [`super::preamble`]'s commands.
    pub async fn open(session: &Session, command: &str) -> Result<Self, Error> {
        let channel = session.exec(command).await?;
        Ok(Self {
            session: session.clone(),
            channel,
            preamble: Preamble::default(),
            end: End::default(),
            stderr: Vec::new(),
            closed: false,
        })
    }

    /// Returns the way to the command's stdin. Whoever writes must go on reading: a host that
    /// waits for us to read may be the one we wait for to read.
    pub fn writer(&self) -> Arc<ChannelWriteHalf<Msg>> {
        self.channel.writer()
    }

    /// Returns the next piece of the command's own output, `None` at its end. Cancel safe.
    pub async fn next(&mut self) -> Option<Bytes> {
        while !self.closed {
            let limit = if self.end.status().is_some() { AFTERMATH } else { Duration::MAX };
            let Ok(Some(message)) = timeout(limit, self.channel.read().wait()).await else { break };
            self.end.note(&message);
            match message {
                ChannelMsg::Data { data } => {
                    let own = self.preamble.take(data);
                    if !own.is_empty() {
                        return Some(own);
                    }
                }
                ChannelMsg::ExtendedData { data, ext: 1 } if self.stderr.len() < MOST_STDERR => {
                    self.stderr.extend_from_slice(&data);
                }
                ChannelMsg::Close | ChannelMsg::Failure => break,
                _ => {}
            }
        }
        self.closed = true;
        None
    }

    /// Returns status and errors of the command; call it after [`Pipe::next`] gave `None`.
    pub fn outcome(self) -> Result<(i32, String), Error> {
        self.ended()
    }

    /// Like [`Pipe::outcome`], where the pipe cannot be given away.
    pub fn ended(&self) -> Result<(i32, String), Error> {
        let stderr = String::from_utf8_lossy(&self.stderr).into_owned();
        match self.end.status() {
            _ if self.end.refused() => Err(self.session.login_refused("sshd refuses to run commands")),
            // Never taken for success: the connection is what ended.
            None => Err(self.session.lost()),
            Some(status) if self.preamble.begun() => Ok((status, stderr)),
            Some(status) => Err(self.session.never_began(&self.preamble, &stderr, status)),
        }
    }
}

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
    }

    /// Passes on the last line, if nothing ended it.
    pub fn finish(&mut self, mut line: impl FnMut(&str)) {
        if !self.0.is_empty() {
            line(&String::from_utf8_lossy(&std::mem::take(&mut self.0)));
        }
    }
}
