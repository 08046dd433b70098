//! What `gather` shows of a log: everything but the secrets.

use ocp2::{install::redact::Redactor, secret::Secret};

fn redact(text: &str) -> String {
    Redactor::default().redact(text)
}

#[test]
fn what_looks_like_a_secret_is_masked() {
    for (text, seen) in [
        (
            r#"Login to the console with user: "kubeadmin", and password: "aBcDe-FgHiJ""#,
            r#"Login to the console with user: "kubeadmin", and password: "•••""#,
        ),
        (
            r#"msg="{\"auths\":{\"quay.io\":{\"auth\":\"dXNlcjpodW50ZXIy\"}}}""#,
            r#"msg="{\"auths\":{\"quay.io\":{\"auth\":\"•••\"}}}""#,
        ),
        ("  client-key-data: LS0tLS1CRUdJTg==", "  client-key-data: •••"),
        ("Authorization: Bearer sha256~abcdefgh", "Authorization: Bearer •••"),
        ("token=eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ3YXRjaGVyIn0.c2lnbmF0dXJl ok", "token=••• ok"),
        ("proxy http://user:hunter2@proxy.example.com:3128/", "proxy http://•••@proxy.example.com:3128/"),
        (
            "a\n-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\nb",
            "a\n-----BEGIN EC PRIVATE KEY----- •••\nb",
        ),
        (
            r#""key":"-----BEGIN RSA PRIVATE KEY-----\nMHcC\n-----END RSA PRIVATE KEY-----\n""#,
            r#""key":"-----BEGIN RSA PRIVATE KEY----- •••\n""#,
        ),
        ("hcC\n-----END PRIVATE KEY-----\nafter", "•••\nafter"),
        ("before\n-----BEGIN PRIVATE KEY-----\nMHcC", "before\n-----BEGIN PRIVATE KEY----- •••"),
    ] {
        assert_eq!(redact(text), seen);
    }
}

#[test]
fn what_is_none_stays() {
    for text in [
        "certificate-authority-data: LS0tLS1CRUdJTg==",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "worker1: authentication is degraded: secrets \"v4-0-config\" not found",
        "https://mirror.example.com:8443/pub",
        "author: somebody",
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn a_known_secret_is_masked_wherever_it_is() {
    let pull = r#"{"auths":{"quay.io":{"auth":"dXNlcjpodW50ZXIy","email":"me@example.com"}}}"#;
    let redactor = Redactor::knowing(&[Secret::new(pull.into()), Secret::new("5char-passw\n".into())]);
    let seen = redactor.redact("one dXNlcjpodW50ZXIy two hunter2 three 5char-passw four me@example.com");
    assert_eq!(seen, "one ••• two ••• three ••• four •••");
    // Too short to be told from words.
    assert_eq!(Redactor::knowing(&[Secret::new("a".into())]).redact("a cat"), "a cat");
}
