//! The inventory, its checks and what is resolved from it.

use std::{collections::BTreeMap, io, path::Path};

use ocp2::{
    bringup::installer_inputs::{agent_config, install_config},
    cluster::{assume, resolve},
    inventory::{Files, Loaded, load},
};

/// Files that exist nowhere but here.
struct Fake(BTreeMap<&'static str, String>);

impl Files for Fake {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.0.get(path.to_str().unwrap()).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn shipped(name: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("inventories").join(name);
    let mut files = BTreeMap::new();
    files.insert("/folder/inventory.yaml", std::fs::read_to_string(path).unwrap());
    files
        .insert("/home/user/pull-secret.json", r#"{"auths":{"quay.io":{"auth":"dXNlcjpwYXNz"}}}"#.to_owned());
    files.insert(
        "/home/user/.ssh/id_ed25519.pub",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHf0pf9vU5Yt6Y6yqX8yqU1H8nXPqUqC0gJrS5mqxw0b user@example\n"
            .to_owned(),
    );
    match load(Path::new("/folder/inventory.yaml"), Some(Path::new("/home/user")), &Fake(files)) {
        Ok(loaded) => loaded,
        Err(error) => panic!("{:?}", miette::Report::new(error)),
    }
}

#[test]
fn smoke() {
    let loaded = shipped("two-hosts.yaml");
    let assumed = assume(&loaded.inventory);
    let resolved = resolve(&loaded, &assumed.underlays).unwrap();
    println!("{:#?}", resolved.cluster);
    println!("{}", install_config(&resolved.cluster, &loaded.pull_secret.unwrap()).unwrap().expose());
    println!("{}", agent_config(&resolved.cluster).unwrap());
}
