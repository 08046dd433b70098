//! Files: read, sent, and carried from host to host.
//!
//! Bulk data has connections of its own: on a shared one it would hold up every probe and
//! heartbeat, for a channel that is not read stops all others. Nothing is kept on this machine,
//! neither in memory nor on disk.
//!
//! A file arrives as `NAME.part`, with holes where it has zeros; what arrived is hashed on the
//! way, and only what has the right SHA-256 gets its name.

use bytes::BytesMut;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Error, Session, pipe::Pipe, preamble, sink::Sink};
use crate::command::{Command, Script, quote};

/// SHA-256 and size of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub size: u64,
}

/// What became of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What the file is now, on both ends.
    pub digest: Digest,
    /// It was not there before.
    pub changed: bool,
}

/// The status with which our scripts say that there is no such file.
const NO_FILE: i32 = 44;

/// Hashes stdin. Debian's `sha256sum` does without the CPU's instructions for it: 0.2 GB/s, where
/// openssl makes 1.5.
pub(super) const HASH: &str =
    "hash() { if command -v openssl >/dev/null; then openssl dgst -sha256 -r; else sha256sum; fi; }";

/// What is read and sent at once.
const BLOCK: usize = 256 << 10;

impl Session {
    /// Reads a file that root can read.
    ///
    /// # Errors
    /// [`Error::NoFile`], [`Error::TooLarge`] for more than `limit` bytes, and those of [`Session::run`].
    pub async fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, Error> {
        let script = Script::new()
            .line(format_args!("[ -e {0} ] || exit {NO_FILE}", quote(path)))
            .line(Command::new("head").args(["-c", &(limit + 1).to_string(), "--", path]));
        let output = self.run(&script, |_| ()).await?;
        let output = self.found(path, output.status).map(|()| output)?;
        let output = output.checked(self.name(), &format!("reading {path}"))?;
        if output.stdout.len() > limit {
            return Err(Error::TooLarge { host: self.name().to_owned(), path: path.to_owned(), limit });
        }
        Ok(output.stdout)
    }

    /// Hashes a file on the host.
    ///
    /// # Errors
    /// [`Error::NoFile`], and those of [`Session::run`].
    pub async fn digest(&self, path: &str) -> Result<Digest, Error> {
        let script = Script::new()
            .line("set -eu -o pipefail")
            .line(HASH)
            .line(format_args!("[ -f {0} ] || exit {NO_FILE}", quote(path)))
            .line(Command::new("stat").args(["-L", "-c", "%s", "--", path]))
            .line(format_args!("hash < {}", quote(path)));
        let output = self.run(&script, |_| ()).await?;
        self.found(path, output.status)?;
        let output = output.checked(self.name(), &format!("hashing {path}"))?;
        parse(&output.text()).ok_or_else(|| Error::CommandFailed {
            host: self.name().to_owned(),
            what: format!("hashing {path}"),
            status: 0,
            stderr: format!("sha256sum printed {:?}", output.text()),
        })
    }

    fn found(&self, path: &str, status: i32) -> Result<(), Error> {
        if status == NO_FILE {
            return Err(Error::NoFile { host: self.name().to_owned(), path: path.to_owned() });
        }
        Ok(())
    }

    /// Carries a file to another host, through this machine. A file that is there already, with
    /// the same content, is not sent, and only gets the mode. `progress` hears how many bytes have been carried.
    ///
    /// # Errors
    /// [`Error::NoFile`] on this side, [`Error::Corrupt`] where the file did not arrive as it is,
    /// and those of [`Session::connect`] and [`Session::run`] on either side.
    pub async fn copy_to(
        &self,
        from: &str,
        other: &Self,
        to: &str,
        mode: &str,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Sent, Error> {
        let mut known = None;
        if let (Some(here), Some(there)) = tokio::try_join!(self.size(from), other.size(to))?
            && here == there
        {
            let (ours, theirs) = tokio::try_join!(self.digest(from), other.digest(to))?;
            if ours == theirs {
                other.set_mode(to, mode).await?;
                return Ok(Sent { digest: ours, changed: false });
            }
            known = Some(ours);
        }
        // Hashed on the source while its bytes travel: both read the same page cache.
        let hash = async {
            match known {
                Some(digest) => Ok(digest),
                None => self.digest(from).await,
            }
        };
        let (wanted, (digest, sink)) =
            tokio::try_join!(hash, self.stream(from, other, (to, mode), &mut progress))?;
        if digest != wanted {
            return Err(other.corrupt(to, &wanted, digest));
        }
        sink.name().await?;
        Ok(Sent { digest, changed: true })
    }

    /// Carries the bytes; returns what arrived.
    async fn stream(
        &self,
        from: &str,
        other: &Self,
        (to, mode): (&str, &str),
        progress: &mut (impl FnMut(u64) + Send),
    ) -> Result<(Digest, Sink), Error> {
        let (source, sink) = tokio::try_join!(self.reconnect(), other.reconnect())?;
        let mut pipe = Pipe::open(&source, preamble::SPAWN).await?;
        let script = format!("exec cat -- {} </dev/null", quote(from));
        pipe.writer().data_bytes(preamble::line(&script)).await.map_err(|_| source.lost())?;
        let mut sink = Sink::open(&sink, to, mode).await?;
        let mut size = 0;
        while let Some(data) = pipe.next().await {
            size += data.len() as u64;
            sink.write(data).await?;
            progress(size);
        }
        let (status, stderr) = pipe.outcome()?;
        if status != 0 {
            let (host, what) = (self.name().to_owned(), format!("reading {from}"));
            return Err(Error::CommandFailed { host, what, status, stderr });
        }
        Ok((sink.arrived().await?, sink))
    }

    /// Sends what `from` reads into a file with the given mode (`"0600"`).
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file did not arrive as it is, [`Error::Local`] where `from`
    /// cannot be read, and those of [`Session::connect`] and [`Session::run`].
    pub async fn upload(
        &self,
        mut from: impl AsyncRead + Unpin + Send,
        to: &str,
        mode: &str,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Digest, Error> {
        let own = self.reconnect().await?;
        let mut sink = Sink::open(&own, to, mode).await?;
        let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, BytesMut::new());
        loop {
            buffer.reserve(BLOCK);
            let read = from.read_buf(&mut buffer).await.map_err(|error| Error::Local {
                host: self.name().to_owned(),
                what: format!("reading what goes to {to}"),
                reason: error.to_string(),
            })?;
            if read == 0 {
                break;
            }
            let data = buffer.split().freeze();
            hash.update(&data);
            sink.write(data).await?;
            size += read as u64;
            progress(size);
        }
        let ours = Digest { sha256: data_encoding::HEXLOWER.encode(&hash.finalize()), size };
        let digest = sink.arrived().await?;
        if digest != ours {
            return Err(self.corrupt(to, &ours, digest));
        }
        sink.name().await?;
        Ok(digest)
    }

    /// Returns a file's size, `None` where there is no file.
    async fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        let script = Script::new().line(Command::new("stat").args(["-L", "-c", "%s", "--", path]));
        Ok(self.run(&script, |_| ()).await?.text().trim().parse().ok())
    }

    async fn set_mode(&self, path: &str, mode: &str) -> Result<(), Error> {
        let script = Script::new().line(Command::new("chmod").args(["--", mode, path]));
        self.run(&script, |_| ()).await?.checked(self.name(), &format!("setting the mode of {path}"))?;
        Ok(())
    }

    fn corrupt(&self, path: &str, wanted: &Digest, arrived: Digest) -> Error {
        Error::Corrupt {
            host: self.name().to_owned(),
            path: path.to_owned(),
            wanted: Box::new(wanted.clone()),
            arrived: Box::new(arrived),
        }
    }
}

/// Reads a size and a hash.
pub(super) fn parse(text: &str) -> Option<Digest> {
    let mut words = text.split_whitespace();
    let size = words.next()?.parse().ok()?;
    let sha256 = words.next().filter(|hash| hash.len() == 64)?.to_owned();
    Some(Digest { sha256, size })
}
