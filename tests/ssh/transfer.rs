//! Files, from here and from host to host.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use ocp2::host::Error;

use crate::{connect, sshd::Sshd};

/// Writes 24 MB: noise, 8 MB of zeros, noise, and zeros at the end.
fn image(sshd: &Sshd) -> String {
    let noise: Vec<u8> =
        (0_u32..2_000_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let zeros = vec![0; 8 << 20];
    let path = sshd.path("it's an image");
    fs::write(&path, [&noise[..], &zeros, &noise[..12345], &zeros[..3 << 20]].concat()).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_file_is_carried_to_another_host_with_its_holes() {
    let (one, two) = (Sshd::start(), Sshd::start());
    let (from, to) = (connect(&one.target()).await.unwrap(), connect(&two.target()).await.unwrap());
    let image = image(&one);
    let copy = two.path("a copy").display().to_string();
    let mut heard = Vec::new();
    let sent = from.copy_to(&image, &to, &copy, "0600", |size| heard.push(size)).await.unwrap();
    let (source, arrived) = (fs::metadata(&image).unwrap(), fs::metadata(&copy).unwrap());
    assert_eq!(fs::read(&image).unwrap(), fs::read(&copy).unwrap());
    assert!(sent.changed && sent.digest.size == source.len());
    assert!(heard.is_sorted() && heard.last() == Some(&source.len()));
    // What was never written takes no room.
    assert!(arrived.blocks() * 512 < arrived.len() - (8 << 20), "{} blocks", arrived.blocks());
    assert!(!fs::exists(format!("{copy}.part")).unwrap());

    // What has the right content is not sent, but what it holds is for nobody else all the same.
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
    let sent = from.copy_to(&image, &to, &copy, "0600", |_| panic!("it is there already")).await.unwrap();
    assert!(!sent.changed);
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);
    // The same size, another content.
    let mut damaged = fs::read(&copy).unwrap();
    damaged[1000] ^= 1;
    fs::write(&copy, damaged).unwrap();
    assert!(from.copy_to(&image, &to, &copy, "0600", |_| ()).await.unwrap().changed);
    assert_eq!(fs::read(&image).unwrap(), fs::read(&copy).unwrap());
}

#[tokio::test]
async fn a_transfer_that_was_cut_off_starts_anew() {
    let (one, two) = (Sshd::start(), Sshd::start());
    let (from, to) = (connect(&one.target()).await.unwrap(), connect(&two.target()).await.unwrap());
    let image = image(&one);
    let copy = two.path("copy").display().to_string();
    let cut = from.copy_to(&image, &to, &copy, "0600", |size| {
        if size > 4 << 20 {
            two.cut();
        }
    });
    let error = cut.await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    assert!(!fs::exists(&copy).unwrap());
    fs::write(format!("{copy}.part"), "what was left").unwrap();
    let to = to.reconnect().await.unwrap();
    from.copy_to(&image, &to, &copy, "0600", |_| ()).await.unwrap();
    assert_eq!(fs::read(&image).unwrap(), fs::read(&copy).unwrap());
}

#[tokio::test]
async fn transfers_fail_for_a_reason() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let (missing, to) = (sshd.path("missing").display().to_string(), sshd.path("to").display().to_string());
    let error = session.copy_to(&missing, &session, &to, "0600", |_| ()).await.unwrap_err();
    assert!(matches!(error, Error::NoFile { .. }), "{error}");
    assert!(!fs::exists(&to).unwrap());
    let error = session.upload(&b"x"[..], &format!("{missing}/to"), "0600", |_| ()).await.unwrap_err();
    assert!(
        matches!(&error, Error::CommandFailed { stderr, .. } if stderr.contains("No such file")),
        "{error}"
    );
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
