//! What each of many hosts costs ocp2: connections, file descriptors, memory. The far end is a
//! stand-in in this process, for nobody has 500 servers to test with.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ocp2::{
    engine::Fleet,
    host::{Keyring, Refuse, Target},
    resource::Questions,
};
use russh::{
    Channel, ChannelId,
    keys::{Algorithm, PrivateKey, ssh_key::LineEnding},
    server::{self, Auth, ChannelOpenHandle, Msg, Session, VerifiedPublicKey},
};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedSender, unbounded_channel},
};
use tokio_util::sync::CancellationToken;

const HOSTS: usize = 500;

/// Most memory that a host may take, both ends together, KiB: two connections' buffers.
const MOST_KIB: u64 = 512;

/// A host that lets everybody in and answers the probe.
struct Standin {
    scripts: HashMap<ChannelId, Vec<u8>>,
    asked: UnboundedSender<()>,
}

impl server::Handler for Standin {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.scripts.insert(channel.id(), Vec::new());
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        assert!(command.starts_with(b"exec sh -c "), "the stand-in knows no such command");
        session.channel_success(id)?;
        session.data(id, b"ocp2:user:0\nocp2:begin\n".as_slice())
    }

    async fn data(&mut self, id: ChannelId, data: &[u8], _: &mut Session) -> Result<(), russh::Error> {
        self.scripts.entry(id).or_default().extend_from_slice(data);
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        let script = self.scripts.remove(&id).unwrap_or_default();
        let script = String::from_utf8_lossy(&script);
        let mark = script.lines().find_map(|line| line.strip_prefix("mark="));
        let mark = mark.expect("that is no probe").trim_matches('\'');
        let parts = ["system\nid=debian\n", "links\n[]\n", "routes\n[]\n", "fdb\n[]\n", "end\n"];
        let answer: String = parts.iter().map(|part| format!("@@{mark}{part}")).collect();
        session.data(id, answer.into_bytes())?;
        session.exit_status_request(id, 0)?;
        session.close(id)?;
        let _ = self.asked.send(());
        Ok(())
    }
}

/// Returns what this process has open, and the memory it has of its own, KiB.
fn usage() -> (usize, u64) {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    (open, memory.trim().trim_end_matches(" kB").parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_hosts_take_a_connection_and_a_script_each() {
    rlimit::increase_nofile_limit(4096).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let host_key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
    let own_key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
    let key_file = folder.path().join("id");
    own_key.write_openssh_file(&key_file, LineEnding::LF).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let known = folder.path().join("known_hosts");
    let public = host_key.public_key().to_openssh().unwrap();
    std::fs::write(&known, format!("[127.0.0.1]:{port} {public}\n")).unwrap();
    let (asked, mut scripts) = unbounded_channel();
    let settings = Arc::new(server::Config { keys: vec![host_key], ..server::Config::default() });
    let connections = tokio::spawn(async move {
        let mut connections = 0;
        while let Ok(Ok((stream, _))) = tokio::time::timeout(Duration::from_secs(20), listener.accept()).await
        {
            connections += 1;
            let host = Standin { scripts: HashMap::new(), asked: asked.clone() };
            tokio::spawn(server::run_stream(Arc::clone(&settings), stream, host));
            if connections == HOSTS {
                break;
            }
        }
        connections
    });
    let hosts = (0..HOSTS).map(|number| {
        let target = Target {
            port: Some(port),
            user: Some("root".into()),
            identity_file: Some(key_file.clone()),
            known_hosts_file: Some(known.clone()),
            ..Target::new(&format!("bm{number}"), "127.0.0.1")
        };
        (target, Questions::default())
    });
    let (open_before, memory_before) = usage();
    let keyring = Keyring::new(Refuse, drop);
    let fleet = Fleet::connect("many", hosts.collect(), &keyring, Arc::new(|_| {}), CancellationToken::new())
        .await
        .unwrap();
    let (open, memory) = usage();
    assert_eq!(fleet.members().len(), HOSTS);
    assert!(fleet.members().iter().all(|member| member.facts.system.id == "debian"));
    assert_eq!(connections.await.unwrap(), HOSTS);
    let mut count = 0;
    while scripts.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, HOSTS, "one script a host");
    // One socket at each end, and both ends are here.
    assert!(open - open_before <= 2 * HOSTS + 8, "{} descriptors", open - open_before);
    let each = (memory - memory_before) / HOSTS as u64;
    assert!(each <= MOST_KIB, "{each} KiB a host");
    fleet.close().await;
}
