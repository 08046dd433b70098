//! A file over several connections at once, to a host that is far.
//!
//! `OpenSSH` lets 2 MiB be on the way in one connection: 40 MB/s at a round trip of 50 ms, however
//! wide the line. The file is dealt out in stripes, to one connection after the other; each puts its
//! stripes where they belong, and marks how many it has put there.

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{Bounds, Error, Session, pipe::Pipe, preamble, upload::part};
use crate::command::{Script, quote};

/// How many connections; a guest of somebody's sshd does not ask for more (`MaxStartups` is 10).
const LANES: usize = 4;

/// Bytes of one stripe.
const STRIPE: u64 = 4 << 20;

/// Blocks that may wait for a connection: about a stripe of them.
const WAITING: usize = 16;

/// A file that is being written on a host, over [`LANES`] connections.
pub(super) struct Lanes {
    session: Session,
    all: Vec<Lane>,
    /// Bytes dealt out so far.
    at: u64,
}

struct Lane {
    blocks: Option<mpsc::Sender<Bytes>>,
    work: JoinHandle<Result<(), Error>>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Lanes {
    /// Starts to write the `size` bytes of `to`.
    pub async fn open(session: &Session, to: &str, mode: &str, size: u64) -> Result<Self, Error> {
        let part = quote(&part(to));
        let prepare = Script::new()
            .line("set -eu")
            .line(format_args!("rm -f -- {part}; (umask 077; : > {part}); chmod -- {} {part}", quote(mode)))
            // In its whole length: nobody's last hole may cut off what another has written behind it.
            .line(format_args!("truncate -s {size} -- {part}"))
            .line(format_args!("(umask 077; for mark in {}; do : > $mark; done)", quoted_marks(to)));
        session.run(&prepare, |_| ()).await?.checked(session.name(), &format!("writing {to}"))?;
        let lanes = (0..LANES).map(|index| {
            let (blocks, waiting) = mpsc::channel(WAITING);
            let work = tokio::spawn(lane(session.clone(), to.to_owned(), index, waiting));
            Lane { blocks: Some(blocks), work }
        });
        Ok(Self { session: session.clone(), all: lanes.collect(), at: 0 })
    }

    /// Sends the next piece.
    pub async fn write(&mut self, mut data: Bytes) -> Result<(), Error> {
        while !data.is_empty() {
            let room = usize::try_from(STRIPE - self.at % STRIPE).unwrap_or(usize::MAX);
            let piece = data.split_to(room.min(data.len()));
            let index = usize::try_from(self.at / STRIPE).unwrap_or_default() % LANES;
            self.at += piece.len() as u64;
            let lane = &mut self.all[index];
            let sent = match &lane.blocks {
                Some(blocks) => blocks.send(piece).await.is_ok(),
                None => false,
            };
            if !sent {
                let reason = ended(&mut lane.work).await;
                return Err(reason.unwrap_or_else(|| self.session.lost()));
            }
        }
        Ok(())
    }

    /// Ends the data; returns how long the file is then.
    pub async fn arrived(&mut self) -> Result<u64, Error> {
        for lane in &mut self.all {
            lane.blocks = None;
        }
        for index in 0..LANES {
            if let Some(error) = ended(&mut self.all[index].work).await {
                return Err(error);
            }
        }
        Ok(self.at)
    }

    /// Ends all connections.
    pub fn end(&mut self) {
        self.all.clear();
    }
}

/// Returns the files in which each connection marks its stripes, a byte each.
pub(super) fn marks(to: &str) -> impl Iterator<Item = String> {
    let part = part(to);
    (0..LANES).map(move |index| format!("{part}.{index}"))
}

/// Returns them as shell words.
pub(super) fn quoted_marks(to: &str) -> String {
    marks(to).map(|mark| quote(&mark)).collect::<Vec<_>>().join(" ")
}

/// Returns source of the function `reach`, which prints up to where no stripe is missing; without marks
/// that is all of the file.
pub(super) fn reach(to: &str) -> String {
    format!(
        "reach() {{\n\
         local index=0 all least there mark\n\
         all=$(stat -L -c %s /dev/fd/6) least=\n\
         for mark in {}; do\n\
         there=$(stat -c %s -- \"$mark\") || {{ echo \"$all\"; return; }}\n\
         there=$(((there * {LANES} + index) * {STRIPE})) index=$((index + 1))\n\
         [ \"${{least:-$there}}\" -lt \"$there\" ] || least=$there\n\
         done\n\
         [ \"$least\" -lt \"$all\" ] || least=$all\n\
         echo \"$least\"\n\
         }}",
        quoted_marks(to)
    )
}

async fn ended(work: &mut JoinHandle<Result<(), Error>>) -> Option<Error> {
    match work.await {
        Ok(outcome) => outcome.err(),
        // A task of ours ends otherwise only by a panic, which is to be seen as one.
        Err(join) => std::panic::resume_unwind(join.into_panic()),
    }
}

/// Sends what comes over a connection of its own.
async fn lane(
    session: Session,
    to: String,
    index: usize,
    mut blocks: mpsc::Receiver<Bytes>,
) -> Result<(), Error> {
    let own = session.reconnect().await?;
    let mut pipe = Pipe::open(&own, preamble::SPAWN, Bounds::work()).await?;
    let writer = pipe.writer();
    writer.data_bytes(preamble::line(&own.fenced(&receive(&to, index)))).await.map_err(|_| own.lost())?;
    'sending: while let Some(block) = blocks.recv().await {
        let write = writer.data_bytes(block);
        tokio::pin!(write);
        loop {
            tokio::select! {
                biased;
                written = &mut write => {
                    written.map_err(|_| own.lost())?;
                    break;
                }
                // A host that stops taking them has a reason, and says it at its end.
                heard = pipe.next() => if heard.is_none() { break 'sending },
            }
        }
    }
    let _ = writer.eof().await;
    while pipe.next().await.is_some() {}
    let (status, stderr) = pipe.outcome()?;
    own.close().await;
    if status == 0 {
        return Ok(());
    }
    Err(Error::CommandFailed {
        host: session.name().to_owned(),
        what: format!("writing {to}"),
        status,
        stderr,
    })
}

/// Writes every [`LANES`]th stripe of stdin's file, from the `index`th on.
fn receive(to: &str, index: usize) -> String {
    let (mark, part) = (marks(to).nth(index).unwrap_or_default(), quote(&part(to)));
    format!(
        "set -eu\n\
         at={index}\n\
         while said=$(dd of={part} bs=64K count={count} iflag=fullblock oflag=seek_bytes \
         seek=$((at * {STRIPE})) conv=sparse,notrunc 2>&1) || {{ echo \"$said\" >&2; exit 1; }}; do\n\
         case $said in '0+0 records in'*) break ;; esac\n\
         printf x >> {mark}\n\
         at=$((at + {LANES}))\n\
         done\n",
        count = STRIPE >> 16,
        mark = quote(&mark),
    )
}
