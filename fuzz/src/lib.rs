//! What the fuzz targets share: a cluster, and a probe's answer put together around hostile bytes.

use std::{io, path::Path, sync::LazyLock};

use ocp2::{
    cluster::{Cluster, assume, resolve},
    inventory::{Files, LoadError, Loaded, load},
    resource::Facts,
};

/// Files that every inventory finds beside it, whatever it calls them.
struct Beside<'a>(&'a str);

impl Files for Beside<'_> {
    fn read(&self, path: &Path) -> io::Result<String> {
        let name = path.to_str().unwrap_or_default();
        let text = match name {
            "inventory.yaml" => self.0,
            _ if name.contains("secret") => r#"{"auths":{"quay.io":{"auth":"dXNlcjpodW50ZXIy"}}}"#,
            _ if name.contains(".pub") => {
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHf0pf9vU5Yt6Y6yqX8yqU1H8nXPqUqC0gJrS5mqxw0b user@example.com\n"
            }
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(text.to_owned())
    }

    fn exists(&self, path: &Path) -> bool {
        self.read(path).is_ok()
    }
}

/// Loads an inventory of this text; no file is read.
///
/// # Errors
/// As [`ocp2::inventory::load`].
pub fn inventory(text: &str) -> Result<Loaded, LoadError> {
    load(Path::new("inventory.yaml"), Some(Path::new("/home/user")), &Beside(text))
}

/// Two hosts and six VMs.
pub static CLUSTER: LazyLock<Cluster> =
    LazyLock::new(|| cluster(include_str!("../../inventories/two-hosts.yaml")));

/// As [`CLUSTER`], installed by UPI.
pub static UPI: LazyLock<Cluster> =
    LazyLock::new(|| cluster(include_str!("../../tests/fast/inventories/upi.yaml")));

fn cluster(text: &str) -> Cluster {
    let loaded = inventory(text).expect("an inventory of ocp2's own");
    let assumed = assume(&loaded.inventory);
    resolve(&loaded, &assumed.underlays).expect("it holds").cluster
}

/// The mark of the probe: a host's users cannot know it, but a fuzzer sees what its input is compared with.
const MARK: &str = "mark-";

/// Reads a probe's answer with `part` in it, which says `text`.
pub fn told(part: &str, text: &str) -> Facts {
    let text = text.replace(MARK, "mark_");
    let mut facts = Facts::default();
    facts.renew(&format!("@@{MARK}{part}\n{text}\n@@{MARK}end\n"), MARK).expect("the answer is whole");
    facts
}

/// As [`told`], of bytes as they come from a host.
pub fn told_by(part: &str, bytes: &[u8]) -> Facts {
    told(part, &String::from_utf8_lossy(bytes))
}
