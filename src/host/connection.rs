//! From an address to an authenticated russh handle.

use std::{
    borrow::Cow,
    io,
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use russh::{
    Preferred, cipher,
    client::{self, DisconnectReason, Handle},
    keys::PublicKeyOrCertificate,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::{
    Error, Keyring, Session, Target,
    ask::Unlocked,
    authentication::{self, Login},
    configuration::{Configuration, Family, Proxy},
    identity::Identities,
    trust::{Decision, Shared, Trust},
};

/// A jump host may need a jump host; this many are a loop.
const MOST_HOPS: usize = 8;

/// What the event loop of a connection leaves behind for those who use it.
#[derive(Debug, Clone, Default)]
pub(super) struct Fate(Arc<Mutex<Option<String>>>);

impl Fate {
    fn set(&self, reason: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }

    /// Returns why the connection ended.
    pub fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The handler russh calls back.
pub(super) struct Client {
    trust: Shared,
    decision: Arc<Mutex<Option<Decision>>>,
    fate: Fate,
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let decision = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.trust.judge(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.trust.judge_certificate(certificate),
        };
        let trusted = matches!(decision, Decision::Trusted);
        *self.decision.lock().unwrap_or_else(PoisonError::into_inner) = Some(decision);
        Ok(trusted)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.fate.set(format!("the host said: {}", info.message));
                Ok(())
            }
            DisconnectReason::Error(error) => {
                self.fate.set(match &error {
                    russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout => {
                        String::from("the host does not answer any more")
                    }
                    russh::Error::Disconnect | russh::Error::HUP => String::from("the host closed it"),
                    russh::Error::IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        String::from("the host closed it")
                    }
                    other => other.to_string(),
                });
                Err(error)
            }
        }
    }
}

/// What a connection is made of.
pub(super) struct Connected {
    pub handle: Handle<Client>,
    pub fate: Fate,
    pub user: String,
    /// The session the connection runs through: it must live as long.
    pub through: Option<Session>,
}

/// One try: either it worked, or something is to be put right and it is tried again.
enum Attempt {
    Done(Connected),
    Introduce(russh::keys::PublicKey),
    Unlock(std::path::PathBuf, crate::secret::Secret),
}

/// Connects, verifies the host and logs in. Questions are asked between tries, never while the
/// host is waiting.
pub(super) async fn connect(target: &Target, keyring: &Keyring, depth: usize) -> Result<Connected, Error> {
    let configuration = Configuration::resolve(target).await?;
    let trust = Arc::new(Trust::read(&target.name, &configuration)?);
    loop {
        match attempt(target, &configuration, &trust, keyring, depth).await? {
            Attempt::Done(connected) => return Ok(connected),
            Attempt::Introduce(key) => trust.introduce(key, keyring).await?,
            Attempt::Unlock(path, text) => {
                if let Unlocked::No(reason) = keyring.unlock(&path, text).await {
                    tracing::debug!(host = target.name, key = %path.display(), reason, "a key stays locked");
                }
            }
        }
    }
}

async fn attempt(
    target: &Target,
    configuration: &Configuration,
    trust: &Shared,
    keyring: &Keyring,
    depth: usize,
) -> Result<Attempt, Error> {
    let unreachable = |reason: String| Error::Unreachable {
        host: target.name.clone(),
        address: configuration.address(),
        reason,
    };
    let (fate, decision) = (Fate::default(), Arc::default());
    let client = Client { trust: Arc::clone(trust), decision: Arc::clone(&decision), fate: fate.clone() };
    let settings = Arc::new(settings(configuration, trust));
    let limit = configuration.handshake_timeout;
    let mut through = None;
    // Keys are read while the packets travel.
    let identities = Identities::collect(configuration);
    let shake = async {
        match &configuration.proxy {
            Proxy::Direct => {
                let stream = dial(configuration).await.map_err(unreachable)?;
                Ok(shake(limit, settings, stream, client).await)
            }
            Proxy::Command(command) => {
                let stream = proxy_command(command).map_err(|error| unreachable(error.to_string()))?;
                Ok(shake(limit, settings, stream, client).await)
            }
            Proxy::Jump(hops) => {
                let session = Box::pin(jump(target, hops, keyring, depth)).await?;
                let stream = session.connect_tcp(&configuration.hostname, configuration.port).await?;
                through = Some(session);
                Ok(shake(limit, settings, stream, client).await)
            }
        }
    };
    let (shaken, identities) = tokio::join!(shake, identities);
    let mut handle = match shaken? {
        Ok(handle) => handle,
        Err(reason) => {
            let decision = decision.lock().unwrap_or_else(PoisonError::into_inner).take();
            return match decision {
                Some(Decision::Refused(error)) => Err(error),
                Some(Decision::Unknown(key)) => Ok(Attempt::Introduce(key)),
                _ => Err(unreachable(reason)),
            };
        }
    };
    let user = configuration.user.clone();
    match authentication::log_in(&mut handle, &user, identities, keyring).await {
        Login::Done => Ok(Attempt::Done(Connected { handle, fate, user, through })),
        Login::Locked(path, text) => Ok(Attempt::Unlock(path, text)),
        Login::Failed(tried) => Err(Error::AuthenticationFailed {
            host: target.name.clone(),
            address: configuration.hostname.clone(),
            user,
            tried,
        }),
        Login::Broken(reason) => {
            let reason = fate.reason().unwrap_or(reason);
            Err(if reason.contains("authentication failures") {
                let (host, address) = (target.name.clone(), configuration.hostname.clone());
                Error::AuthenticationFailed { host, address, user, tried: vec![reason] }
            } else {
                unreachable(format!("it broke off during the login: {reason}"))
            })
        }
    }
}

async fn shake<S>(
    limit: Duration,
    settings: Arc<client::Config>,
    stream: S,
    client: Client,
) -> Result<Handle<Client>, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match timeout(limit, client::connect_stream(settings, stream, client)).await {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(russh::Error::Disconnect | russh::Error::HUP)) => {
            Err(String::from("it closed the connection during the key exchange"))
        }
        Ok(Err(error)) => Err(format!("key exchange: {error}")),
        Err(_) => Err(format!("no key exchange within {} s", limit.as_secs())),
    }
}

/// The algorithms and timers of a connection.
fn settings(configuration: &Configuration, trust: &Trust) -> client::Config {
    client::Config {
        // Sizes the host's sending: OpenSSH's own 2 MiB allow 2 MiB a round trip.
        window_size: 8 << 20,
        channel_buffer_size: 256,
        keepalive_interval: Some(configuration.keepalive),
        keepalive_max: configuration.keepalive_max,
        // The keepalive timer rests while a write is stuck; this one does not.
        inactivity_timeout: Some(Duration::from_secs(60)),
        nodelay: true,
        preferred: Preferred {
            host_key_certificates: Cow::Owned(if trust.has_authorities() {
                trust.preferred()
            } else {
                Vec::new()
            }),
            key: Cow::Owned(trust.preferred()),
            // russh has ChaCha20 first, which costs 40 % more of our CPU where there is AES-NI.
            cipher: Cow::Borrowed(&[
                cipher::AES_256_GCM,
                cipher::AES_128_GCM,
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_CTR,
                cipher::AES_128_CTR,
            ]),
            ..Preferred::DEFAULT
        },
        ..client::Config::default()
    }
}

/// Opens the TCP connection; every address the name has gets its chance.
async fn dial(configuration: &Configuration) -> Result<TcpStream, String> {
    let limit = configuration.connect_timeout;
    let name = (configuration.hostname.as_str(), configuration.port);
    let found = match timeout(limit, tokio::net::lookup_host(name)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(format!("the name does not resolve: {error}")),
        Err(_) => return Err(format!("the name does not resolve within {} s", limit.as_secs())),
    };
    let mut reason = String::from("it has no address of the family AddressFamily asks for");
    for address in found.filter(|address| wanted(configuration.family, address)) {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                prepare(&stream).map_err(|error| error.to_string())?;
                return Ok(stream);
            }
            Ok(Err(error)) => reason = error.to_string(),
            Err(_) => reason = format!("no answer within {} s", limit.as_secs()),
        }
    }
    Err(reason)
}

fn wanted(family: Family, address: &SocketAddr) -> bool {
    match family {
        Family::Any => true,
        Family::Inet => address.is_ipv4(),
        Family::Inet6 => address.is_ipv6(),
    }
}

/// Small packets at once, and a peer that stops acknowledging is noticed while we write.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_secs(40)))?;
    socket.set_keepalive(true)
}

/// Runs `ProxyCommand`; its stdin and stdout are the connection.
fn proxy_command(command: &str) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static> {
    let mut child = tokio::process::Command::new("/bin/sh")
        .args(["-c", &format!("exec {command}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("the proxy command has no pipes"));
    };
    // The child ends when its pipes close; until then somebody has to wait for it.
    tokio::spawn(async move { child.wait().await });
    Ok(tokio::io::join(output, input))
}

/// Connects to the last hop, through the ones before it.
async fn jump(target: &Target, hops: &[String], keyring: &Keyring, depth: usize) -> Result<Session, Error> {
    let wrong = |reason: String| Error::Configuration { host: target.name.clone(), reason };
    let (Some((last, before)), true) = (hops.split_last(), depth < MOST_HOPS) else {
        return Err(wrong(String::from("ProxyJump goes through too many hosts, or in circles")));
    };
    let mut hop =
        hop(&target.name, last).ok_or_else(|| wrong(format!("ProxyJump {last}: what host is that?")))?;
    hop.known_hosts_file.clone_from(&target.known_hosts_file);
    hop.config_file.clone_from(&target.config_file);
    if !before.is_empty() {
        hop.proxy_jump = Some(before.join(","));
    }
    Session::connect_at(&hop, keyring, depth + 1).await
}

/// Reads `[USER@]HOST[:PORT]`, `[USER@][V6]:PORT` or `ssh://…`.
fn hop(name: &str, text: &str) -> Option<Target> {
    let text = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
    let (user, place) = match text.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, text),
    };
    let (address, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            (address, rest.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((address, port)) if !port.contains(':') => (address, Some(port)),
            _ => (place, None),
        },
    };
    let port = port.map(str::parse).transpose().ok()?;
    (!address.is_empty()).then(|| Target {
        port,
        user,
        ..Target::new(&format!("{name} (by {address})"), address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read() {
        for (text, user, address, port) in [
            ("j", None, "j", None),
            ("u@j:33", Some("u"), "j", Some(33)),
            ("u@[2001:db8::1]:33", Some("u"), "2001:db8::1", Some(33)),
            ("2001:db8::1", None, "2001:db8::1", None),
            ("ssh://u@j:33/", Some("u"), "j", Some(33)),
        ] {
            let hop = hop("bm1", text).unwrap();
            assert_eq!(
                (hop.user.as_deref(), hop.address.as_str(), hop.port),
                (user, address, port),
                "{text}"
            );
        }
        assert!(hop("bm1", "j:x").is_none() && hop("bm1", "u@").is_none());
    }
}
