//! The lock of a run against a real sshd: what becomes of the run that has lost it.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ocp2::{
    command::Script,
    engine::{self, Fleet},
    host::{Error, Fence, Keyring, Lease, REFUSAL, REFUSED, Refuse, uptime},
    resource::{Change, Questions},
};
use tokio_util::sync::CancellationToken;

use crate::{connect, run, sshd::Sshd};

/// A cluster of nobody's, on this machine as its host; what the lock leaves of it goes with the value.
struct Cluster {
    name: String,
    sshd: Sshd,
}

impl Cluster {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("test-{}-{number}", std::process::id()), sshd: Sshd::start() }
    }

    async fn fleet(&self) -> Fleet {
        let (keyring, stop) = (Keyring::new(Refuse, drop), CancellationToken::new());
        let hosts = vec![(self.sshd.target(), Questions::default())];
        Fleet::connect(&self.name, hosts, &keyring, Arc::new(drop), stop).await.unwrap()
    }

    fn file(&self, kind: &str) -> PathBuf {
        PathBuf::from(format!("/run/ocp2-{}.{kind}", self.name))
    }

    /// Ends the process that holds the lock, as the host itself does with one that hears nothing.
    fn free(&self) {
        let lock = fs::canonicalize(self.file("lock")).unwrap();
        let holds =
            |entry: &fs::DirEntry| fs::read_link(entry.path().join("fd/9")).is_ok_and(|to| to == lock);
        let holder = fs::read_dir("/proc").unwrap().flatten().find(holds).unwrap();
        let pid = holder.file_name();
        assert!(std::process::Command::new("kill").arg("-KILL").arg(pid).status().unwrap().success());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for kind in ["lock", "work", "programs", "mark"] {
            let _ = fs::remove_file(self.file(kind));
        }
    }
}

fn is_lost(error: &Error) -> bool {
    matches!(error, Error::LockLost { .. })
}

#[tokio::test]
async fn a_run_that_has_lost_its_lock_does_nothing_more() {
    let cluster = Cluster::new();
    let mut first = cluster.fleet().await;
    first.lock().await.unwrap();
    let session = first.members()[0].session.clone();
    run(&session, "true").await.unwrap();
    let (begun, done) = (cluster.sshd.path("begun"), cluster.sshd.path("done"));
    let step = tokio::spawn({
        let (session, source) =
            (session.clone(), format!("touch {0}; sleep 2; touch {1}", begun.display(), done.display()));
        async move { run(&session, &source).await }
    });
    let mut program = session.spawn(&Script::new().line("echo up; exec cat")).await.unwrap();
    assert_eq!(program.line().await.as_deref(), Some("up"));
    while !begun.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cluster.free();
    // What is under way is not waited for here, and let finish there.
    assert!(is_lost(
        &tokio::time::timeout(Duration::from_secs(1), step).await.unwrap().unwrap().unwrap_err()
    ));
    let mut second = cluster.fleet().await;
    second.lock().await.unwrap();
    assert!(done.exists(), "the second run began within a step of the first one");

    let path = cluster.sshd.path("touched");
    let touch = format!("touch {}", path.display());
    assert!(is_lost(&run(&session, &touch).await.unwrap_err()));
    assert!(is_lost(
        &session.reconnect().await.unwrap().spawn(&Script::new().line(&touch)).await.unwrap_err()
    ));
    assert!(is_lost(
        &session.upload(&b"x"[..], 1, &path.display().to_string(), "0600", drop).await.unwrap_err()
    ));
    let change = Change::shell("file".into(), "touch", Script::new().line(&touch));
    let applied = first.apply(vec![vec![change]]).await.unwrap_err();
    assert!(matches!(&applied, engine::Error::Host(error) if is_lost(error)), "{applied}");
    assert!(!path.exists());
    assert!(is_lost(&program.wait().await.unwrap_err()));
    run(&second.members()[0].session, &touch).await.unwrap();
    assert!(path.exists());
}

#[tokio::test]
async fn a_wait_of_the_run_ends_with_its_lock() {
    let cluster = Cluster::new();
    let mut fleet = cluster.fleet().await;
    fleet.lock().await.unwrap();
    fleet.check_interrupted().unwrap();
    cluster.free();
    let ended = tokio::time::timeout(Duration::from_secs(5), fleet.interrupted()).await.unwrap();
    assert!(matches!(&ended, engine::Error::Host(error) if is_lost(error)), "{ended}");
    fleet.check_interrupted().unwrap_err();
}

#[tokio::test]
async fn what_a_host_refuses_is_no_failure_of_the_script() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let refuse = Script::new().line(format_args!("echo '{REFUSAL}ann on desk' >&2; exit {REFUSED}"));
    let fence = Fence { script: refuse.clone(), program: refuse };
    let bind = || session.bind(Lease::new("bm1", fence.clone(), Duration::from_secs(30), uptime));
    bind();
    // Who only looks needs no lock.
    assert_eq!(session.ask(&Script::new().line("echo seen")).await.unwrap().text(), "seen\n");
    let refused = run(&session, "true").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "bm1: this run has lost its lock: another ocp2 has taken over: ann on desk"
    );
    bind();
    assert!(is_lost(&session.watch(&Script::new().line("true"), |_| ()).await.unwrap_err()));
    bind();
    let process = session.spawn(&Script::new().line("cat")).await.unwrap();
    assert!(is_lost(&process.wait().await.unwrap_err()));
    bind();
    let path = sshd.path("never").display().to_string();
    assert!(is_lost(&session.upload(&b"x"[..], 1, &path, "0600", drop).await.unwrap_err()));
    bind();
    assert!(is_lost(&session.hypervisor().await.unwrap_err()));
    session.unbind();
    run(&session, "true").await.unwrap();
}
