//! Files, sent and read back; what goes from host to host is tested on the lab's hosts.

use std::{
    fs,
    io::Cursor,
    os::unix::fs::MetadataExt,
    pin::Pin,
    task::{Context, Poll},
};

use ocp2::host::Error;
use tokio::io::{AsyncRead, ReadBuf};

use crate::{connect, sshd::Sshd};

/// Returns 24 MB: noise, 8 MB of zeros, noise, and zeros at the end.
fn image() -> Vec<u8> {
    let noise: Vec<u8> =
        (0_u32..2_000_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let zeros = vec![0; 8 << 20];
    [&noise[..], &zeros, &noise[..12345], &zeros[..3 << 20]].concat()
}

#[tokio::test]
async fn a_file_arrives_with_its_holes() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let image = image();
    let to = sshd.path("it's an image").display().to_string();
    let mut heard = Vec::new();
    let sent = session.upload(&image[..], &to, "0600", |size| heard.push(size)).await.unwrap();
    let arrived = fs::metadata(&to).unwrap();
    assert_eq!(fs::read(&to).unwrap(), image);
    assert_eq!(sent.size, image.len() as u64);
    assert!(heard.is_sorted() && heard.last() == Some(&sent.size));
    // What was never written takes no room.
    assert!(arrived.blocks() * 512 < arrived.len() - (8 << 20), "{} blocks", arrived.blocks());
    assert!(!fs::exists(format!("{to}.part")).unwrap());
}

/// A file that cuts the connection when half of it is read.
struct Cutting<'a>(Cursor<Vec<u8>>, Option<&'a Sshd>);

impl AsyncRead for Cutting<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.0.position() > 12 << 20
            && let Some(sshd) = self.1.take()
        {
            sshd.cut();
        }
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

#[tokio::test]
async fn a_transfer_that_was_cut_off_starts_anew() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let to = sshd.path("copy").display().to_string();
    let half = Cutting(Cursor::new(image()), Some(&sshd));
    let error = session.upload(half, &to, "0600", |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    assert!(!fs::exists(&to).unwrap());
    fs::write(format!("{to}.part"), "what was left").unwrap();
    let session = session.reconnect().await.unwrap();
    session.upload(&image()[..], &to, "0600", |_| ()).await.unwrap();
    assert_eq!(fs::read(&to).unwrap(), image());
}

#[tokio::test]
async fn transfers_fail_for_a_reason() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let missing = sshd.path("missing").display().to_string();
    let error = session.upload(&b"x"[..], &format!("{missing}/to"), "0600", |_| ()).await.unwrap_err();
    assert!(
        matches!(&error, Error::CommandFailed { stderr, .. } if stderr.contains("No such file")),
        "{error}"
    );
    let error = session.digest(&missing).await.unwrap_err();
    assert!(matches!(error, Error::NoFile { .. }), "{error}");
}

#[tokio::test]
async fn a_file_is_sent_and_read_back() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let path = sshd.path("kube'config").display().to_string();
    let digest = session.upload(&b"secret"[..], &path, "0600", |_| ()).await.unwrap();
    assert_eq!(digest.size, 6);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(session.read(&path, 6).await.unwrap(), b"secret");
    assert_eq!(session.digest(&path).await.unwrap(), digest);
    assert!(matches!(session.read(&path, 5).await.unwrap_err(), Error::TooLarge { limit: 5, .. }));
    assert!(matches!(session.read("/nowhere", 5).await.unwrap_err(), Error::NoFile { .. }));
    let empty = sshd.path("empty").display().to_string();
    assert_eq!(session.upload(&b""[..], &empty, "0644", |_| ()).await.unwrap().size, 0);
    assert_eq!(session.read(&empty, 5).await.unwrap(), b"");
}
