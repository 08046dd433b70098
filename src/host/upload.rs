//! A file on its way up to one host, over one connection or, where the host is far, several.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    Digest, Error, Session,
    lanes::{self, Lanes},
    sink::Sink,
};
use crate::command::{Command, Script, into_place};

/// What is read and sent at once.
const BLOCK: usize = 256 << 10;

/// A host behind a longer round trip is far: one connection would not fill a gigabit there.
const FAR: Duration = Duration::from_millis(15);

/// Bytes from which on more connections are worth their handshakes.
const LARGE: u64 = 32 << 20;

/// Who makes sure that what has been written is what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The host itself hashes it.
    Here,
    /// Others that get it from there, or [`Upload::check`].
    Later,
}

/// A file that is being written on a host, as [`part`] says.
pub(super) struct Upload<'a> {
    session: &'a Session,
    to: &'a str,
    size: u64,
    check: Check,
    way: Way,
}

/// How a file goes to a host.
enum Way {
    One(Box<Sink>),
    Several(Lanes),
}

/// Returns where a file is until it has its name.
pub(super) fn part(to: &str) -> String {
    format!("{to}.part")
}

impl<'a> Upload<'a> {
    /// Makes an empty file for the `size` bytes of `to`, with the given mode (`"0600"`).
    pub async fn begin(
        session: &'a Session,
        (to, mode, size): (&'a str, &str, u64),
        check: Check,
    ) -> Result<Self, Error> {
        let way = if size >= LARGE && session.round_trip().await? > FAR {
            Way::Several(Lanes::open(session, to, mode, size).await?)
        } else {
            Way::One(Box::new(Sink::open(&session.reconnect().await?, (to, mode, size), check).await?))
        };
        Ok(Self { session, to, size, check, way })
    }

    /// Returns source of the function `reach` by which [`super::transfer::FOLLOW`] sees how far the file
    /// is written; empty where that is the file's size.
    pub fn reach(&self) -> String {
        match self.way {
            Way::One(_) => String::new(),
            Way::Several(_) => lanes::reach(self.to),
        }
    }

    /// Sends what `from` reads; returns what that was. Where that fails, nothing is left.
    pub async fn send(
        &mut self,
        from: impl AsyncRead + Unpin + Send,
        progress: impl FnMut(u64) + Send,
    ) -> Result<Digest, Error> {
        let sent = self.write(from, progress).await;
        if sent.is_err() {
            self.abandon().await;
        }
        sent
    }

    /// Gives the file its name.
    pub async fn keep(self) -> Result<(), Error> {
        let (part, to) = (part(self.to), self.to);
        let mut rename = Script::new().line("set -eu").line(into_place(&part, to));
        if matches!(self.way, Way::Several(_)) {
            rename = rename.line(Command::new("rm").args(["-f", "--"]).args(lanes::marks(to)));
        }
        self.session.run(&rename, |_| ()).await?.checked(self.session.name(), &format!("naming {to}"))?;
        Ok(())
    }

    /// Demands that the file is `wanted`; where it is not, nothing is left.
    pub async fn check(&mut self, wanted: &Digest) -> Result<(), Error> {
        let compared = self.compare(wanted).await;
        if matches!(compared, Err(Error::Corrupt { .. })) {
            self.abandon().await;
        }
        compared
    }

    async fn write(
        &mut self,
        mut from: impl AsyncRead + Unpin + Send,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Digest, Error> {
        let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, BytesMut::new());
        loop {
            buffer.reserve(BLOCK);
            let read = from.read_buf(&mut buffer).await.map_err(|error| self.local(error.to_string()))?;
            if read == 0 {
                break;
            }
            let data = buffer.split().freeze();
            hash.update(&data);
            self.way.write(data).await?;
            size += read as u64;
            progress(size);
        }
        if size != self.size {
            return Err(self.local(format!("it has {size} bytes and not {}: did it change?", self.size)));
        }
        let sent = Digest { sha256: data_encoding::HEXLOWER.encode(&hash.finalize()), size };
        let (size, sha256) = match &mut self.way {
            Way::One(sink) => sink.arrived().await?,
            Way::Several(lanes) => (lanes.arrived().await?, None),
        };
        match sha256 {
            Some(sha256) if sha256 == sent.sha256 && size == sent.size => Ok(sent),
            Some(sha256) => Err(self.session.corrupt(self.to, &sent, Digest { sha256, size })),
            None if self.check == Check::Later && size == sent.size => Ok(sent),
            None => self.compare(&sent).await.map(|()| sent),
        }
    }

    async fn compare(&self, wanted: &Digest) -> Result<(), Error> {
        let there = self.session.digest(&part(self.to)).await?;
        if there == *wanted { Ok(()) } else { Err(self.session.corrupt(self.to, wanted, there)) }
    }

    /// Removes what was written; a host that is gone keeps it, and the next try removes it.
    async fn abandon(&mut self) {
        let mut remove = Command::new("rm").args(["-f", "--", &part(self.to)]);
        if let Way::Several(lanes) = &mut self.way {
            lanes.end();
            remove = remove.args(lanes::marks(self.to));
        }
        let _ = self.session.run(&Script::new().line(remove), |_| ()).await;
    }

    fn local(&self, reason: String) -> Error {
        let what = format!("reading what goes to {}", self.to);
        Error::Local { host: self.session.name().to_owned(), what, reason }
    }
}

impl Way {
    async fn write(&mut self, data: Bytes) -> Result<(), Error> {
        match self {
            Self::One(sink) => sink.write(data).await,
            Self::Several(lanes) => lanes.write(data).await,
        }
    }
}
