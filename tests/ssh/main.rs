//! The SSH client against real OpenSSH servers on loopback ports.
#![expect(clippy::unwrap_used, reason = "what fails in a test's own preparation fails the test")]

mod bounds;
mod connection;
mod echo;
mod hostile;
mod lock;
mod login;
mod many;
mod script;
mod sshd;
mod transfer;
mod trust;

use ocp2::{
    command::Script,
    host::{Error, Keyring, Output, Refuse, Session, Target},
};

/// Connects for a user who cannot be asked.
async fn connect(target: &Target) -> Result<Session, Error> {
    Session::connect(target, &Keyring::new(Refuse, drop)).await
}

/// Runs one line.
async fn run(session: &Session, source: &str) -> Result<Output, Error> {
    session.run(&Script::new().line(source), |_| ()).await
}
