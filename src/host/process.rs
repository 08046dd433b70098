//! A long-running remote process that is talked to.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use russh::{ChannelWriteHalf, client::Msg};
use tokio::sync::{mpsc, oneshot};

use super::{
    Bounds, Error, Session,
    pipe::{Lines, Pipe},
    preamble,
};
use crate::command::Script;

/// A root process with a stdin that stays open. Dropped, its channel closes, and its stdin with it.
pub struct Process {
    session: Session,
    writer: Arc<ChannelWriteHalf<Msg>>,
    lines: mpsc::UnboundedReceiver<String>,
    /// Bytes of lines that nobody has taken yet.
    waiting: Arc<AtomicUsize>,
    /// The task that reads the channel holds it; this end tells it to let go.
    end: Option<oneshot::Receiver<Result<(i32, String), Error>>>,
    _alive: oneshot::Sender<()>,
}

/// The most that may wait for somebody to take it, bytes.
const MOST_WAITING: usize = 16 << 20;

impl Process {
    pub(super) async fn start(session: &Session, script: &Script) -> Result<Self, Error> {
        let mut pipe = Pipe::open(session, preamble::SPAWN, Bounds::stream()).await?;
        let writer = pipe.writer();
        // Not waited for: where the host does not read, the reader notices the end.
        let first = preamble::line(&session.fenced(script.source()));
        let feeder = Arc::clone(&writer);
        let (send, lines) = mpsc::unbounded_channel();
        let (ended, end) = oneshot::channel();
        let (alive, mut dropped) = oneshot::channel::<()>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let waits = Arc::clone(&waiting);
        let host = session.name().to_owned();
        feeder.data_bytes(first).await.map_err(|_| session.lost())?;
        // Read by a task of its own: a channel nobody reads holds up all others of the connection.
        tokio::spawn(async move {
            let mut cut = Lines::default();
            let pass_on = |line: &str| {
                waits.fetch_add(line.len() + 1, Ordering::Relaxed);
                let _ = send.send(line.to_owned());
            };
            loop {
                tokio::select! {
                    _ = &mut dropped => return,
                    data = pipe.next() => match data {
                        Some(data) => cut.take(&data, pass_on),
                        None => break,
                    },
                }
                if waits.load(Ordering::Relaxed) > MOST_WAITING {
                    let what = "faster than it is read".to_owned();
                    let _ = ended.send(Err(Error::TooMuch { host, what, limit: MOST_WAITING }));
                    return;
                }
            }
            cut.finish(pass_on);
            drop(send);
            let _ = ended.send(pipe.outcome());
        });
        Ok(Self { session: session.clone(), writer, lines, waiting, end: Some(end), _alive: alive })
    }

    /// Writes to the process's stdin.
    ///
    /// # Errors
    /// [`Error::ConnectionLost`] where the process or the connection is gone.
    pub async fn write(&self, data: &[u8]) -> Result<(), Error> {
        self.writer.data_bytes(data.to_vec()).await.map_err(|_| self.session.lost())
    }

    /// Closes the process's stdin.
    ///
    /// # Errors
    /// As [`Process::write`].
    pub async fn close_stdin(&self) -> Result<(), Error> {
        self.writer.eof().await.map_err(|_| self.session.lost())
    }

    /// Returns the next line of its output, `None` when there will be no more. Cancel safe.
    pub async fn line(&mut self) -> Option<String> {
        let line = self.lines.recv().await?;
        self.waiting.fetch_sub(line.len() + 1, Ordering::Relaxed);
        Some(line)
    }

    /// Waits for the process to end; returns its status and standard error.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn wait(mut self) -> Result<(i32, String), Error> {
        self.ended().await
    }

    /// Like [`Process::wait`], where the process cannot be given away; the end is told once.
    pub(super) async fn ended(&mut self) -> Result<(i32, String), Error> {
        let Some(end) = self.end.take() else { return Err(self.session.lost()) };
        end.await.unwrap_or_else(|_| Err(self.session.lost()))
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Process on {}", self.session.name())
    }
}
