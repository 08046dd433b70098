//! Files: read and sent; [`super::relay`] takes them from host to host.
//!
//! Bulk data has connections of its own: on a shared one it would hold up every probe and
//! heartbeat, for a channel that is not read stops all others. Nothing is kept on this machine,
//! neither in memory nor on disk.
//!
//! A file arrives as `NAME.part`, with holes where it has zeros; what arrived is hashed on the
//! way, and only what has the right SHA-256 gets its name.

use tokio::io::AsyncRead;

use super::{
    Bounds, Error, Session,
    upload::{Check, Upload},
};
use crate::command::{Command, Script, quote};

/// SHA-256 and size of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// Length in bytes.
    pub size: u64,
}

/// What the programs that read a file may print beside it, bytes.
const MESSAGES: usize = 64 << 10;

/// The status with which our scripts say that there is no such file.
const NO_FILE: i32 = 44;

/// Hashes stdin. Debian's `sha256sum` does without the CPU's instructions for it: 0.2 GB/s, where
/// openssl makes 1.5.
pub(super) const HASH: &str =
    "hash() { if command -v openssl >/dev/null; then openssl dgst -sha256 -r; else sha256sum; fi; }";

/// `follow FILE FROM SIZE [PID]` prints a file from an offset on while it is written, up to `SIZE` bytes
/// or until its writer has ended; whatever name it has by then. What is below `reach` is final: below the
/// file's size, where nothing else is said.
///
/// So what arrives is hashed, or given to the next host, beside being written: `tee` would take more of
/// a core than all the rest, for it copies 8 KiB at a time. Less than 32 MiB are waited for a second, as
/// each look and each copy is two programs.
pub(super) const FOLLOW: &str = r#"reach() { stat -L -c %s /dev/fd/6; }
follow() {
  local at=$2 skip=$2 there waited=0
  exec 6<"$1"
  while [ "$at" -lt "$3" ]; do
    there=$(reach)
    if [ "$there" -gt "$at" ] &&
      { [ "$((there - at))" -ge 33554432 ] || [ "$there" -ge "$3" ] || [ "$waited" -ge 10 ]; }; then
      dd bs=64K iflag=skip_bytes,count_bytes skip="$skip" count="$((there - at))" status=none <&6 || return
      at=$there skip=0 waited=0
    elif [ -z "${4-}" ] || kill -0 "$4" 2>/dev/null; then
      sleep 0.1
      waited=$((waited + 1))
    elif [ "$(reach)" = "$at" ]; then
      return
    else
      waited=10
    fi
  done
}"#;

impl Session {
    /// Reads a file that root can read.
    ///
    /// # Errors
    /// [`Error::NoFile`], [`Error::TooLarge`] for more than `limit` bytes, and those of [`Session::run`].
    pub async fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, Error> {
        let script = Script::new()
            .line(format_args!("[ -e {0} ] || exit {NO_FILE}", quote(path)))
            .line(Command::new("head").args(["-c", &(limit + 1).to_string(), "--", path]));
        let bounds =
            Bounds { bytes: Some(limit.saturating_add(MESSAGES)), ..Bounds::question(self.answer()) };
        let output = self.run_within(bounds, &script, |_| ()).await?;
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
        let digest = parse(&output.text()).and_then(|(size, sha256)| Some(Digest { size, sha256: sha256? }));
        digest.ok_or_else(|| Error::CommandFailed {
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

    /// Sends the `size` bytes that `from` reads into a file with the given mode (`"0600"`).
    ///
    /// A host that is far gets a large one over several connections at once.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file did not arrive as it is, [`Error::Local`] where `from`
    /// cannot be read, and those of [`Session::reconnect`] and [`Session::run`].
    pub async fn upload(
        &self,
        from: impl AsyncRead + Unpin + Send,
        size: u64,
        to: &str,
        mode: &str,
        progress: impl FnMut(u64) + Send,
    ) -> Result<Digest, Error> {
        let mut upload = Upload::begin(self, (to, mode, size), Check::Here).await?;
        let digest = upload.send(from, progress).await?;
        upload.keep().await?;
        Ok(digest)
    }

    /// Makes the error of a file that is not `wanted`.
    pub(super) fn corrupt(&self, path: &str, wanted: &Digest, arrived: Digest) -> Error {
        Error::Corrupt {
            host: self.name().to_owned(),
            path: path.to_owned(),
            wanted: Box::new(wanted.clone()),
            arrived: Box::new(arrived),
        }
    }
}

/// Reads a size, and a hash where there is one.
pub(super) fn parse(text: &str) -> Option<(u64, Option<String>)> {
    let mut words = text.split_whitespace();
    let size = words.next()?.parse().ok()?;
    Some((size, words.next().filter(|word| is_sha256(word)).map(str::to_owned)))
}

/// Tells whether a word that a host printed is SHA-256 in lower-case hexadecimal.
pub(super) fn is_sha256(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
