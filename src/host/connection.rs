//! From an address to an authenticated russh handle.

use std::{
    borrow::Cow,
    io,
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
    time::timeout,
};

use super::{
    Error, Keyring, Session, Target,
    ask::Unlocked,
    authentication::{self, Login},
    configuration::{Configuration, Proxy},
    dial::{dial, proxy_command},
    identity::Identities,
    jump::jump,
    trust::{Decision, Shared, Trust},
};

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
                    russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout => String::from(SILENT),
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

/// Why a connection counts as lost that nobody has closed.
pub(super) const SILENT: &str = "the host does not answer any more";

/// What a connection is made of.
pub(super) struct Connected {
    pub handle: Handle<Client>,
    pub fate: Fate,
    pub user: String,
    /// How long a login may take, all hops together.
    pub login_time: Duration,
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
    for warning in &configuration.warnings {
        keyring.warn(format!("{}: {warning}", target.name));
    }
    let trust = Arc::new(Trust::read(&target.name, &configuration, keyring)?);
    loop {
        match attempt(target, &configuration, &trust, keyring, depth).await? {
            Attempt::Done(connected) => return Ok(connected),
            Attempt::Introduce(key) => trust.introduce(key).await?,
            Attempt::Unlock(path, text) => {
                if let Unlocked::No(reason) = keyring.unlock(&path, text).await {
                    keyring.warn(format!("{}: {reason}; the key is not used", path.display()));
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
        Login::Done => {
            let hops = through.as_ref().map_or(Duration::ZERO, Session::login_time);
            let login_time = hops + configuration.login_time();
            Ok(Attempt::Done(Connected { handle, fate, user, login_time, through }))
        }
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
