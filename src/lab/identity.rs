//! Who is who: the workstation's key, the hosts' keys, and a pull secret that pulls nothing.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{
    LabError,
    place::{Home, Host, SECOND_SSH_PORT, text, v6},
    program::run,
};

const PULL_SECRET: &str = include_str!("pull-secret.json");
const KINDS: [&str; 2] = ["ed25519", "ecdsa"];

/// The keys of one lab.
#[derive(Debug)]
pub(super) struct Identity {
    /// The workstation's public key, as in authorized_keys.
    pub public_key: String,
    keys: PathBuf,
}

impl Identity {
    /// Makes what is not there yet: keys, known_hosts and the pull secret.
    pub fn ensure(home: &Home, hosts: &[Host]) -> Result<Self, LabError> {
        let own = home.file("id_ed25519");
        key(&own, "ed25519", "ocp2 lab workstation")?;
        let public = home.file("id_ed25519.pub");
        let public_key = fs::read_to_string(&public).map_err(LabError::file("read", &public))?;
        let keys = home.file("host-keys");
        fs::create_dir_all(&keys).map_err(LabError::file("write", &keys))?;
        let identity = Self { public_key, keys };
        let mut known = String::new();
        for host in hosts {
            for kind in KINDS {
                let file = identity.host_key(host, kind);
                key(&file, kind, &host.name)?;
                let public = read(&with_pub(&file))?;
                let mut words = public.split_whitespace();
                let (Some(algorithm), Some(blob)) = (words.next(), words.next()) else { continue };
                for name in names(host) {
                    known += &format!("{name} {algorithm} {blob}\n");
                }
            }
        }
        private(&home.file("known_hosts"), &known)?;
        private(&home.file("pull-secret.json"), PULL_SECRET)?;
        Ok(identity)
    }

    /// Returns a host's key files: name, content, mode.
    pub fn host_keys(&self, host: &Host) -> Result<Vec<(String, Vec<u8>, u32)>, LabError> {
        let mut files = Vec::new();
        for kind in KINDS {
            let file = self.host_key(host, kind);
            let name = format!("ssh_host_{kind}_key");
            files.push((format!("{name}.pub"), read(&with_pub(&file))?.into_bytes(), 0o644));
            files.push((name, read(&file)?.into_bytes(), 0o600));
        }
        Ok(files)
    }

    /// Returns a host's machine-id, the same after each boot and another one in each lab.
    pub fn machine_id(&self, host: &Host) -> String {
        let digest = Sha256::digest(format!("{} {}", self.public_key, host.name));
        data_encoding::HEXLOWER.encode(&digest[..16])
    }

    fn host_key(&self, host: &Host, kind: &str) -> PathBuf {
        self.keys.join(format!("{}_{kind}", host.name))
    }
}

/// Returns the names a host's key is looked up by: each of its addresses, on both of sshd's ports.
fn names(host: &Host) -> Vec<String> {
    let addresses = [host.address.to_string(), v6(host.address).to_string(), host.private().to_string()];
    addresses.into_iter().flat_map(|a| [a.clone(), format!("[{a}]:{SECOND_SSH_PORT}")]).collect()
}

fn key(file: &Path, kind: &str, comment: &str) -> Result<(), LabError> {
    if file.exists() {
        return Ok(());
    }
    run(&["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", &text(file)]).map(drop)
}

fn with_pub(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.pub", text(file)))
}

fn read(file: &Path) -> Result<String, LabError> {
    fs::read_to_string(file).map_err(LabError::file("read", file))
}

fn private(path: &Path, content: &str) -> Result<(), LabError> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content.as_bytes())).map_err(LabError::file("write", path))
}
