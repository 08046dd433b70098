//! The pull secret and the SSH keys. Nothing of the pull secret is ever said, but the registries' names.

use data_encoding::{BASE64, BASE64_NOPAD};
use serde_json::Value;

use super::{Findings, Subject};
use crate::inventory::Problem;

/// Kinds of keys the nodes' sshd takes.
const KEY_KINDS: &[&str] = &[
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

pub(super) fn pull_secret(subject: &Subject<'_>, findings: &mut Findings) {
    const FIELD: &str = "cluster.pullSecretFile";
    let cluster = &subject.inventory.cluster;
    let Some(path) = &cluster.pull_secret_file else {
        if subject.inventory.install.iso.is_none() {
            findings.problem(
                Problem::new(FIELD, cluster.name.at, "is required and missing")
                    .help("download it from console.redhat.com/openshift/install/pull-secret"),
            );
        }
        return;
    };
    if let Some(fault) = subject.pull_secret.and_then(pull_secret_fault) {
        findings.problem(
            Problem::new(FIELD, path.at, format!("{}: {fault}", path.display()))
                .help("use the file as it was downloaded, unchanged"),
        );
    }
}

/// Says why the installer would refuse a pull secret (openshift/installer pkg/validate `ImagePullSecret`).
fn pull_secret_fault(text: &str) -> Option<String> {
    let secret: Value = match serde_json::from_str(text) {
        Ok(secret) => secret,
        // serde_json's own message can quote what it read; only the place is repeated.
        Err(error) => {
            return Some(format!("not JSON (line {}, column {})", error.line(), error.column()));
        }
    };
    let Some(auths) = secret.get("auths").and_then(Value::as_object).filter(|auths| !auths.is_empty()) else {
        return Some("`auths` is missing or empty".to_owned());
    };
    auths.iter().find_map(|(registry, entry)| {
        let has = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let shown = shown(registry);
        match (has("auth"), has("credsStore")) {
            (Some(auth), _) if !decodes(auth) => {
                Some(format!("`auth` of {shown} is not base64 of user:password"))
            }
            (None, None) => Some(format!("{shown} requires either `auth` or `credsStore`")),
            _ => None,
        }
    })
}

fn decodes(auth: &str) -> bool {
    let decoded = BASE64.decode(auth.as_bytes()).or_else(|_| BASE64_NOPAD.decode(auth.as_bytes()));
    decoded.is_ok_and(|login| login.contains(&b':'))
}

/// Returns a registry's name, if that is what it is: a key in its place could be anything.
fn shown(registry: &str) -> String {
    let name = |c: char| c.is_ascii_alphanumeric() || ".-_:/".contains(c);
    if registry.len() <= 80 && registry.contains('.') && registry.chars().all(name) {
        format!("{registry:?}")
    } else {
        "one of the registries".to_owned()
    }
}

pub(super) fn ssh_key(subject: &Subject<'_>, findings: &mut Findings) {
    const FIELD: &str = "cluster.sshKeyFile";
    let cluster = &subject.inventory.cluster;
    let Some(path) = &cluster.ssh_key_file else {
        if subject.inventory.install.iso.is_none() {
            // The installer does without, and nobody can look at a node then.
            findings.problem(
                Problem::new(FIELD, cluster.name.at, "is required and missing")
                    .help("name a public key, like ~/.ssh/id_ed25519.pub; `ssh-keygen` makes one"),
            );
        }
        return;
    };
    let Some(text) = subject.ssh_key else { return };
    let refuse = |fault: &str, help: &str| {
        Problem::new(FIELD, path.at, format!("{}: {fault}", path.display())).help(help)
    };
    if text.contains("PRIVATE KEY-----") {
        findings.problem(refuse("this is a private key", "name the public one, which ends in .pub"));
        return;
    }
    let mut count = 0;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| is_key_line(line)) {
        count += 1;
        let fips = cluster.fips.as_ref().is_some_and(|fips| fips.value);
        match key_kind(line) {
            None => {
                let fault = format!("line {} is not a public key", number + 1);
                findings.problem(refuse(&fault, "like `ssh-ed25519 AAAA… comment`"));
            }
            Some(kind) if fips && !(kind == "ssh-rsa" || kind.starts_with("ecdsa-")) => {
                let fault = format!("line {}: {kind} is not allowed with fips", number + 1);
                findings.problem(refuse(&fault, "use an RSA or ECDSA key"));
            }
            Some(_) => {}
        }
    }
    if count == 0 {
        findings.problem(refuse("there is no key in it", "like `ssh-ed25519 AAAA… comment`"));
    }
}

fn is_key_line(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

/// Returns the kind of a public key, if the line is one: the key itself repeats its kind (RFC 4253 section 6.6).
fn key_kind(line: &str) -> Option<&'static str> {
    let mut words = line.split_whitespace();
    let kind = words.by_ref().find_map(|word| KEY_KINDS.iter().copied().find(|kind| *kind == word))?;
    let blob = BASE64.decode(words.next()?.as_bytes()).ok()?;
    let length = u32::from_be_bytes(*blob.first_chunk()?) as usize;
    let repeated = blob.get(4..4 + length)?;
    (repeated == kind.as_bytes() && blob.len() > 4 + length + 32).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pull_secrets_are_refused_as_the_installer_does_and_never_quoted() {
        for (text, fault) in [
            ("not-json-hunter2", "not JSON (line 1, column 2)"),
            ("{}", "`auths` is missing or empty"),
            (r#"{"auths":{}}"#, "`auths` is missing or empty"),
            (r#"{"auths":{"quay.io":{}}}"#, "\"quay.io\" requires either `auth` or `credsStore`"),
            (r#"{"auths":{"hunter2":{}}}"#, "one of the registries requires either `auth` or `credsStore`"),
            (
                r#"{"auths":{"quay.io":{"auth":"hunter2"}}}"#,
                "`auth` of \"quay.io\" is not base64 of user:password",
            ),
        ] {
            assert_eq!(pull_secret_fault(text).as_deref(), Some(fault));
        }
        assert_eq!(pull_secret_fault(r#"{"auths":{"quay.io":{"auth":"dXNlcjpwYXNz"}}}"#), None);
    }

    #[test]
    fn keys_are_told_by_their_own_bytes() {
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIHf0pf9vU5Yt6Y6yqX8yqU1H8nXPqUqC0gJrS5mqxw0b";
        assert_eq!(key_kind(&format!("ssh-ed25519 {key} me@here")), Some("ssh-ed25519"));
        assert_eq!(key_kind(&format!("no-pty ssh-ed25519 {key}")), Some("ssh-ed25519"));
        for line in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-dss AAAA", &format!("ssh-rsa {key}")] {
            assert_eq!(key_kind(line), None, "{line}");
        }
    }
}
