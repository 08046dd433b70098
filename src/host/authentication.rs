//! Logging in, by key.

use std::{path::PathBuf, sync::Arc, time::Duration};

use russh::{
    AgentAuthError, MethodKind, MethodSet, SendError, Signer,
    client::{AuthResult, Handle},
    keys::{Certificate, HashAlg, PrivateKey, PublicKey, agent::AgentIdentity, key::PrivateKeyWithHashAlg},
};

use tokio::time::timeout;

use super::{
    Keyring,
    ask::Unlocked,
    connection::Client,
    identity::{Agent, Identities, Identity, Source},
};
use crate::secret::Secret;

/// How long a host may take to answer one offer: PAM and reverse DNS can be slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a login by an agent's key may take: it may be waiting for a finger on a key. sshd itself
/// gives up after two minutes (`LoginGraceTime`).
const FINGER: Duration = Duration::from_secs(120);

/// How the login went.
pub(super) enum Login {
    Done,
    /// The host takes this key, but its file is locked: unlock it, then connect again. (Asking
    /// while the host waits would run into its `LoginGraceTime`.)
    Locked(PathBuf, Secret),
    /// Nothing helped; what was tried.
    Failed(Vec<String>),
    /// The connection broke.
    Broken(String),
}

/// What became of one offer.
enum Answer {
    Success,
    Refused(MethodSet),
    /// The host takes it and wants more, which ocp2 does not have.
    NotEnough(MethodSet),
    Failed(String),
    Locked,
    Broken(String),
}

/// Offers the identities one after the other.
pub(super) async fn log_in(
    handle: &mut Handle<Client>,
    user: &str,
    identities: Identities,
    keyring: &Keyring,
) -> Login {
    let Identities { offers, mut agent, notes: mut tried } = identities;
    if offers.is_empty() {
        tried.push(String::from("there is no key to offer, neither in an agent nor in a file"));
    }
    for identity in offers {
        let Identity { name, source, public, certificate } = identity;
        let key = match source {
            Source::Key(key) => Some(key),
            Source::Agent => None,
            Source::Locked(path, text) => match keyring.recall(&path).await {
                Some(Unlocked::Key(key)) => Some(key),
                Some(Unlocked::No(reason)) => {
                    tried.push(format!("{name}: {reason}"));
                    continue;
                }
                // Its public half is not known either: all that is left is to ask.
                None if public.is_none() => return Login::Locked(path, text),
                None => match probe(handle, user, public, certificate).await {
                    Answer::Locked => return Login::Locked(path, text),
                    answer => match judge(answer, &name, &mut tried) {
                        Some(login) => return login,
                        None => continue,
                    },
                },
            },
        };
        let answer = match key {
            Some(key) => by_key(handle, user, key, certificate).await,
            None => by_agent(handle, user, &mut agent, public, certificate).await,
        };
        if let Some(login) = judge(answer, &name, &mut tried) {
            return login;
        }
    }
    Login::Failed(tried)
}

/// Turns an answer into the end of the login, or a note about what was tried.
fn judge(answer: Answer, name: &str, tried: &mut Vec<String>) -> Option<Login> {
    let note = |tried: &mut Vec<String>, text: String| tried.push(format!("{name}: {text}"));
    match answer {
        Answer::Success => return Some(Login::Done),
        Answer::Broken(reason) => {
            note(tried, reason.clone());
            return Some(Login::Broken(reason));
        }
        Answer::Locked => note(tried, String::from("locked")),
        Answer::Failed(reason) => note(tried, reason),
        Answer::NotEnough(methods) => {
            note(tried, format!("accepted, but the host wants {} as well", names(&methods)));
            return Some(Login::Failed(std::mem::take(tried)));
        }
        Answer::Refused(methods) => {
            note(tried, String::from("not accepted"));
            if !methods.contains(&MethodKind::PublicKey) {
                tried.push(format!("the host takes no keys, only {}", names(&methods)));
                return Some(Login::Failed(std::mem::take(tried)));
            }
        }
    }
    None
}

fn names(methods: &MethodSet) -> String {
    let names: Vec<&str> = methods.iter().map(Into::into).collect();
    if names.is_empty() { String::from("nothing") } else { names.join(", ") }
}

async fn by_key(
    handle: &mut Handle<Client>,
    user: &str,
    key: Arc<PrivateKey>,
    certificate: Option<Certificate>,
) -> Answer {
    let attempt = async {
        if let Some(certificate) = certificate {
            return Ok(handle.authenticate_openssh_cert(user, key, certificate).await);
        }
        let hash = rsa_hash(handle, key.public_key()).await?;
        Ok(handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key, hash)).await)
    };
    match timeout(PATIENCE, attempt).await {
        Ok(Ok(Ok(result))) => answer(handle, result),
        Ok(Ok(Err(error))) => Answer::Broken(error.to_string()),
        Ok(Err(answer)) => answer,
        Err(_) => Answer::Broken(String::from("no answer to a login")),
    }
}

async fn by_agent(
    handle: &mut Handle<Client>,
    user: &str,
    agent: &mut Option<Agent>,
    public: Option<PublicKey>,
    certificate: Option<Certificate>,
) -> Answer {
    let Some(agent) = agent else { return Answer::Failed(String::from("the agent is gone")) };
    let attempt = async {
        match (certificate, public) {
            (Some(certificate), _) => {
                let hash = rsa_hash(handle, &PublicKey::from(certificate.public_key().clone())).await?;
                Ok(handle.authenticate_certificate_with(user, certificate, hash, agent).await)
            }
            (None, Some(public)) => {
                let hash = rsa_hash(handle, &public).await?;
                Ok(handle.authenticate_publickey_with(user, public, hash, agent).await)
            }
            (None, None) => Err(Answer::Failed(String::from("the agent has no such key"))),
        }
    };
    match timeout(FINGER, attempt).await {
        Ok(Ok(Ok(result))) => answer(handle, result),
        Ok(Ok(Err(AgentAuthError::Send(error)))) => Answer::Broken(error.to_string()),
        Ok(Ok(Err(AgentAuthError::Key(error)))) => Answer::Failed(format!("the agent did not sign: {error}")),
        Ok(Err(answer)) => answer,
        Err(_) => {
            let reason = format!("neither the agent nor the host has answered within {} s", FINGER.as_secs());
            Answer::Broken(reason)
        }
    }
}

/// Asks whether the host would take a key that cannot sign yet.
async fn probe(
    handle: &mut Handle<Client>,
    user: &str,
    public: Option<PublicKey>,
    certificate: Option<Certificate>,
) -> Answer {
    let attempt = async {
        match (certificate, public) {
            (Some(certificate), _) => {
                let hash = rsa_hash(handle, &PublicKey::from(certificate.public_key().clone())).await?;
                Ok(handle.authenticate_certificate_with(user, certificate, hash, &mut Probe).await)
            }
            (None, Some(public)) => {
                let hash = rsa_hash(handle, &public).await?;
                Ok(handle.authenticate_publickey_with(user, public, hash, &mut Probe).await)
            }
            (None, None) => Ok(Err(Accepted::Yes)),
        }
    };
    match timeout(PATIENCE, attempt).await {
        Ok(Ok(Ok(result))) => answer(handle, result),
        Ok(Ok(Err(Accepted::Yes))) => Answer::Locked,
        Ok(Ok(Err(Accepted::Broken))) => Answer::Broken(String::from("the connection closed")),
        Ok(Err(answer)) => answer,
        Err(_) => Answer::Broken(String::from("no answer to a login")),
    }
}

/// Asked to sign, it knows enough: the host takes the key.
struct Probe;

enum Accepted {
    Yes,
    Broken,
}

impl From<SendError> for Accepted {
    fn from(_: SendError) -> Self {
        Self::Broken
    }
}

impl Signer for Probe {
    type Error = Accepted;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        _: Vec<u8>,
    ) -> Result<Vec<u8>, Accepted> {
        Err(Accepted::Yes)
    }
}

fn answer(handle: &Handle<Client>, result: AuthResult) -> Answer {
    match result {
        AuthResult::Success => Answer::Success,
        AuthResult::Failure { remaining_methods, partial_success: true } => {
            Answer::NotEnough(remaining_methods)
        }
        // russh reports a connection that closed as a refusal without any method left.
        AuthResult::Failure { remaining_methods, .. }
            if remaining_methods.is_empty() && handle.is_closed() =>
        {
            Answer::Broken(String::from("the host closed the connection"))
        }
        AuthResult::Failure { remaining_methods, .. } => Answer::Refused(remaining_methods),
    }
}

/// Picks the signature for an RSA key, never SHA-1; other keys have none to pick.
///
/// Only asked for RSA keys: where a host says nothing, russh waits a second for it.
async fn rsa_hash(handle: &Handle<Client>, key: &PublicKey) -> Result<Option<HashAlg>, Answer> {
    if !key.algorithm().is_rsa() {
        return Ok(None);
    }
    match handle.best_supported_rsa_hash().await {
        Ok(Some(None)) => {
            Err(Answer::Failed(String::from("the host takes RSA with SHA-1 only, which is broken")))
        }
        Ok(Some(hash)) => Ok(hash),
        Ok(None) => Ok(Some(HashAlg::Sha512)),
        Err(error) => Err(Answer::Broken(error.to_string())),
    }
}
