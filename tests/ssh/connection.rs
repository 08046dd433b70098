//! Ways to a host, and their ends.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use ocp2::{
    command::Script,
    host::{Error, Session, Target},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{connect, run, sshd::Sshd};

/// Runs scripts at once on one session.
async fn crowd(session: &Session, count: usize) {
    let runs: Vec<_> = (0..count)
        .map(|number| {
            let session = session.clone();
            tokio::spawn(async move { run(&session, &format!("sleep 0.1; echo {number}")).await })
        })
        .collect();
    for (number, run) in runs.into_iter().enumerate() {
        assert_eq!(run.await.unwrap().unwrap().text().trim(), number.to_string());
    }
}

#[tokio::test]
async fn two_dozen_scripts_at_once_pass_the_limit_of_sessions() {
    let sshd = Sshd::start();
    crowd(&connect(&sshd.target()).await.unwrap(), 24).await;
}

#[tokio::test]
async fn a_host_with_a_lower_limit_is_waited_for() {
    let sshd = Sshd::with("MaxSessions 2");
    let session = connect(&sshd.target()).await.unwrap();
    crowd(&session, 6).await;
    let none = Sshd::with("MaxSessions 0");
    let error = run(&connect(&none.target()).await.unwrap(), "true").await.unwrap_err();
    assert!(
        matches!(&error, Error::ChannelRefused { .. }) && error.hint().unwrap().contains("MaxSessions"),
        "{error}"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_is_never_a_success() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let (started, mut wait) = tokio::sync::mpsc::unbounded_channel();
    let running = {
        let session = session.clone();
        let script = Script::new().line("echo started; sleep 60");
        tokio::spawn(async move { session.run(&script, |_| started.send(()).unwrap()).await })
    };
    wait.recv().await.unwrap();
    sshd.cut();
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }) && error.is_transient(), "{error}");
    let error = run(&session, "true").await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    assert!(session.is_closed());
    run(&session.reconnect().await.unwrap(), "true").await.unwrap();
}

#[tokio::test]
async fn a_host_that_falls_silent_is_noticed() {
    let sshd = Sshd::start();
    sshd.target();
    let session = connect(&sshd.stranger("ServerAliveInterval 1")).await.unwrap();
    run(&session, "true").await.unwrap();
    let start = Instant::now();
    for pid in sshd.sessions() {
        assert!(Command::new("kill").arg("-STOP").arg(pid.to_string()).status().unwrap().success());
    }
    let error = run(&session, "true").await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
    assert!(error.to_string().contains("does not answer any more"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_host_that_falls_silent_while_we_send_is_noticed() {
    let sshd = Sshd::start();
    sshd.target();
    let session = connect(&sshd.stranger("ServerAliveInterval 1")).await.unwrap();
    let (started, mut wait) = tokio::sync::mpsc::unbounded_channel();
    let mut sent = 0;
    let zeros = tokio::io::repeat(0).take(1 << 40);
    let to = sshd.path("zeros").display().to_string();
    let upload = session.upload(zeros, 1 << 20, &to, "0600", |size| {
        sent = size;
        let _ = started.send(());
    });
    let stop = async {
        wait.recv().await.unwrap();
        for pid in sshd.sessions() {
            Command::new("kill").arg("-STOP").arg(pid.to_string()).status().unwrap();
        }
        std::future::pending::<()>().await;
    };
    let error = tokio::select! {
        result = upload => result.unwrap_err(),
        () = stop => unreachable!(),
        () = tokio::time::sleep(Duration::from_secs(100)) => panic!("not noticed"),
    };
    assert!(matches!(error, Error::ConnectionLost { .. }), "{error}");
}

#[tokio::test]
async fn a_script_nobody_waits_for_loses_its_pipes() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let alive = sshd.path("alive");
    let script =
        Script::new().line(format_args!("while echo x; do touch {}; sleep 0.1; done", alive.display()));
    let waited = tokio::time::timeout(Duration::from_millis(700), session.run(&script, |_| ())).await;
    assert!(waited.is_err() && alive.exists());
    tokio::time::sleep(Duration::from_millis(500)).await;
    fs::remove_file(&alive).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!alive.exists(), "the script goes on");
    run(&session, "true").await.unwrap();
}

#[tokio::test]
async fn a_jump_host_leads_on() {
    let (near, far) = (Sshd::start(), Sshd::start());
    let mut target = near.target();
    fs::write(
        near.path("known_hosts"),
        format!("{}\n{}\n", near.host_key(&near.name()), far.host_key(&far.name())),
    )
    .unwrap();
    fs::copy(near.path("id.pub"), far.path("authorized_keys")).unwrap();
    target.port = Some(far.port);
    target.proxy_jump = Some(format!("{}@127.0.0.1:{}", crate::sshd::user(), near.port));
    let session = connect(&target).await.unwrap();
    assert_eq!(
        run(&session, "echo $SSH_CONNECTION").await.unwrap().text().split(' ').nth(3).unwrap().trim(),
        far.port.to_string()
    );
    assert!(near.log().contains("direct-tcpip"), "{}", near.log());
    // Both hops are verified.
    fs::write(near.path("known_hosts"), far.host_key(&far.name()) + "\n").unwrap();
    let error = connect(&target).await.unwrap_err();
    assert!(matches!(&error, Error::HostKeyUnknown { host, .. } if host == "bm1 (by 127.0.0.1)"), "{error}");
}

#[tokio::test]
async fn the_configurations_jump_and_proxy_command_are_honoured() {
    let (near, far) = (Sshd::start(), Sshd::start());
    fs::write(
        near.path("known_hosts"),
        format!("{}\n{}\n", near.host_key(&near.name()), far.host_key(&far.name())),
    )
    .unwrap();
    fs::copy(near.path("id.pub"), far.path("authorized_keys")).unwrap();
    let lines = format!(
        "\nHost far\nHostName 127.0.0.1\nPort {}\nProxyJump near\nHost near\nHostName 127.0.0.1\nPort {}\nHost *",
        far.port, near.port
    );
    let mut target = Target::new("bm1", "far");
    target.config_file = Some(near.configure(&lines));
    run(&connect(&target).await.unwrap(), "true").await.unwrap();
    assert!(near.log().contains("direct-tcpip"));

    let command = "ProxyCommand bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3; kill $!'";
    far.target();
    fs::copy(far.path("id.pub"), far.path("authorized_keys")).unwrap();
    run(&connect(&far.stranger(command)).await.unwrap(), "true").await.unwrap();
    let error = connect(&far.stranger("ProxyCommand false")).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_tcp_connection_starts_at_the_host() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let echo = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    };
    let talk = async {
        let mut stream = session.connect_tcp("127.0.0.1", port).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "hello");
    };
    tokio::join!(echo, talk);
    drop(listener);
    let Err(error) = session.connect_tcp("127.0.0.1", port).await else { panic!("nobody listens") };
    assert!(matches!(error, Error::ChannelRefused { .. }), "{error}");
}

#[tokio::test]
async fn hosts_that_are_not_there_are_unreachable() {
    let unreachable = |result: Result<Session, Error>| match result {
        Err(Error::Unreachable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let sshd = Sshd::start();
    let mut target = sshd.stranger("ConnectTimeout 1");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    target.port = Some(silent.local_addr().unwrap().port());
    assert_eq!(unreachable(connect(&target).await), "no key exchange within 1 s");
    drop(silent);
    assert!(unreachable(connect(&target).await).contains("refused"));
    target.address = String::from("no-such-host.invalid");
    assert!(unreachable(connect(&target).await).contains("does not resolve"));
}

#[tokio::test]
async fn a_configuration_ssh_refuses_is_shown() {
    let sshd = Sshd::start();
    let error = connect(&sshd.stranger("Nonsense yes")).await.unwrap_err();
    assert!(
        matches!(&error, Error::Configuration { reason, .. } if reason.to_lowercase().contains("nonsense")),
        "{error}"
    );
    let error = connect(&Target::new("bm1", "-oProxyCommand=touch /tmp/x")).await.unwrap_err();
    assert!(matches!(error, Error::Configuration { .. }), "{error}");
}

#[tokio::test]
async fn a_host_without_libvirt_says_so() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let there = ["libvirt/libvirt-sock", "libvirt/virtqemud-sock"]
        .iter()
        .any(|name| fs::exists(format!("/run/{name}")).unwrap());
    match session.hypervisor().await {
        Ok(_) => assert!(there),
        Err(Error::HypervisorMissing { reason, .. }) => assert!(!there && !reason.is_empty(), "{reason}"),
        Err(other) => panic!("{other:?}"),
    }
}
