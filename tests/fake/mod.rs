//! Inventories whose files exist nowhere but here.

use std::{collections::BTreeMap, io, path::Path};

use ocp2::inventory::{Files, LoadError, Loaded};

/// Content of the pull secret the cases use.
const PULL_SECRET: &str = r#"{"auths":{"quay.io":{"auth":"dXNlcjpodW50ZXIy","email":"me@example.com"}}}"#;

/// A public key nobody has the other half of.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHf0pf9vU5Yt6Y6yqX8yqU1H8nXPqUqC0gJrS5mqxw0b user@example.com";

/// A public RSA key made of nothing in particular.
const RSA: &str = "AAAAB3NzaC1yc2EAAAADAQABAAABAQBo8PSnL5/1VldU9xev8hDHK/ET63nlC9Pw+Vuq8eu9XpRaIn5JIRYBiebjQejCyJmss79HdtRZQgBySp3oO407aPD0py+f9VZXVPcXr/IQxyvxE+t55QvT8PlbqvHrvV6UWiJ+SSEWAYnm40HowsiZrLO/R3bUWUIAckqd6DuNO2jw9Kcvn/VWV1T3F6/yEMcr8RPreeUL0/D5W6rx671elFoifkkhFgGJ5uNB6MLImayzv0d21FlCAHJKneg7jTto8PSnL5/1VldU9xev8hDHK/ET63nlC9Pw+Vuq8eu9XpRaIn5JIRYBiebjQejCyJmss79HdtRZQgBySp3oO407";

struct Fake(BTreeMap<&'static str, String>);

impl Files for Fake {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path.to_str().unwrap()).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path.to_str().unwrap())
    }
}

/// Loads an inventory of this text, with files of every kind beside it.
pub fn load(text: &str) -> Result<Loaded, LoadError> {
    let files = BTreeMap::from([
        ("inventory.yaml", text.to_owned()),
        ("pull-secret.json", PULL_SECRET.to_owned()),
        ("/home/user/pull-secret.json", PULL_SECRET.to_owned()),
        ("not-json.json", "hunter2".to_owned()),
        ("no-auths.json", r#"{"hunter2":{}}"#.to_owned()),
        ("no-login.json", r#"{"auths":{"quay.io":{"hunter2":"hunter2"}}}"#.to_owned()),
        ("key.pub", format!("# mine\n\n{KEY}\n")),
        ("/home/user/.ssh/id_ed25519.pub", format!("{KEY}\n")),
        ("rsa.pub", format!("ssh-rsa {RSA} user@example.com\n")),
        ("damaged.pub", format!("{KEY}\nssh-rsa {}\n", &KEY[12..])),
        ("private-key", "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n".to_owned()),
        ("ca.pem", "# ours\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".to_owned()),
        ("not-a-bundle.pem", "-----BEGIN PRIVATE KEY-----\nhunter2\n".to_owned()),
    ]);
    ocp2::inventory::load(Path::new("inventory.yaml"), Some(Path::new("/home/user")), &Fake(files))
}

/// Loads one of the inventories ocp2 comes with.
pub fn shipped(name: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("inventories").join(format!("{name}.yaml"));
    let text = std::fs::read_to_string(path).unwrap();
    load(&text).unwrap_or_else(|error| panic!("{name}: {:?}", miette::Report::new(error)))
}
