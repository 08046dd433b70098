//! What a host may take of our time and memory.

use std::time::Duration;

use ocp2::{
    command::Script,
    host::{Bounds, Error},
};

use crate::{connect, run, sshd::Sshd};

/// Long enough for a shell to come up on a busy machine, and short enough to wait for.
const SOON: Duration = Duration::from_secs(3);

#[tokio::test]
async fn an_answer_that_does_not_end_is_not_read_to_its_end() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    for endless in ["cat /dev/zero", "yes", "yes >&2", "while :; do echo; done"] {
        let ended = session.ask(&Script::new().line(endless)).await;
        assert!(matches!(ended, Err(Error::TooMuch { limit: 16_777_216, .. })), "{endless}: {ended:?}");
    }
    // The connection is as good as before.
    assert_eq!(run(&session, "echo still here").await.unwrap().text(), "still here\n");
}

#[tokio::test]
async fn a_host_that_falls_silent_is_waited_for_as_long_as_was_said() {
    let sshd = Sshd::start();
    let mut target = sshd.target();
    target.answer = SOON;
    let session = connect(&target).await.unwrap();
    let silent = session.ask(&Script::new().line("sleep 600")).await.unwrap_err();
    assert_eq!(silent.to_string(), "bm1: no answer within 3 s: its script has begun and does not end");
    assert!(silent.is_access(), "it counts as a host that cannot be reached");
    // Work may take its time.
    assert_eq!(run(&session, "sleep 4; echo done").await.unwrap().text(), "done\n");
    let bounds = Bounds { time: Some(SOON), ..Bounds::work() };
    let late = session.run_within(bounds, &Script::new().line("echo one; sleep 600"), |_| ()).await;
    assert!(matches!(late, Err(Error::Silent { .. })), "{late:?}");
}

#[tokio::test]
async fn a_login_shell_that_hangs_or_never_stops_talking_is_named() {
    for (command, expected) in [
        ("sleep 600", "no answer within 3 s: the login shell does not get as far as a command"),
        ("yes", "it printed more than 1048576 bytes: before the script began"),
    ] {
        let sshd = Sshd::with(&format!("HostKey @DIR@/host_ed25519\nForceCommand {command}"));
        let mut target = sshd.target();
        target.answer = SOON;
        let session = connect(&target).await.unwrap();
        let ended = session.ask(&Script::new().line("echo never")).await.unwrap_err();
        assert_eq!(ended.to_string(), format!("bm1: {expected}"));
        let ended = session.run(&Script::new().line("echo never"), |_| ()).await.unwrap_err();
        assert_eq!(ended.to_string(), format!("bm1: {expected}"), "work has to begin, too");
        let mut process = session.spawn(&Script::new().line("echo never")).await.unwrap();
        assert_eq!(process.line().await, None);
        assert_eq!(process.wait().await.unwrap_err().to_string(), format!("bm1: {expected}"));
    }
}

#[tokio::test]
async fn lines_that_nobody_takes_do_not_pile_up() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let process = session.spawn(&Script::new().line("exec cat /dev/zero")).await.unwrap();
    let ended = process.wait().await;
    assert!(matches!(ended, Err(Error::TooMuch { .. })), "{ended:?}");
}

#[tokio::test]
async fn an_agent_that_hangs_does_not_keep_the_keys_in_files() {
    let sshd = Sshd::start();
    let socket = sshd.path("agent");
    // It takes connections and says nothing.
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let target = sshd.target();
    let configuration = target.config_file.clone().unwrap();
    let text = std::fs::read_to_string(&configuration).unwrap();
    let with_agent = text.replace("IdentityAgent none", &format!("IdentityAgent {}", socket.display()));
    std::fs::write(&configuration, with_agent).unwrap();
    // The time is there to fail instead of hanging.
    tokio::time::timeout(Duration::from_secs(60), connect(&target)).await.unwrap().unwrap();
    drop(listener);
}
