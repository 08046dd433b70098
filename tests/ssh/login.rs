//! Keys, passphrases, agents and certificates.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use ocp2::host::{Error, Keyring, Session};

use crate::{
    connect,
    sshd::{Answer, Sshd, keygen, user},
};

/// Lets another key in, instead of the usual one.
fn let_in(sshd: &Sshd, name: &str, options: &[&str]) -> PathBuf {
    let path = sshd.path(name);
    keygen(&path, options);
    fs::copy(sshd.path(&format!("{name}.pub")), sshd.path("authorized_keys")).unwrap();
    path
}

#[tokio::test]
async fn a_key_the_host_does_not_know_is_named_in_the_error() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    keygen(&sshd.path("stranger"), &["-t", "ed25519"]);
    fs::copy(sshd.path("stranger.pub"), sshd.path("authorized_keys")).unwrap();
    target.identity_file = None;
    let error = connect(&target).await.unwrap_err();
    let Error::AuthenticationFailed { tried, user: who, .. } = &error else { panic!("{error}") };
    assert_eq!(*who, user());
    assert_eq!(*tried, [format!("{}: not accepted", sshd.path("id").display())]);
    assert!(error.hint().unwrap().contains("ssh-copy-id"));
}

#[tokio::test]
async fn a_user_who_is_not_there_cannot_log_in() {
    let sshd = Sshd::start();
    let error = connect(&sshd.target().user("nobody-of-that-name")).await.unwrap_err();
    assert!(matches!(error, Error::AuthenticationFailed { .. }), "{error}");
}

#[tokio::test]
async fn the_inventorys_key_comes_first_and_must_be_there() {
    let sshd = Sshd::start();
    let key = let_in(&sshd, "mine", &["-t", "ecdsa"]);
    let mut target = sshd.target();
    target.identity_file = Some(key);
    connect(&target).await.unwrap();
    assert!(!sshd.log().contains("Failed publickey"), "{}", sshd.log());
    target.identity_file = Some(sshd.path("missing"));
    let error = connect(&target).await.unwrap_err();
    assert!(matches!(&error, Error::Configuration { reason, .. } if reason.contains("missing")), "{error}");
}

#[tokio::test]
async fn one_ecdsa_key_in_256_has_a_short_scalar_and_opens_the_host_as_well() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    for (name, mode) in [("short-scalar", 0o600), ("short-scalar.pub", 0o644)] {
        let path = sshd.path(name);
        fs::copy(format!("{}/tests/ssh/{name}", env!("CARGO_MANIFEST_DIR")), &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::copy(sshd.path("short-scalar.pub"), sshd.path("authorized_keys")).unwrap();
    target.identity_file = Some(sshd.path("short-scalar"));
    connect(&target).await.unwrap();
}

#[tokio::test]
async fn rsa_keys_sign_with_sha2() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    for options in [&["-t", "rsa", "-b", "2048"][..], &["-t", "rsa", "-b", "2048", "-m", "PEM"]] {
        let _ = fs::remove_file(sshd.path("rsa"));
        target.identity_file = Some(let_in(&sshd, "rsa", options));
        connect(&target).await.unwrap();
    }
    assert!(sshd.log().contains("rsa-sha2-512"), "{}", sshd.log());
}

#[tokio::test]
async fn a_locked_key_is_unlocked_once_for_all_hosts() {
    let (one, two) = (Sshd::start(), Sshd::start());
    let key = let_in(&one, "locked", &["-t", "ed25519", "-N", "open sesame"]);
    fs::copy(one.path("locked.pub"), two.path("authorized_keys")).unwrap();
    let (mut first, mut second) = (one.target(), two.target());
    first.identity_file = Some(key.clone());
    second.identity_file = Some(key);
    let answer = Answer { passphrase: Some("open sesame"), ..Answer::default() };
    let keyring = Keyring::new(answer.clone(), drop);
    let (first, second) =
        tokio::join!(Session::connect(&first, &keyring), Session::connect(&second, &keyring));
    first.unwrap();
    second.unwrap();
    assert_eq!(*answer.asked.lock().unwrap(), ["unlock locked"]);
}

#[tokio::test]
async fn a_wrong_passphrase_and_a_locked_pem_key_are_told_apart() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    let options = ["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "right"];
    target.identity_file = Some(let_in(&sshd, "pem", &options));
    let right = Answer { passphrase: Some("right"), ..Answer::default() };
    Session::connect(&target, &Keyring::new(right, drop)).await.unwrap();
    let wrong = Answer { passphrase: Some("wrong"), ..Answer::default() };
    let error = Session::connect(&target, &Keyring::new(wrong.clone(), drop)).await.unwrap_err();
    assert!(error.to_string().contains("the passphrase is wrong"), "{error}");
    assert_eq!(wrong.asked.lock().unwrap().len(), 3);
    let error = connect(&target).await.unwrap_err();
    assert!(error.to_string().contains("its passphrase was not given"), "{error}");
}

#[tokio::test]
async fn a_locked_key_the_host_does_not_take_is_not_asked_for() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    keygen(&sshd.path("locked"), &["-t", "ed25519", "-N", "secret"]);
    target.identity_file = Some(sshd.path("locked"));
    let answer = Answer { passphrase: Some("secret"), ..Answer::default() };
    // The configuration's own key comes after it, and works.
    Session::connect(&target, &Keyring::new(answer.clone(), drop)).await.unwrap();
    assert!(answer.asked.lock().unwrap().is_empty());
}

/// An ssh-agent of our own.
struct Agent(Child, PathBuf);

impl Agent {
    fn start(sshd: &Sshd) -> Self {
        let socket = sshd.path("agent");
        let child =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        while !socket.exists() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Self(child, socket)
    }

    fn add(&self, path: &std::path::Path) {
        let add = Command::new("ssh-add").arg("-q").arg(path).env("SSH_AUTH_SOCK", &self.1).status().unwrap();
        assert!(add.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_agents_keys_are_offered() {
    let sshd = Sshd::start();
    let agent = Agent::start(&sshd);
    for (name, options) in [("a", &["-t", "ed25519"][..]), ("b", &["-t", "rsa", "-b", "2048"])] {
        agent.add(&let_in(&sshd, name, options));
        fs::remove_file(sshd.path(name)).unwrap();
        sshd.target();
        let target = sshd.stranger("IdentityAgent @DIR@/agent\nIdentitiesOnly no");
        connect(&target).await.unwrap();
        // Of a key that is named, the public half is enough.
        let target = sshd
            .stranger(&format!("IdentityAgent @DIR@/agent\nIdentitiesOnly yes\nIdentityFile @DIR@/{name}"));
        connect(&target).await.unwrap();
        let error =
            connect(&sshd.stranger("IdentityAgent @DIR@/agent\nIdentitiesOnly yes")).await.unwrap_err();
        assert!(matches!(error, Error::AuthenticationFailed { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_named_key_is_offered_before_an_agents_many() {
    let sshd = Sshd::start();
    let agent = Agent::start(&sshd);
    // OpenSSH closes the connection after six wrong keys.
    for number in 0..8 {
        let path = sshd.path(&format!("wrong{number}"));
        keygen(&path, &["-t", "ed25519"]);
        agent.add(&path);
    }
    sshd.target();
    connect(&sshd.stranger("IdentityAgent @DIR@/agent")).await.unwrap();
    keygen(&sshd.path("unknown"), &["-t", "ed25519"]);
    fs::copy(sshd.path("unknown.pub"), sshd.path("authorized_keys")).unwrap();
    let error = connect(&sshd.stranger("IdentityAgent @DIR@/agent")).await.unwrap_err();
    assert!(matches!(&error, Error::AuthenticationFailed { .. }), "{error:?}");
    assert!(error.to_string().contains("authentication failures"), "{error}");
}

#[tokio::test]
async fn certificates_open_what_keys_do_not() {
    let sshd = Sshd::with("TrustedUserCAKeys @DIR@/ca.pub\nHostKey @DIR@/host_ed25519");
    let agent = Agent::start(&sshd);
    keygen(&sshd.path("ca"), &["-t", "ed25519"]);
    fs::write(sshd.path("authorized_keys"), "").unwrap();
    let sign = Command::new("ssh-keygen")
        .args(["-q", "-s"])
        .arg(sshd.path("ca"))
        .args(["-I", "test", "-n", &user()])
        .arg(sshd.path("id.pub"))
        .status()
        .unwrap();
    assert!(sign.success() && sshd.path("id-cert.pub").exists());
    sshd.target();
    connect(&sshd.stranger("")).await.unwrap();
    agent.add(&sshd.path("id"));
    for file in ["id", "id-cert.pub"] {
        fs::remove_file(sshd.path(file)).unwrap();
    }
    connect(&sshd.stranger("IdentityAgent @DIR@/agent")).await.unwrap();
}

#[tokio::test]
async fn a_host_that_wants_a_password_says_so() {
    let sshd = Sshd::with(
        "AuthenticationMethods publickey,password\nPasswordAuthentication yes\nHostKey @DIR@/host_ed25519",
    );
    let error = connect(&sshd.target()).await.unwrap_err();
    assert!(error.to_string().contains("accepted, but the host wants password as well"), "{error}");
}
