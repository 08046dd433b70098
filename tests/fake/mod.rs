//! Inventories whose files exist nowhere but here.

use std::{collections::BTreeMap, io, path::Path};

use ocp2::inventory::{Files, LoadError, Loaded};

/// Content of the pull secret the cases use.
pub const PULL_SECRET: &str = r#"{"auths":{"quay.io":{"auth":"dXNlcjpodW50ZXIy","email":"me@example.com"}}}"#;

/// A public key nobody has the other half of.
pub const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHf0pf9vU5Yt6Y6yqX8yqU1H8nXPqUqC0gJrS5mqxw0b user@example.com";

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
