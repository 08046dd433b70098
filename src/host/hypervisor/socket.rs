//! A private Unix socket, piped to libvirt's helper on a host.

use std::{io, os::unix::ffi::OsStrExt, path::PathBuf, sync::Arc};

use bytes::BytesMut;
use russh::{ChannelWriteHalf, client::Msg};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixListener,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::host::{Bounds, Error, Session, pipe::Pipe, preamble};

/// A listening socket in a folder that only we can enter.
pub(super) struct Socket {
    folder: TempDir,
    listener: UnixListener,
}

const NAME: &str = "libvirt";

/// The kernel's limit for a socket's path, with its final NUL.
const MOST_PATH: usize = 108;

impl Socket {
    /// Makes the socket in the user's runtime folder, else where temporary files go.
    pub fn bind() -> io::Result<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let mut last = io::Error::other("there is no folder for a socket");
        for parent in runtime.into_iter().chain([std::env::temp_dir(), PathBuf::from("/tmp")]) {
            // A TempDir has mode 0700 from the start.
            let made = tempfile::Builder::new().prefix("ocp2-").tempdir_in(&parent).and_then(|folder| {
                let path = folder.path().join(NAME);
                if path.as_os_str().len() >= MOST_PATH {
                    return Err(io::Error::other(format!("{} is too long for a socket", path.display())));
                }
                Ok(Self { listener: UnixListener::bind(path)?, folder })
            });
            match made {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Returns the URI under which libvirt's library finds the socket.
    pub fn uri(&self, driver: &str) -> String {
        let path = self.folder.path().join(NAME);
        let escaped: String = path
            .as_os_str()
            .as_bytes()
            .iter()
            .map(|&byte| match byte {
                b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
                _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        format!("{driver}+unix:///system?socket={escaped}")
    }

    /// Takes the one connection, and pipes it to the host; returns how the helper ended.
    pub async fn serve(self, session: Session) -> Result<(i32, String), Error> {
        let Self { folder, listener } = self;
        let lost = || session.lost();
        // The helper is started while the library connects: neither waits for the other.
        let (pipe, accepted) = tokio::join!(start(&session), listener.accept());
        let (stream, _) = accepted.map_err(|_| lost())?;
        // Nobody else is to connect.
        drop(listener);
        drop(folder);
        let mut pipe = pipe?;
        let (from, mut to) = stream.into_split();
        let upload = upload(from, pipe.writer());
        tokio::pin!(upload);
        let (mut uploaded, mut refused) = (false, false);
        loop {
            tokio::select! {
                () = &mut upload, if !uploaded => uploaded = true,
                data = pipe.next() => {
                    let Some(data) = data else { break };
                    if to.write_all(&data).await.is_err() {
                        refused = true;
                        break;
                    }
                }
            }
        }
        hang_up(to).await;
        // The library hung up on what it was told: it knows why, and the helper's end is our own doing.
        if refused { Ok((0, String::new())) } else { pipe.outcome() }
    }
}

/// Starts the helper. It finds the right daemon by itself, modular or not.
async fn start(session: &Session) -> Result<Pipe, Error> {
    let pipe = Pipe::open(session, preamble::SPAWN, Bounds::stream()).await?;
    let script = preamble::line(&session.fenced("exec virt-ssh-helper qemu:///system"));
    pipe.writer().data_bytes(script).await.map_err(|_| session.lost())?;
    Ok(pipe)
}

/// Carries what the library says to the host.
async fn upload(mut from: OwnedReadHalf, writer: Arc<ChannelWriteHalf<Msg>>) {
    let mut buffer = BytesMut::with_capacity(64 << 10);
    while let Ok(1..) = from.read_buf(&mut buffer).await {
        if writer.data_bytes(buffer.split().freeze()).await.is_err() {
            return;
        }
        buffer.reserve(64 << 10);
    }
    let _ = writer.eof().await;
}

async fn hang_up(mut to: OwnedWriteHalf) {
    let _ = to.shutdown().await;
}
