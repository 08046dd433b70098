//! What `ocp2 render` puts out, where, and for whose eyes.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::{Desk, assert_snapshot};
use crate::inventories::SECRET;

/// What a host has of its own, without its VMs.
const ON_A_HOST: [&str; 8] =
    ["overlay", "sysctl", "nftables", "dnsmasq", "hosts", "dhcp-hosts", "haproxy", "units"];

#[test]
fn install_config_comes_out_as_the_installer_takes_it() {
    let desk = Desk::new();
    let outcome = desk.ocp2(&["render", "install-config"]);
    assert_eq!(outcome.status, 0);
    let config: serde_json::Value = serde_yaml::from_str(&outcome.stdout).unwrap();
    assert_eq!(config["metadata"]["name"], "ocp");
    assert_eq!(config["networking"]["machineNetwork"][0]["cidr"], "12.12.139.0/24");
    let pull_secret: serde_json::Value =
        serde_json::from_str(config["pullSecret"].as_str().unwrap()).unwrap();
    assert_eq!(pull_secret["auths"]["quay.io"]["auth"], SECRET);
    // It is offline: what it took for granted it says, and not on stdout.
    assert!(
        outcome.stderr.contains("note: hosts[0].underlay.mtu: assumed 1500 for bm1"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains(SECRET));
}

#[test]
fn a_terminal_never_shows_the_pull_secret() {
    let said = Desk::new().ocp2_on_a_terminal("render install-config", "");
    assert!(said.contains("pullSecret: \"•••\""), "{said}");
    assert!(said.contains("note: secrets are masked"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn files_are_written_for_their_owner_only() {
    let desk = Desk::new();
    let all = [&["install-config", "agent-config"], &ON_A_HOST[..], &["domain", "pool", "volume"]].concat();
    let arguments = [&["render"], &all[..], &["--dir", "out/deep"]].concat();
    // What is there already, and open to all, must not stay so.
    fs::create_dir_all(desk.path("out/deep")).unwrap();
    desk.write("out/deep/install-config.yaml", "old");
    let outcome = desk.ocp2(&arguments);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, ""), "{outcome:#?}");
    assert!(!outcome.stderr.contains(SECRET));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (mut names, mut folders) = (Vec::new(), vec![desk.path("out/deep")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(desk.path("out/deep")).unwrap().display().to_string();
            if path.is_dir() {
                assert_eq!(mode(&path), 0o700, "{name}");
                folders.push(path);
                continue;
            }
            assert_eq!(mode(&path), 0o600, "{name}");
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.contains(SECRET), name == "install-config.yaml", "{name}");
            names.push(name);
        }
    }
    names.sort();
    assert_snapshot("render-dir", &names.join("\n"));
}

#[test]
fn what_is_rendered_for_a_host_is_the_same_every_time() {
    let desk = Desk::new();
    let arguments = [&["render", "--host", "bm2"], &ON_A_HOST[..]].concat();
    let (first, second) = (desk.ocp2(&arguments), desk.ocp2(&arguments));
    assert_eq!(first, second);
    assert_snapshot("render-bm2", first.stdout.trim_end());
    let one = desk.ocp2(&["render", "--host", "bm2", "domain"]);
    assert_eq!(one.stdout.matches("<domain ").count(), 3, "{}", one.stdout);
}

#[test]
fn ignition_is_rendered_for_the_upi_method_alone() {
    let desk = Desk::new();
    let refused = desk.ocp2(&["render", "ignition"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.contains("install.method: upi"), "{}", refused.stderr);

    let text = fs::read_to_string(desk.path("inventory.yaml")).unwrap();
    desk.write("inventory.yaml", &format!("{text}\ninstall: {{method: upi}}\n"));
    let outcome = desk.ocp2(&["render", "ignition", "--dir", "out"]);
    assert_eq!(outcome.status, 0, "{outcome:#?}");
    let config = fs::read_to_string(desk.path("out/bm1/ocp-worker1.ign")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let files = config["storage"]["files"].as_array().unwrap();
    let name = files.iter().find(|file| file["path"] == "/etc/hostname").unwrap();
    let name = name["contents"]["source"].as_str().unwrap().rsplit(',').next().unwrap();
    let name = String::from_utf8(data_encoding::BASE64.decode(name.as_bytes()).unwrap());
    assert_eq!(name.unwrap().trim_end(), "worker1.ocp.example.com");
}
