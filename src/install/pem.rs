//! PEM as OpenSSL and Go write it (RFC 7468, strict), read down to its DER and nothing else.

use x509_cert::{
    Certificate,
    der::{Decode as _, asn1::AnyRef, pem},
};

use crate::secret::Secret;

/// Most certificates in one text; the installer's authorities are five.
const MOST: usize = 64;

/// What a private key is called: PKCS #8, PKCS #1 and SEC 1.
const KEYS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/// Reads certificates that follow each other, and nothing before, between and after them; returns their DER.
pub(super) fn certificates(text: &str) -> Result<Vec<Vec<u8>>, String> {
    const END: &str = "-----END CERTIFICATE-----";
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(END).ok_or("there is something beside certificates")? + END.len();
        let (label, der) = block(&rest[..end])?;
        if label != "CERTIFICATE" {
            return Err(format!("there is a {label} among the certificates"));
        }
        Certificate::from_der(&der).map_err(|error| format!("not a certificate: {error}"))?;
        if all.len() == MOST {
            return Err(format!("there are more than {MOST} certificates"));
        }
        all.push(der);
        rest = rest[end..].trim_start();
    }
    if all.is_empty() { Err("there is no certificate".to_owned()) } else { Ok(all) }
}

/// Reads a private key without a passphrase, and nothing beside it; returns it as PEM.
pub(super) fn private_key(text: &str) -> Result<Secret, String> {
    let (label, der) = block(text.trim())?;
    // Whether it is one that can be used, its certificate tells.
    let is_key = KEYS.contains(&label) && AnyRef::from_der(&der).is_ok();
    if !is_key {
        return Err("there is no private key".to_owned());
    }
    let pem = pem::encode_string(label, pem::LineEnding::LF, &der).map_err(|error| error.to_string())?;
    Ok(Secret::new(pem))
}

/// Writes certificates.
pub(super) fn of_certificates(all: &[Vec<u8>]) -> String {
    let write = |der: &Vec<u8>| pem::encode_string("CERTIFICATE", pem::LineEnding::LF, der);
    // Of bytes that were read from PEM, there is nothing that could not be written.
    all.iter().filter_map(|der| write(der).ok()).collect()
}

/// Reads one block; what stands before it is refused as well.
fn block(text: &str) -> Result<(&str, Vec<u8>), String> {
    if !text.starts_with("-----BEGIN ") {
        return Err("there is something before the PEM".to_owned());
    }
    pem::decode_vec(text.as_bytes()).map_err(|error| format!("not PEM: {error}"))
}
