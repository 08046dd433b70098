//! Additional certificate authorities.

use data_encoding::BASE64;

use super::{Findings, Subject};
use crate::inventory::Problem;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let install = &subject.inventory.install;
    if let (Some(policy), None) =
        (&install.additional_trust_bundle_policy, &install.additional_trust_bundle_file)
    {
        findings.problem(
            Problem::new(
                "install.additionalTrustBundlePolicy",
                policy.at,
                "there is no additionalTrustBundleFile",
            )
            .help("name one, or leave the policy out"),
        );
    }
    let (Some(path), Some(text)) = (&install.additional_trust_bundle_file, subject.trust_bundle) else {
        return;
    };
    if let Some(fault) = fault(text) {
        findings.problem(
            Problem::new(
                "install.additionalTrustBundleFile",
                path.at,
                format!("{}: {fault}", path.display()),
            )
            .help("certificates in PEM, and nothing else"),
        );
    }
}

/// Says why the installer would refuse a bundle (openshift/installer pkg/validate `CABundle`).
fn fault(text: &str) -> Option<String> {
    let mut block: Option<String> = None;
    let mut count = 0;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let wrong = |what: &str| Some(format!("line {}: {what}", number + 1));
        match &mut block {
            None if line == BEGIN => block = Some(String::new()),
            None if line.is_empty() || line.starts_with('#') => {}
            None if line.starts_with("-----BEGIN ") => return wrong("this is not a certificate"),
            None => return wrong("this is outside of any certificate"),
            Some(body) if line == END => {
                // DER of a certificate is a SEQUENCE.
                if BASE64.decode(body.as_bytes()).map_or(true, |der| der.first() != Some(&0x30)) {
                    return wrong("the certificate that ends here is damaged");
                }
                block = None;
                count += 1;
            }
            Some(body) => body.push_str(line),
        }
    }
    match (block, count) {
        (Some(_), _) => Some("the last certificate has no end".to_owned()),
        (None, 0) => Some("there is no certificate in it".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_hold_certificates_and_nothing_else() {
        let good = format!("# ours\n{BEGIN}\nMAA=\n{END}\n\n{BEGIN}\nMAAA\n{END}\n");
        assert_eq!(fault(&good), None);
        for (text, expected) in [
            (String::new(), "there is no certificate in it"),
            (format!("{BEGIN}\nMAA=\n"), "the last certificate has no end"),
            (format!("{BEGIN}\n!!!!\n{END}\n"), "line 3: the certificate that ends here is damaged"),
            ("-----BEGIN PRIVATE KEY-----\n".to_owned(), "line 1: this is not a certificate"),
            ("hello".to_owned(), "line 1: this is outside of any certificate"),
        ] {
            assert_eq!(fault(&text).as_deref(), Some(expected));
        }
    }
}
