//! The inventories the tests use, resolved offline: those ocp2 comes with, and a few of odd shape.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ocp2::{
    cluster::{Cluster, assume, resolve},
    inventory::{Disk, Loaded, load},
};
use tempfile::TempDir;

/// The part of the pull secret that must be seen nowhere.
pub const SECRET: &str = "dXNlcjpodW50ZXIy";

/// A home folder with all that an inventory names there.
pub fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let pull_secret = format!(r#"{{"auths":{{"quay.io":{{"auth":"{SECRET}","email":"me@example.com"}}}}}}"#);
    fs::write(home.path().join("pull-secret.json"), pull_secret).unwrap();
    fs::create_dir(home.path().join(".ssh")).unwrap();
    let key =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHf0pf9vU5Yt6Y6yqX8yqU1H8nXPqUqC0gJrS5mqxw0b user@example.com\n";
    fs::write(home.path().join(".ssh/id_ed25519.pub"), key).unwrap();
    home
}

/// Returns the paths of all inventories.
pub fn all() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("inventories"), root.join("tests/fast/inventories")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    // The lab's names a pull secret that only the lab makes.
    paths.retain(|path| {
        path.extension().is_some_and(|end| end == "yaml") && path.file_stem().unwrap() != "lab"
    });
    paths.sort();
    paths
}

/// Returns the path of one inventory.
pub fn path(name: &str) -> PathBuf {
    all().into_iter().find(|path| path.file_stem().unwrap() == name).unwrap()
}

/// Reads an inventory.
pub fn loaded(path: &Path) -> Loaded {
    let home = home();
    load(path, Some(home.path()), &Disk).unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error)))
}

/// Reads and resolves an inventory with nothing known of its hosts.
pub fn cluster(path: &Path) -> Cluster {
    let loaded = loaded(path);
    let assumed = assume(&loaded.inventory);
    match resolve(&loaded, &assumed.underlays) {
        Ok(resolved) => resolved.cluster,
        Err(problems) => panic!("{:?}", miette::Report::new(problems)),
    }
}
