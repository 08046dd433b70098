//! What a passphrase prompt leaves of the terminal.

use std::{fs, process::Command};

use crate::sshd::{Sshd, keygen, user};

#[test]
fn an_interrupt_in_a_passphrase_prompt_leaves_the_echo_on() {
    let sshd = Sshd::start();
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    keygen(&path("locked"), &["-t", "ed25519", "-N", "correct horse"]);
    fs::copy(path("locked.pub"), sshd.path("authorized_keys")).unwrap();
    fs::write(path("pull-secret.json"), r#"{"auths":{"quay.io":{"auth":"dXNlcjpodW50ZXIy"}}}"#).unwrap();
    fs::write(path("known_hosts"), sshd.host_key(&sshd.name()) + "\n").unwrap();
    let inventory = format!(
        "apiVersion: ocp2/v1\ncluster:\n  name: ocp\n  baseDomain: example.com\n  version: 4.18.30\n  \
         pullSecretFile: pull-secret.json\n  sshKeyFile: locked.pub\nhosts:\n  - name: bm1\n    nic: ens34f0\n    \
         ssh: {{address: 127.0.0.1, port: {}, user: {}, identityFile: locked, knownHostsFile: known_hosts}}\n",
        sshd.port,
        user()
    );
    fs::write(path("inventory.yaml"), inventory).unwrap();
    // The first one ends what only looks, the second one whatever there is.
    for times in ["1", "2"] {
        let mut terminal = Command::new("/usr/bin/python3");
        terminal.arg("-B").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ssh/terminal.py"));
        terminal.args([times, env!("CARGO_BIN_EXE_ocp2"), "plan"]).current_dir(home.path());
        let done = terminal.env("HOME", home.path()).env_remove("SSH_AUTH_SOCK").output().unwrap();
        let (said, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert_eq!(said.trim(), "code 130, echo on", "interrupted {times} times: {stderr}");
    }
}
