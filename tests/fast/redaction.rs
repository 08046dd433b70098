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
        ("proxy http://me:p@ss@proxy.example.com:3128/", "proxy http://•••@proxy.example.com:3128/"),
        ("tls.key: LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQ==", "tls.key: •••"),
        ("x LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2\nUUlCQURBTkJna3Foa2lHOXcwQkFRRUZBQVND y", "x ••• y"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+1 next", "AWS_SECRET_ACCESS_KEY=••• next"),
        ("passphrase: correct-horse", "passphrase: •••"),
        ("apiKey: abcdef", "apiKey: •••"),
        ("oc login -u me --password hunter2 host", "oc login -u me --password ••• host"),
        ("Authorization: Digest username=\"me\", response=\"6629\"", "Authorization: Digest •••"),
        ("Cookie: session=abcdef; other=1", "Cookie: •••"),
        ("the password is aBc1e-FgHi2-jKlM3-nOpQ4.", "the password is •••."),
        ("joined with abcdef.0123456789abcdef", "joined with •••"),
        ("core:$6$salt$abcdefghijk.:19000", "core:•••:19000"),
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

/// Ways in which programs write a secret into a log.
fn encoded(secret: &str, before: &str, after: &str, way: usize) -> String {
    let around = format!("{before}{secret}{after}");
    match way {
        0 => around,
        1 => data_encoding::BASE64.encode(around.as_bytes()),
        2 => data_encoding::BASE64_NOPAD.encode(around.as_bytes()),
        3 => data_encoding::BASE64URL.encode(around.as_bytes()),
        4 => serde_json::json!({ "x": around }).to_string(),
        5 => around
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect(),
        _ => {
            let lines = data_encoding::BASE64.encode(secret.as_bytes());
            lines
                .as_bytes()
                .chunks(76)
                .map(|line| format!("{}\n", std::str::from_utf8(line).unwrap()))
                .collect()
        }
    }
}

/// Reads a secret out of a log as somebody would who looks for it.
fn is_in(log: &str, secret: &str) -> bool {
    let decoded = |text: &str| {
        let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '=').collect();
        let text = text.replace('-', "+").replace('_', "/");
        let bytes = text.as_bytes();
        let bytes = data_encoding::BASE64_NOPAD.decode(&bytes[..bytes.len() / 4 * 4]).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let plain = [log.to_owned(), log.replace("\\\"", "\"")];
    // However the pieces between what is masked are aligned.
    let pieces: Vec<&str> =
        log.split('•').flat_map(|piece| (0..4).filter_map(move |from| piece.get(from..))).collect();
    plain.into_iter().chain(pieces.into_iter().map(decoded)).any(|text| text.contains(secret))
}

proptest::proptest! {
    #[test]
    fn a_known_secret_survives_in_no_encoding(
        secret in "[a-zA-Z0-9!\"%&/<=>?@_~]{12,200}", before in "[a-z]{0,7}", after in "[a-z]{0,7}", way in 0_usize..7,
    ) {
        let log = encoded(&secret, &before, &after, way);
        let seen = Redactor::knowing(&[Secret::new(secret.clone())]).redact(&log);
        proptest::prop_assert!(!is_in(&seen, &secret), "{log}: {seen}");
        proptest::prop_assert!(seen.contains('•'), "{log}: {seen}");
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
