//! The keys a user may log in with, in the order they are offered.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use russh::keys::{
    Certificate, PrivateKey, PublicKey,
    agent::{AgentIdentity, client::AgentClient},
};
use tokio::{net::UnixStream, time::timeout};

use super::{configuration::Configuration, short_scalar};
use crate::secret::Secret;

/// A connection to the user's agent.
pub(super) type Agent = AgentClient<UnixStream>;

/// One thing to offer to a host.
pub(super) struct Identity {
    /// How messages call it.
    pub name: String,
    pub public: Option<PublicKey>,
    pub certificate: Option<Certificate>,
    pub source: Source,
}

/// Who signs.
pub(super) enum Source {
    Agent,
    Key(Arc<PrivateKey>),
    /// A key file that needs its passphrase.
    Locked(PathBuf, Secret),
}

/// What there is to offer, and what there could have been.
pub(super) struct Identities {
    pub offers: Vec<Identity>,
    pub agent: Option<Agent>,
    /// Files and agents that did not work, for the error that may come.
    pub notes: Vec<String>,
}

/// A key file, as far as it can be read without a passphrase.
struct KeyFile {
    path: PathBuf,
    public: Option<PublicKey>,
    certificate: Option<Certificate>,
    private: Option<Source>,
}

/// How long an agent may take to list its keys; one that hangs must not keep those in files.
const AGENT: Duration = Duration::from_secs(5);

impl Identities {
    /// Collects key files and the agent's keys.
    ///
    /// A host closes the connection after six keys it does not take, so the order matters, and
    /// every offer costs a round trip: keys somebody named come first (from the agent where it
    /// has them, which asks for no passphrase), then the agent's others, then the built-in list.
    pub async fn collect(configuration: &Configuration) -> Self {
        let mut notes = Vec::new();
        let (agent, held) = match &configuration.agent {
            Some(socket) => connect_agent(socket, &mut notes).await,
            None => (None, Vec::new()),
        };
        let mut files = Vec::new();
        for path in &configuration.identities {
            match KeyFile::read(path, &configuration.certificates) {
                Ok(Some(file)) => files.push(file),
                Ok(None) if configuration.explicit => notes.push(format!("{}: no such key", path.display())),
                Ok(None) => {}
                Err(reason) => notes.push(format!("{}: {reason}", path.display())),
            }
        }
        let mut offers = Vec::new();
        let (mut others, mut left) = (held, Vec::new());
        for file in files {
            let (mine, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(|one| file.is(one));
            others = rest;
            if mine.is_empty() && !configuration.explicit {
                left.push(file);
            } else {
                file.offer(!mine.is_empty(), mine, &mut offers);
            }
        }
        if !configuration.identities_only {
            offers.extend(others.into_iter().map(from_agent));
        }
        for file in left {
            file.offer(false, Vec::new(), &mut offers);
        }
        Self { offers, agent, notes }
    }
}

async fn connect_agent(socket: &Path, notes: &mut Vec<String>) -> (Option<Agent>, Vec<AgentIdentity>) {
    let asked = timeout(AGENT, async {
        let mut agent = AgentClient::connect_uds(socket).await.map_err(|error| error.to_string())?;
        let held = agent.request_identities().await.map_err(|error| error.to_string())?;
        Ok::<_, String>((agent, held))
    });
    let reason = match asked.await {
        Ok(Ok((agent, held))) => {
            if held.is_empty() {
                notes.push(String::from("the agent holds no key"));
            }
            return (Some(agent), held);
        }
        Ok(Err(reason)) => reason,
        Err(_) => format!("no answer within {} s", AGENT.as_secs()),
    };
    notes.push(format!("agent {}: {reason}", socket.display()));
    (None, Vec::new())
}

fn from_agent(identity: AgentIdentity) -> Identity {
    let comment = identity.comment().to_owned();
    let algorithm = identity.public_key().algorithm();
    let name = format!("agent key {comment} ({algorithm})");
    match identity {
        AgentIdentity::PublicKey { key, .. } => {
            Identity { name, public: Some(key), certificate: None, source: Source::Agent }
        }
        AgentIdentity::Certificate { certificate, .. } => {
            let name = format!("agent certificate {comment}");
            Identity { name, public: None, certificate: Some(certificate), source: Source::Agent }
        }
    }
}

impl KeyFile {
    /// Reads a key file, its `.pub` and its certificate; `None` where there is nothing.
    fn read(path: &Path, certificates: &[PathBuf]) -> Result<Option<Self>, String> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let read_public = |path: &Path| std::fs::read_to_string(path).ok().and_then(|t| public(&t));
        let mut file = Self {
            path: path.to_owned(),
            public: read_public(&beside(".pub")),
            certificate: None,
            private: None,
        };
        match std::fs::read_to_string(path) {
            Ok(text) => file.take(Secret::new(text))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.to_string()),
        }
        if file.public.is_none() && file.private.is_none() {
            return Ok(None);
        }
        file.certificate = std::iter::once(&beside("-cert.pub"))
            .chain(certificates)
            .filter_map(|path| russh::keys::load_openssh_certificate(path).ok())
            .find(|certificate| {
                file.public.as_ref().is_some_and(|key| key.key_data() == certificate.public_key())
            });
        Ok(Some(file))
    }

    /// Reads the text of a private key (or of a public one: then the agent has the rest).
    fn take(&mut self, text: Secret) -> Result<(), String> {
        if let Some(key) = public(text.expose()) {
            self.public = Some(key);
            return Ok(());
        }
        let text = short_scalar::padded(text.expose()).unwrap_or(text);
        // OpenSSH's own format has the public key in the clear.
        if let Ok(key) = PrivateKey::from_openssh(text.expose()) {
            self.public = Some(key.public_key().clone());
            self.private = Some(if key.is_encrypted() {
                Source::Locked(self.path.clone(), text)
            } else {
                Source::Key(Arc::new(key))
            });
            return Ok(());
        }
        match russh::keys::decode_secret_key(text.expose(), None) {
            Ok(key) => {
                self.public = Some(key.public_key().clone());
                self.private = Some(Source::Key(Arc::new(key)));
                Ok(())
            }
            Err(russh::keys::Error::KeyIsEncrypted) => {
                self.private = Some(Source::Locked(self.path.clone(), text));
                Ok(())
            }
            Err(_) if text.expose().contains("ENCRYPTED") => {
                self.private = Some(Source::Locked(self.path.clone(), text));
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Tells whether the agent holds this key.
    fn is(&self, held: &AgentIdentity) -> bool {
        self.public.as_ref().is_some_and(|key| key.key_data() == held.public_key().key_data())
    }

    /// Adds what this file gives: its certificate first, for a host that wants one refuses the key.
    fn offer(self, by_agent: bool, held: Vec<AgentIdentity>, offers: &mut Vec<Identity>) {
        let name = self.path.display().to_string();
        if by_agent {
            let certificates = held.iter().any(|one| matches!(one, AgentIdentity::Certificate { .. }));
            if let (false, Some(certificate)) = (certificates, self.certificate) {
                let name = format!("certificate of {name}, by the agent");
                offers.push(Identity {
                    name,
                    public: None,
                    certificate: Some(certificate),
                    source: Source::Agent,
                });
            }
            offers.extend(held.into_iter().map(from_agent));
            return;
        }
        let Some(private) = self.private else { return };
        let copy = match &private {
            Source::Key(key) => Source::Key(Arc::clone(key)),
            Source::Locked(path, text) => Source::Locked(path.clone(), text.clone()),
            Source::Agent => Source::Agent,
        };
        if let Some(certificate) = self.certificate {
            let name = format!("certificate of {name}");
            let public = self.public.clone();
            offers.push(Identity { name, public, certificate: Some(certificate), source: copy });
        }
        offers.push(Identity { name, public: self.public, certificate: None, source: private });
    }
}

fn public(text: &str) -> Option<PublicKey> {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .and_then(|line| PublicKey::from_openssh(line).ok())
}
