//! Whether a host is who it says it is.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};

use super::{
    Error, Keyring, UnknownKey,
    configuration::{Configuration, Strict},
    known_hosts::{self, KnownHosts, Verdict},
};

/// What is known of a host's keys before it shows one.
pub(super) struct Trust {
    host: String,
    /// Name the keys are recorded under.
    name: String,
    known: KnownHosts,
    /// Said to be bad by `RevokedHostKeys`, with the line.
    revoked: Vec<(usize, PublicKey)>,
    revoked_file: PathBuf,
    strict: Strict,
    /// What was trusted in this run, also where it could not be recorded.
    keyring: Keyring,
    /// Name that a certificate must be for.
    principal: String,
    /// Where an accepted key goes.
    file: Option<PathBuf>,
    hash: bool,
}

/// What to do with the key a host showed.
pub(super) enum Decision {
    Trusted,
    /// Nobody knows it: it may be asked for.
    Unknown(PublicKey),
    Refused(Error),
}

impl Trust {
    /// Reads the `known_hosts` files.
    pub fn read(host: &str, configuration: &Configuration, keyring: &Keyring) -> Result<Self, Error> {
        let files: Vec<_> =
            configuration.user_known_hosts.iter().chain(&configuration.global_known_hosts).cloned().collect();
        let name = configuration.key_name();
        let revoked_file = configuration.revoked_host_keys.clone().unwrap_or_default();
        Ok(Self {
            host: host.to_owned(),
            known: KnownHosts::read(&files, &name),
            name,
            revoked: revoked_keys(host, configuration.revoked_host_keys.as_deref())?,
            revoked_file,
            strict: configuration.strict,
            keyring: keyring.clone(),
            principal: configuration.alias.clone().unwrap_or_else(|| configuration.hostname.clone()),
            file: configuration.user_known_hosts.first().cloned(),
            hash: configuration.hash_known_hosts,
        })
    }

    /// Returns the host key algorithms to ask for: those of recorded keys first, none with SHA-1.
    pub fn preferred(&self) -> Vec<Algorithm> {
        let expand = |algorithm: Algorithm| match algorithm {
            Algorithm::Rsa { .. } => vec![
                Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
                Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
            ],
            other => vec![other],
        };
        let accepted = self.accepted().map(|key| key.algorithm());
        let first = accepted.into_iter().chain(self.known.algorithms());
        let all =
            russh::Preferred::DEFAULT.key.iter().filter(|a| **a != Algorithm::Rsa { hash: None }).cloned();
        let mut preferred: Vec<Algorithm> = Vec::new();
        for algorithm in first.flat_map(expand).chain(all.clone()) {
            // A recorded key of a type that cannot be negotiated must not end up in the offer.
            if !preferred.contains(&algorithm) && all.clone().any(|known| known == algorithm) {
                preferred.push(algorithm);
            }
        }
        preferred
    }

    /// Judges the key a host showed.
    pub fn judge(&self, key: &PublicKey) -> Decision {
        if let Some(error) = self.revocation(key) {
            return Decision::Refused(error);
        }
        match self.known.verdict(key) {
            Verdict::Known => Decision::Trusted,
            Verdict::Changed(recorded) => Decision::Refused(Error::HostKeyChanged {
                host: self.host.clone(),
                address: self.name.clone(),
                algorithm: key.algorithm().as_str().to_owned(),
                fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
                file: recorded.file.as_path().into(),
                line: recorded.line,
            }),
            Verdict::Unknown => match self.accepted() {
                Some(accepted) if accepted.key_data() == key.key_data() => Decision::Trusted,
                // Nobody asks about a second key within one run: the first one was answered for.
                Some(_) => Decision::Refused(self.unknown(key)),
                None => Decision::Unknown(key.clone()),
            },
        }
    }

    /// Judges a certificate a host showed. One that proves nothing counts as the key in it.
    pub fn judge_certificate(&self, certificate: &Certificate) -> Decision {
        let signer = PublicKey::from(certificate.signature_key().clone());
        if let Some(error) = self.revocation(&signer) {
            return Decision::Refused(error);
        }
        match self.judge(&PublicKey::from(certificate.public_key().clone())) {
            Decision::Unknown(_) | Decision::Refused(Error::HostKeyChanged { .. })
                if self.signed(certificate) =>
            {
                Decision::Trusted
            }
            other => other,
        }
    }

    /// Finds the line that revokes a key.
    fn revocation(&self, key: &PublicKey) -> Option<Error> {
        let listed = self.revoked.iter().find(|(_, revoked)| revoked.key_data() == key.key_data());
        let (file, line) = match (listed, self.known.revoked(key)) {
            (Some((line, _)), _) => (self.revoked_file.clone(), *line),
            (None, Some(recorded)) => (recorded.file.clone(), recorded.line),
            (None, None) => return None,
        };
        Some(Error::HostKeyRevoked {
            host: self.host.clone(),
            address: self.name.clone(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            file,
            line,
        })
    }

    /// Tells whether certificates are worth asking for: some authority may sign this host's keys.
    pub fn has_authorities(&self) -> bool {
        !self.known.authorities().is_empty()
    }

    /// Tells whether an authority says, now, that the key is this host's.
    fn signed(&self, certificate: &Certificate) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let authorities: Vec<_> =
            self.known.authorities().iter().map(|key| key.fingerprint(HashAlg::Sha256)).collect();
        let name = self.principal.to_lowercase();
        certificate.cert_type().is_host()
            && certificate.critical_options().is_empty()
            && certificate.valid_principals().contains(&name)
            && certificate.validate_at(now, &authorities).is_ok()
    }

    fn accepted(&self) -> Option<PublicKey> {
        self.keyring.trusted(&self.name)
    }

    fn unknown(&self, key: &PublicKey) -> Error {
        Error::HostKeyUnknown {
            host: self.host.clone(),
            address: self.name.clone(),
            algorithm: key.algorithm().as_str().to_owned(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        }
    }

    /// Decides about a key nobody knows: by the configuration, or by asking. Trusted, it is recorded,
    /// and in any case remembered for this run.
    pub async fn introduce(&self, key: PublicKey) -> Result<(), Error> {
        let question = UnknownKey {
            host: self.host.clone(),
            address: self.name.clone(),
            algorithm: key.algorithm().as_str().to_owned(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            file: self.file.clone(),
        };
        let trusted = match self.strict {
            Strict::Refuse => false,
            Strict::Accept => true,
            Strict::Ask => self.keyring.trust(question).await,
        };
        if !trusted {
            return Err(self.unknown(&key));
        }
        if let Some(file) = &self.file
            && let Err(error) = known_hosts::append(file, &self.name, &key, self.hash)
        {
            // As in OpenSSH: the user said yes, so this connection goes on.
            let (host, file) = (&self.host, file.display());
            self.keyring.warn(format!(
                "{host}: its key is trusted for this run only, for it could not be written to {file}: {error}"
            ));
        }
        self.keyring.remember(&self.name, key);
        Ok(())
    }
}

/// Reads `RevokedHostKeys`: a list of public keys. A binary KRL is refused rather than passed over.
fn revoked_keys(host: &str, file: Option<&Path>) -> Result<Vec<(usize, PublicKey)>, Error> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let wrong = |reason: &str| Error::Configuration {
        host: host.to_owned(),
        reason: format!("RevokedHostKeys {}: {reason}", file.display()),
    };
    let text = std::fs::read(file).map_err(|error| wrong(&error.to_string()))?;
    if text.starts_with(b"SSHKRL") {
        return Err(wrong("a binary revocation list is not supported, a list of public keys is"));
    }
    let text = String::from_utf8_lossy(&text);
    let keys = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    Ok(keys.filter_map(|(line, text)| PublicKey::from_openssh(text).ok().map(|key| (line, key))).collect())
}

/// Shares what is known with the handler that the handshake calls.
pub(super) type Shared = Arc<Trust>;
