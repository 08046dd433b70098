//! Files, sent and read back; what goes from host to host is tested on the lab's hosts.

use std::{
    fs,
    io::Cursor,
    os::unix::fs::MetadataExt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use ocp2::host::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf},
    net::{TcpListener, TcpStream},
    time::Instant,
};

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
    let sent =
        session.upload(&image[..], image.len() as u64, &to, "0600", |size| heard.push(size)).await.unwrap();
    let arrived = fs::metadata(&to).unwrap();
    assert_eq!(fs::read(&to).unwrap(), image);
    assert_eq!(sent.size, image.len() as u64);
    assert!(heard.is_sorted() && heard.last() == Some(&sent.size));
    // What was never written takes no room.
    assert!(arrived.blocks() * 512 < arrived.len() - (8 << 20), "{} blocks", arrived.blocks());
    assert!(!fs::exists(format!("{to}.part")).unwrap());
}

#[tokio::test]
async fn a_file_is_on_the_disk_before_it_has_its_name() {
    let sshd = Sshd::traced();
    let session = connect(&sshd.target()).await.unwrap();
    let to = sshd.path("image").display().to_string();
    let image = image();
    session.upload(&image[..], image.len() as u64, &to, "0600", |_| ()).await.unwrap();
    let trace = fs::read_to_string(sshd.path("trace")).unwrap();
    let at = |call: &str| trace.find(call).unwrap_or_else(|| panic!("there is no {call} in\n{trace}"));
    let (forced, named) = (at(&format!("sync(3<{to}.part>)")), at(&format!("\"{to}\"")));
    let folder = at(&format!("sync(3<{}>)", sshd.folder.path().display()));
    assert!(forced < named && named < folder, "{trace}");
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
    let error = session.upload(half, 24 << 20, &to, "0600", |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    assert!(!fs::exists(&to).unwrap());
    // What was left, here also of a far host's.
    for left in ["part", "part.0", "part.3"] {
        fs::write(format!("{to}.{left}"), "what was left").unwrap();
    }
    let session = session.reconnect().await.unwrap();
    session.upload(&image()[..], image().len() as u64, &to, "0600", |_| ()).await.unwrap();
    assert_eq!(fs::read(&to).unwrap(), image());
    assert!(!["part", "part.0", "part.3"].iter().any(|left| fs::exists(format!("{to}.{left}")).unwrap()));
}

#[tokio::test]
async fn transfers_fail_for_a_reason() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let missing = sshd.path("missing").display().to_string();
    let error = session.upload(&b"x"[..], 1, &format!("{missing}/to"), "0600", |_| ()).await.unwrap_err();
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
    let digest = session.upload(&b"secret"[..], 6, &path, "0600", |_| ()).await.unwrap();
    assert_eq!(digest.size, 6);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(session.read(&path, 6).await.unwrap(), b"secret");
    assert_eq!(session.digest(&path).await.unwrap(), digest);
    assert!(matches!(session.read(&path, 5).await.unwrap_err(), Error::TooLarge { limit: 5, .. }));
    assert!(matches!(session.read("/nowhere", 5).await.unwrap_err(), Error::NoFile { .. }));
    let empty = sshd.path("empty").display().to_string();
    assert_eq!(session.upload(&b""[..], 0, &empty, "0644", |_| ()).await.unwrap().size, 0);
    assert_eq!(session.read(&empty, 5).await.unwrap(), b"");
}

/// Puts a round trip of 40 ms before an sshd; returns the port, and how many connections there were.
async fn far(sshd: &Sshd) -> (u16, Arc<AtomicUsize>) {
    const ONE_WAY: Duration = Duration::from_millis(20);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (port, target) = (listener.local_addr().unwrap().port(), sshd.port);
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let there = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
            let ((from_near, to_near), (from_there, to_there)) = (near.into_split(), there.into_split());
            for (mut from, mut to) in [(from_near, to_there), (from_there, to_near)] {
                let (late, mut due) = tokio::sync::mpsc::unbounded_channel();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 1 << 16];
                    while let Ok(read @ 1..) = from.read(&mut buffer).await {
                        late.send((Instant::now() + ONE_WAY, buffer[..read].to_vec())).unwrap();
                    }
                });
                tokio::spawn(async move {
                    while let Some((at, data)) = due.recv().await {
                        tokio::time::sleep_until(at).await;
                        if to.write_all(&data).await.is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    (port, connections)
}

#[tokio::test]
async fn a_large_file_goes_to_a_far_host_over_several_connections() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    let (port, connections) = far(&sshd).await;
    target.port = Some(port);
    std::fs::write(
        sshd.path("known_hosts"),
        fs::read_to_string(sshd.path("known_hosts"))
            .unwrap()
            .replace(&sshd.name(), &format!("[127.0.0.1]:{port}")),
    )
    .unwrap();
    let session = connect(&target).await.unwrap();
    assert!(session.round_trip().await.unwrap() >= Duration::from_millis(40));
    // Not a whole number of stripes; a hole in the middle of one, and one at the end.
    let image = [image(), image()].concat();
    let to = sshd.path("far").display().to_string();
    let mut heard = Vec::new();
    let sent = session.upload(&image[..], image.len() as u64, &to, "0640", |size| heard.push(size)).await;
    let sent = sent.unwrap();
    assert!(fs::read(&to).unwrap() == image, "another file arrived");
    let arrived = fs::metadata(&to).unwrap();
    assert_eq!((sent.size, arrived.mode() & 0o777), (image.len() as u64, 0o640));
    assert_eq!(session.digest(&to).await.unwrap(), sent);
    assert!(heard.is_sorted() && heard.last() == Some(&sent.size));
    assert!(arrived.blocks() * 512 < arrived.len() - (16 << 20), "{} blocks", arrived.blocks());
    assert!(!fs::exists(format!("{to}.part")).unwrap());
    assert_eq!(connections.load(Ordering::Relaxed), 5);

    // A file that is shorter than it was said to be is none.
    let error = session.upload(&image[..], image.len() as u64 + 1, &to, "0640", |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::Local { .. }), "{error}");
    assert!(!fs::exists(format!("{to}.part")).unwrap());
    // What was cut off is no file, and is in nobody's way.
    let half = Cutting(Cursor::new(image.clone()), Some(&sshd));
    let error = session.upload(half, image.len() as u64, &to, "0640", |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    let session = session.reconnect().await.unwrap();
    session.upload(&image[..], image.len() as u64, &to, "0640", |_| ()).await.unwrap();
    assert!(fs::read(&to).unwrap() == image, "another file arrived after the cut");
    let nowhere = sshd.path("nowhere/far").display().to_string();
    let error = session.upload(&image[..], image.len() as u64, &nowhere, "0640", |_| ()).await.unwrap_err();
    assert!(
        matches!(&error, Error::CommandFailed { stderr, .. } if stderr.contains("No such file")),
        "{error}"
    );
}
