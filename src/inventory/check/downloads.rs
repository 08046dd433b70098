//! What hosts download and run as root: by a way that nobody changes, and proved by a key.

use super::{Findings, Subject};
use crate::inventory::{Problem, keyring, os_image};

/// Refuses plain HTTP, unless it is asked for.
pub(super) fn http(subject: &Subject<'_>, findings: &mut Findings) {
    let install = &subject.inventory.install;
    if install.allow_http {
        return;
    }
    let image = install.cluster_os_image.as_ref();
    let all = [
        ("install.mirror", Some((install.mirror.value.as_str(), install.mirror.at))),
        ("install.iso", install.iso.as_ref().map(|iso| (iso.value.as_str(), iso.at))),
        ("install.clusterOSImage", image.map(|image| (os_image(image).0, image.at))),
    ];
    for (field, url) in all {
        if let Some((url, at)) = url.filter(|(url, _)| url.starts_with("http://")) {
            let fault = format!("{url:?} is plain HTTP: whoever is on the way can change what comes");
            findings.problem(
                Problem::new(field, at, fault)
                    .help("https://…, or set install.allowHttp: true where the whole way is yours"),
            );
        }
    }
}

/// Refuses what is no key.
pub(super) fn key(subject: &Subject<'_>, findings: &mut Findings) {
    let (Some(path), Some(text)) = (&subject.inventory.install.mirror_key_file, subject.mirror_key) else {
        return;
    };
    if let Err(fault) = keyring(text) {
        findings.problem(
            Problem::new("install.mirrorKeyFile", path.at, format!("{}: {fault}", path.display()))
                .help("public keys as `gpg --armor --export KEY` writes them"),
        );
    }
}
