//! Logs on their way to a folder that is shown to others.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::{install::redact::Redactor, secret::Secret};

fuzz_target!(|text: &str| {
    let _ = Redactor::default().redact(text);
    // The first line is a secret that stands in the rest.
    let Some((secret, log)) = text.split_once('\n') else { return };
    let secret = secret.trim();
    // Dots may be what it is masked with.
    if secret.len() < 6 || secret.contains('•') {
        return;
    }
    let seen = Redactor::knowing(&[Secret::new(secret.to_owned())]).redact(&format!("{log}{secret}{log}"));
    assert!(!seen.contains(secret), "{secret:?} is in {seen:?}");
});
