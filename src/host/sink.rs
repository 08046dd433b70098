//! The far end of a transfer.

use bytes::Bytes;

use super::{
    Bounds, Error, Session, lanes,
    pipe::{Lines, Pipe},
    preamble,
    transfer::{FOLLOW, HASH, parse},
    upload::{Check, part},
};
use crate::command::quote;

/// A file that is being written on a host, over one connection.
pub(super) struct Sink {
    session: Session,
    pipe: Pipe,
    to: String,
    lines: Lines,
    said: String,
}

impl Sink {
    /// Starts to write the `size` bytes of `to`, on a session that nobody else uses.
    pub async fn open(
        session: &Session,
        (to, mode, size): (&str, &str, u64),
        check: Check,
    ) -> Result<Self, Error> {
        let mut pipe = Pipe::open(session, preamble::SPAWN, Bounds::work()).await?;
        let script = session.fenced(&receive((to, mode, size), check));
        pipe.writer().data_bytes(preamble::line(&script)).await.map_err(|_| session.lost())?;
        let (lines, said) = (Lines::default(), String::new());
        // The script says when it is ready: until then whatever goes wrong has nothing to do with data.
        let first = pipe.next().await;
        let mut this = Self { session: session.clone(), pipe, to: to.to_owned(), lines, said };
        match first {
            Some(data) => this.hear(&data),
            None => return Err(this.failed()),
        }
        Ok(this)
    }

    fn hear(&mut self, data: &[u8]) {
        let Self { lines, said, .. } = self;
        lines.take(data, |line| {
            if line != "ready" {
                said.push_str(line);
                said.push('\n');
            }
        });
    }

    /// Sends a piece. A host that stops taking them has a reason: its end is waited for as well.
    pub async fn write(&mut self, data: Bytes) -> Result<(), Error> {
        let writer = self.pipe.writer();
        let write = writer.data_bytes(data);
        tokio::pin!(write);
        loop {
            tokio::select! {
                biased;
                written = &mut write => return written.map_err(|_| self.session.lost()),
                heard = self.pipe.next() => match heard {
                    Some(heard) => self.lines.take(&heard, |_| ()),
                    None => break,
                },
            }
        }
        Err(self.failed())
    }

    /// Ends the data; returns how many bytes arrived, and their SHA-256 where the host takes it.
    pub async fn arrived(&mut self) -> Result<(u64, Option<String>), Error> {
        self.pipe.writer().eof().await.map_err(|_| self.session.lost())?;
        while let Some(data) = self.pipe.next().await {
            self.hear(&data);
        }
        parse(&self.said).ok_or_else(|| self.failed())
    }

    /// Makes the error for a far end that has ended early.
    fn failed(&mut self) -> Error {
        match self.pipe.ended() {
            Ok((status, stderr)) => Error::CommandFailed {
                host: self.session.name().to_owned(),
                what: format!("writing {}", self.to),
                status,
                stderr,
            },
            Err(error) => error,
        }
    }
}

/// Writes stdin to the part of `to`, then says its size and, where it is to be checked there, its SHA-256.
///
/// What is hashed is what has been written. Nothing of an upload that was killed stays, over however many
/// connections it went. A fresh file, for `conv=sparse` leaves what is under its
/// holes. Blocks of 1 MiB took three times as long as those of 64 KiB, what a pipe holds. That all
/// is on the disk is waited for once, before the file gets its name ([`super::upload::Upload::keep`]).
fn receive((to, mode, size): (&str, &str, u64), check: Check) -> String {
    let part = quote(&part(to));
    let (mode, marks) = (quote(mode), lanes::quoted_marks(to));
    let sum = match check {
        Check::Here => format!("follow {part} 0 {size} $writer | hash"),
        Check::Later => ":".to_owned(),
    };
    format!(
        "set -eu -o pipefail\n\
         {HASH}\n\
         {FOLLOW}\n\
         rm -f -- {part} {marks}\n\
         (umask 077; : > {part})\n\
         chmod -- {mode} {part}\n\
         echo ready\n\
         dd of={part} bs=64K iflag=fullblock conv=sparse,notrunc status=none <&0 & writer=$!\n\
         sum=$({sum})\n\
         wait $writer\n\
         stat -c %s -- {part}\n\
         echo \"$sum\"\n"
    )
}
