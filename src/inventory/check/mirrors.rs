//! Mirrored images, by the installer's rules.

use super::{Findings, Subject};
use crate::inventory::{Located, Problem};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for (index, entry) in subject.inventory.install.image_digest_sources.iter().enumerate() {
        let path = format!("install.imageDigestSources[{index}]");
        repository(&format!("{path}.source"), &entry.source, findings);
        if entry.mirrors.is_empty() {
            findings.problem(Problem::new(&format!("{path}.mirrors"), entry.source.at, "there is no mirror"));
        }
        for (number, mirror) in entry.mirrors.iter().enumerate() {
            let field = format!("{path}.mirrors[{number}]");
            repository(&field, mirror, findings);
            // What is no JSON is refused elsewhere; without a secret there is nothing to compare.
            let secret: Option<serde_json::Value> =
                subject.pull_secret.and_then(|text| serde_json::from_str(text).ok());
            let registry = mirror.split('/').next().unwrap_or_default();
            let known = |auths: &serde_json::Map<String, serde_json::Value>| {
                auths.keys().any(|key| key.split('/').next() == Some(registry))
            };
            if secret
                .as_ref()
                .and_then(|secret| secret.get("auths")?.as_object())
                .is_some_and(|auths| !known(auths))
            {
                findings.warning(&field, format!("the pull secret has no login for {registry}"));
            }
        }
    }
}

/// Refuses what is not the bare name of a repository: no scheme, no tag, no digest.
fn repository(field: &str, name: &Located<String>, findings: &mut Findings) {
    let text = &name.value;
    let last = text.rsplit('/').next().unwrap_or_default();
    let fault = if text.contains("://") {
        "a scheme does not belong here"
    } else if text.contains('@') {
        "a digest does not belong here"
    } else if text.contains('/') && last.contains(':') {
        "a tag does not belong here"
    } else if text.split('/').any(str::is_empty) || !text.bytes().all(allowed) {
        "this is not the name of a repository"
    } else {
        return;
    };
    findings.problem(
        Problem::new(field, name.at, format!("{text:?}: {fault}"))
            .help("like registry.example.com/ocp/release"),
    );
}

fn allowed(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"./-_:".contains(&byte)
}
