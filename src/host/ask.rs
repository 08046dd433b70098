//! What only the user can answer, and the memory of the answers.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex as Now, PoisonError},
};

use russh::keys::{PrivateKey, PublicKey};
use tokio::sync::Mutex;

use crate::secret::Secret;

/// A host key that no `known_hosts` file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The inventory's name for the host.
    pub host: String,
    /// What is recorded with the key: `192.168.0.23`, `[192.168.0.23]:2222` or a `HostKeyAlias`.
    pub address: String,
    /// Type of the key: `ssh-ed25519`.
    pub algorithm: String,
    /// Fingerprint as `ssh-keygen -l` prints it: `SHA256:…`.
    pub fingerprint: String,
    /// The file the key is written to when it is trusted.
    pub file: Option<PathBuf>,
}

/// Asks the user. Calls may block; they are never made on an async thread, and never two at once.
pub trait Ask: Send + Sync {
    /// Tells whether to trust a key that was never seen before.
    fn trust(&self, question: &UnknownKey) -> bool;

    /// Returns the passphrase of a key file, or `None` to go on without that key.
    fn passphrase(&self, key: &Path) -> Option<Secret>;
}

/// Answers for a user who cannot be asked: nothing is trusted, nothing is unlocked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refuse;

impl Ask for Refuse {
    fn trust(&self, _: &UnknownKey) -> bool {
        false
    }

    fn passphrase(&self, _: &Path) -> Option<Secret> {
        None
    }
}

/// Asks at most once for each thing, however many hosts want to know it.
///
/// Share one (it is cheap to clone) between all the connections of a run: a key file that opens
/// several hosts is unlocked once, for each unlocking costs the user a passphrase and the
/// machine some 100 ms of bcrypt.
///
/// It also remembers which host keys were trusted in this run, wherever they could be written down,
/// and takes the warnings of all connections to the user, each one once.
#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

/// Takes a warning to the user.
type Warn = dyn Fn(String) + Send + Sync;

struct Inner {
    ask: Box<dyn Ask>,
    warn: Box<Warn>,
    /// What was warned of.
    warned: Now<HashSet<String>>,
    /// By the name they are recorded under.
    trusted: Now<HashMap<String, PublicKey>>,
    /// Held while a question is open, so that hosts that connect at once do not ask at once.
    unlocked: Mutex<HashMap<PathBuf, Unlocked>>,
}

/// What became of a locked key file.
#[derive(Clone)]
pub(super) enum Unlocked {
    /// It is open.
    Key(Arc<PrivateKey>),
    /// It stays closed, and why.
    No(String),
}

/// How often a passphrase is asked for before the key is given up, as in OpenSSH.
const ATTEMPTS: usize = 3;

impl Keyring {
    /// Makes a keyring that asks `ask`, and calls `warn` with every new warning.
    #[must_use]
    pub fn new(ask: impl Ask + 'static, warn: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            ask: Box::new(ask),
            warn: Box::new(warn),
            warned: Now::default(),
            trusted: Now::default(),
            unlocked: Mutex::default(),
        }))
    }

    /// Warns the user, unless that was said before: each reconnection would say it again.
    pub(super) fn warn(&self, text: String) {
        if self.0.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone()) {
            (self.0.warn)(text);
        }
    }

    /// Remembers that the key of `name` is trusted, for the rest of the run.
    pub(super) fn remember(&self, name: &str, key: PublicKey) {
        self.0.trusted.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), key);
    }

    /// Returns the key of `name` that was trusted in this run.
    pub(super) fn trusted(&self, name: &str) -> Option<PublicKey> {
        self.0.trusted.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Asks whether to trust a host key.
    pub(super) async fn trust(&self, question: UnknownKey) -> bool {
        let _alone = self.0.unlocked.lock().await;
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || inner.ask.trust(&question)).await.unwrap_or(false)
    }

    /// Returns what is known of a locked key file without asking.
    pub(super) async fn recall(&self, path: &Path) -> Option<Unlocked> {
        self.0.unlocked.lock().await.get(path).cloned()
    }

    /// Unlocks a key file; asks unless another host was quicker.
    pub(super) async fn unlock(&self, path: &Path, text: Secret) -> Unlocked {
        let mut unlocked = self.0.unlocked.lock().await;
        if let Some(known) = unlocked.get(path) {
            return known.clone();
        }
        let inner = Arc::clone(&self.0);
        let key = path.to_owned();
        // bcrypt is slow on purpose: off the async threads with it.
        let answer = tokio::task::spawn_blocking(move || open(inner.ask.as_ref(), &key, &text))
            .await
            .unwrap_or_else(|_| Unlocked::No(String::from("asking for its passphrase failed")));
        unlocked.insert(path.to_owned(), answer.clone());
        answer
    }
}

fn open(ask: &dyn Ask, path: &Path, text: &Secret) -> Unlocked {
    for _ in 0..ATTEMPTS {
        let Some(passphrase) = ask.passphrase(path) else {
            return Unlocked::No(String::from("its passphrase was not given"));
        };
        if let Ok(key) = russh::keys::decode_secret_key(text.expose(), Some(passphrase.expose())) {
            return Unlocked::Key(Arc::new(key));
        }
    }
    Unlocked::No(String::from("the passphrase is wrong"))
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}
