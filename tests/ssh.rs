//! The SSH client against real OpenSSH servers on loopback ports.

mod sshd;

use std::time::{Duration, Instant};

use ocp2::{
    command::Script,
    host::{Error, Keyring, Output, Refuse, Session, Target},
};
use sshd::Sshd;

async fn connect(target: &Target) -> Result<Session, Error> {
    Session::connect(target, &Keyring::new(Refuse)).await
}

async fn run(session: &Session, source: &str) -> Result<Output, Error> {
    session.run(&Script::new().line(source), |_| ()).await
}

#[tokio::test]
async fn a_script_runs_as_root_and_says_how_it_ended() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let mut lines = Vec::new();
    let script = Script::new().line("id -u; echo two >&2; printf three; exit 7");
    let output = session.run(&script, |line| lines.push(line.to_owned())).await.unwrap();
    assert_eq!((output.status, output.text().as_ref(), output.stderr.as_str()), (7, "0\nthree", "two\n"));
    assert_eq!(lines, ["0", "three"]);
}

#[tokio::test]
async fn handshake_is_quick() {
    let sshd = Sshd::start();
    let target = sshd.target();
    for _ in 0..10 {
        let start = Instant::now();
        let session = connect(&target).await.unwrap();
        let connected = start.elapsed();
        run(&session, "true").await.unwrap();
        eprintln!("connect {connected:?}, run {:?}", start.elapsed() - connected);
    }
    assert!(Duration::ZERO < Duration::MAX);
}
