//! One verified, authenticated SSH connection to a host.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use russh::{
    ChannelOpenFailure,
    client::{self, Handle},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

use super::{
    Error, Keyring, Lease, Target,
    channel::Channel,
    connection::{self, Client, Connected, Fate, SILENT},
};

/// One host's connection; clones share it. Dropping the last one closes it.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    target: Target,
    keyring: Keyring,
    user: String,
    login_time: Duration,
    handle: Handle<Client>,
    fate: Fate,
    channels: Arc<Semaphore>,
    lease: Mutex<Option<Lease>>,
    _through: Option<Session>,
}

/// OpenSSH's `MaxSessions` is 10, and somebody else may share the connection's count.
const CHANNELS: usize = 8;

/// How long we wait for a place on a host that allows fewer.
const CROWDED: Duration = Duration::from_secs(10);

/// How long a host may take to open a channel.
const OPENING: Duration = Duration::from_secs(30);

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

impl Session {
    /// Connects to a host, verifies its key and logs in.
    ///
    /// # Errors
    /// Every [`Error`] for which [`Error::is_access`] holds.
    pub async fn connect(target: &Target, keyring: &Keyring) -> Result<Self, Error> {
        Self::connect_at(target, keyring, 0).await
    }

    pub(super) async fn connect_at(target: &Target, keyring: &Keyring, depth: usize) -> Result<Self, Error> {
        let Connected { handle, fate, user, login_time, through } =
            Box::pin(connection::connect(target, keyring, depth)).await?;
        Ok(Self(Arc::new(Inner {
            target: target.clone(),
            keyring: keyring.clone(),
            user,
            login_time,
            handle,
            fate,
            channels: Arc::new(Semaphore::new(CHANNELS)),
            lease: Mutex::default(),
            _through: through,
        })))
    }

    /// Makes a second, separate connection to the same host: for bulk data, which would hold up
    /// everything else on this one, or to prove that the host can still be reached. It is of the same run.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub async fn reconnect(&self) -> Result<Self, Error> {
        let fresh = Self::connect(&self.0.target, &self.0.keyring).await?;
        fresh.set_lease(self.lease());
        Ok(fresh)
    }

    /// Binds the session to a lock: what is run or started from now on needs it, and ends with it.
    pub fn bind(&self, lease: Lease) {
        self.set_lease(Some(lease));
    }

    /// Frees the session from its lock.
    pub fn unbind(&self) {
        self.set_lease(None);
    }

    fn set_lease(&self, lease: Option<Lease>) {
        *self.0.lease.lock().unwrap_or_else(PoisonError::into_inner) = lease;
    }

    /// Returns the lock that the session is bound to.
    pub(super) fn lease(&self) -> Option<Lease> {
        self.0.lease.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Measures how far the host is.
    ///
    /// # Errors
    /// [`Error::ConnectionLost`].
    pub async fn round_trip(&self) -> Result<Duration, Error> {
        let begin = Instant::now();
        match timeout(OPENING, self.0.handle.send_ping()).await {
            Ok(answer) => answer.map_err(|_| self.lost())?,
            Err(_) => return Err(self.lost_by(SILENT)),
        }
        Ok(begin.elapsed())
    }

    /// Returns the inventory's name for the host.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.target.name
    }

    /// Returns the user that is logged in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.0.user
    }

    /// Returns how long another login may take before it counts as none, as the SSH configuration has it.
    #[must_use]
    pub fn login_time(&self) -> Duration {
        self.0.login_time
    }

    /// Returns how long the host may take to answer.
    pub(super) fn answer(&self) -> Duration {
        self.0.target.answer
    }

    /// Tells whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.handle.is_closed()
    }

    /// Says goodbye; running commands find their pipes closed.
    pub async fn close(&self) {
        let goodbye = self.0.handle.disconnect(russh::Disconnect::ByApplication, "", "");
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// Opens a channel and starts a command on it, without waiting for the answer to the second.
    pub(super) async fn exec(&self, command: &str) -> Result<Channel, Error> {
        let permit = Arc::clone(&self.0.channels).acquire_owned().await.map_err(|_| self.lost())?;
        let channel = Channel::new(self.open().await?, permit);
        channel.exec(command).await.map_err(|_| self.lost())?;
        Ok(channel)
    }

    /// Opens a channel; a host with a lower limit of its own is asked until another one has ended.
    async fn open(&self) -> Result<russh::Channel<client::Msg>, Error> {
        let start = Instant::now();
        loop {
            match timeout(OPENING, self.0.handle.channel_open_session()).await {
                Ok(Ok(channel)) => return Ok(channel),
                Ok(Err(russh::Error::ChannelOpenFailure(_))) if start.elapsed() < CROWDED => {
                    sleep(Duration::from_millis(200)).await;
                }
                Ok(Err(error)) => return Err(self.refused("a channel", error)),
                Err(_) => return Err(self.lost_by(SILENT)),
            }
        }
    }

    /// Opens a TCP connection from the host to `host:port`.
    ///
    /// # Errors
    /// [`Error::ChannelRefused`] where nothing listens there or sshd forbids forwarding.
    pub async fn connect_tcp(
        &self,
        host: &str,
        port: u16,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Error> {
        let what = format!("a connection to {host} port {port}");
        let open = self.0.handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0);
        match timeout(OPENING, open).await {
            Ok(Ok(channel)) => Ok(channel.into_stream()),
            Ok(Err(error)) => Err(self.refused(&what, error)),
            Err(_) => Err(Error::ChannelRefused {
                host: self.name().to_owned(),
                what,
                reason: format!("no answer within {} s", OPENING.as_secs()),
            }),
        }
    }

    /// Makes the error for a connection that is gone.
    pub(super) fn lost(&self) -> Error {
        self.lost_by("the channel closed early")
    }

    /// As [`Session::lost`], where something is known that may not have ended the connection yet.
    fn lost_by(&self, reason: &str) -> Error {
        let reason = self.0.fate.reason().unwrap_or_else(|| reason.to_owned());
        Error::ConnectionLost { host: self.name().to_owned(), reason }
    }

    fn refused(&self, what: &str, error: russh::Error) -> Error {
        let reason = match error {
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
                String::from("it is forbidden there")
            }
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => {
                String::from("nothing answers there, or there are too many already")
            }
            russh::Error::ChannelOpenFailure(other) => format!("{other:?}"),
            _ => return self.lost(),
        };
        Error::ChannelRefused { host: self.name().to_owned(), what: what.to_owned(), reason }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({}@{})", self.0.user, self.name())
    }
}
