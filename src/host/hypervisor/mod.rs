//! A host's libvirt, through its SSH connection.
//!
//! libvirt's own client library talks to a private Unix socket on this machine, and ocp2 pipes
//! that to `virt-ssh-helper` on an exec channel: libvirt's own way in, which also works for sudo
//! users, with modular daemons, and where sshd forbids forwarding. It is for changes; what there is
//! is seen by the probe ([`crate::resource::hypervisor`]).
//!
//! libvirt's calls block, and they are answered by the async task that runs the pipe: every call
//! is made on a thread of its own, or it would wait for itself.

mod call;
mod socket;

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};
use virt::{connect::Connect, error::Error as Failure};

use self::socket::Socket;
use super::{Error, Lease, Session, lease::loss};
use crate::{command::Script, resource::hypervisor::Call};

/// libvirt on one host. Dropped, the way to it is cut.
pub struct Hypervisor {
    session: Session,
    connect: Option<Arc<Connect>>,
    pump: JoinHandle<Result<(i32, String), Error>>,
}

/// Longest that saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Longest that one call may take: most take none, deleting or making a large file takes some.
const CALL: Duration = Duration::from_secs(600);

/// The driver on the far side; the near side is told the socket.
const DRIVER: &str = "qemu";

impl Hypervisor {
    /// Opens libvirt on a host.
    pub(super) async fn open(session: &Session) -> Result<Self, Error> {
        static QUIET: Once = Once::new();
        // Otherwise libvirt prints every error on our stderr, as well as returning it.
        QUIET.call_once(virt::error::clear_error_callback);
        let socket = Socket::bind().map_err(|error| Error::Local {
            host: session.name().to_owned(),
            what: String::from("making a private socket"),
            reason: error.to_string(),
        })?;
        let uri = socket.uri(DRIVER);
        let pump = tokio::spawn(socket.serve(session.clone()));
        let opened = timeout(session.answer(), spawn_blocking(move || Connect::open(Some(&uri)))).await;
        let Ok(opened) = opened else {
            // The library finds its socket closed, and its thread ends.
            pump.abort();
            return Err(silent(session, "libvirt does not say hello", session.answer()));
        };
        match opened {
            Ok(Ok(connect)) => Ok(Self { session: session.clone(), connect: Some(Arc::new(connect)), pump }),
            Ok(Err(failure)) => Err(missing(session, pump, &failure).await),
            Err(_) => Err(session.lost()),
        }
    }

    /// Makes a call. Where what it asks for is so already, that is a success.
    ///
    /// # Errors
    /// [`Error::Hypervisor`] where libvirt fails, [`Error::ConnectionLost`] where the host is gone,
    /// [`Error::LockLost`] where another run has taken over: the host has cut our way to libvirt then.
    pub async fn call(&self, call: &Call) -> Result<(), Error> {
        let lease = self.session.lease();
        lease.as_ref().map_or(Ok(()), Lease::check)?;
        let what = call::describe(call);
        let call = call.clone();
        let made = self.blocking(what, move |connect| call::make(connect, &call)).await;
        if made.is_err() && lease.is_some() && self.is_closed() {
            // The host knows why the helper ended.
            self.session.run(&Script::new(), |_| ()).await?;
        }
        made
    }

    /// Makes a blocking call on a thread of its own.
    async fn blocking<T: Send + 'static>(
        &self,
        what: String,
        call: impl FnOnce(&Connect) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(connect) = self.connect.clone() else { return Err(self.session.lost()) };
        let outcome = spawn_blocking(move || {
            let outcome = call(&connect);
            // The last reference closes the connection, which is a call as well: not on our thread.
            drop(connect);
            outcome
        });
        let lease = self.session.lease();
        let outcome = tokio::select! {
            biased;
            outcome = timeout(CALL, outcome) => outcome.map_err(|_| silent(&self.session, &what, CALL)),
            error = loss(lease.as_ref()) => Err(error),
        };
        let outcome = outcome.inspect_err(|_| self.pump.abort())?;
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) if self.session.is_closed() => Err(self.session.lost()),
            Ok(Err(failure)) => Err(failed(&self.session, what, &failure)),
            Err(panic) => Err(Error::Hypervisor {
                host: self.session.name().to_owned(),
                what,
                code: 0,
                message: panic.to_string(),
            }),
        }
    }

    /// Says goodbye; a host that does not answer is left without.
    ///
    /// libvirtd writes an error into the host's journal for a client that just goes.
    pub async fn close(mut self) {
        if let Some(connect) = self.connect.take() {
            let _ = timeout(GOODBYE, spawn_blocking(move || drop(connect))).await;
        }
    }

    /// Tells whether the way to libvirt is gone; then it can be opened anew.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.pump.is_finished()
    }
}

impl Session {
    /// Opens the host's libvirt.
    ///
    /// # Errors
    /// [`Error::HypervisorMissing`] where libvirt is not installed or does not run, and whatever
    /// keeps a command from being run as root.
    pub async fn hypervisor(&self) -> Result<Hypervisor, Error> {
        Hypervisor::open(self).await
    }
}

/// The helper knows better than the library why there is no connection.
async fn missing(
    session: &Session,
    pump: JoinHandle<Result<(i32, String), Error>>,
    failure: &Failure,
) -> Error {
    let host = session.name().to_owned();
    let Ok(pump) = timeout(session.answer(), pump).await else {
        return silent(session, "libvirt's helper does not end", session.answer());
    };
    match pump {
        Ok(Err(error)) => error,
        Ok(Ok((127, _))) => {
            Error::HypervisorMissing { host, reason: String::from("virt-ssh-helper is not installed") }
        }
        Ok(Ok((status, stderr))) if status != 0 || !stderr.trim().is_empty() => {
            Error::HypervisorMissing { host, reason: stderr.trim().to_owned() }
        }
        _ => failed(session, String::from("opening libvirt"), failure),
    }
}

fn silent(session: &Session, what: &str, waited: Duration) -> Error {
    Error::Silent { host: session.name().to_owned(), what: what.to_owned(), seconds: waited.as_secs() }
}

fn failed(session: &Session, what: String, failure: &Failure) -> Error {
    Error::Hypervisor {
        host: session.name().to_owned(),
        what,
        code: failure.code().to_raw(),
        message: failure.message().to_owned(),
    }
}

impl Drop for Hypervisor {
    fn drop(&mut self) {
        // Not closed but cut off: closing is one more call over a pipe that may be gone or need
        // this very thread, and on a thread of its own it runs into the library's exit handlers
        // when the process ends (seen as a corrupted heap). The far side sees the end of file.
        if let Some(connect) = self.connect.take() {
            std::mem::forget(connect);
        }
        self.pump.abort();
    }
}

impl std::fmt::Debug for Hypervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hypervisor of {}", self.session.name())
    }
}
