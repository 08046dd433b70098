//! An installed cluster is never installed again, whatever is missing or other by now.

use std::time::Duration;

use crate::stage::{Stage, eventually, lab, stage};

/// Returns how long each VM has been up, seconds.
fn uptimes(stage: &Stage, inventory: &str) -> Vec<f64> {
    let vms = stage.ocp2(&["vms", "list", inventory, "-o", "json"]).succeeds().json();
    let uptime = |vm: &serde_json::Value| {
        let url = format!("http://{}:9999/", vm["ip"].as_str().unwrap());
        let get = || stage.at("bm1", &format!("curl -sS -m 10 {url}"));
        eventually(Duration::from_secs(20), get).json()["uptime"].as_f64().unwrap()
    };
    vms.as_array().unwrap().iter().map(uptime).collect()
}

#[test]
fn an_installed_cluster_is_never_installed_again() {
    let stage = stage();
    let inventory = stage.cluster();
    for host in ["bm1", "bm2"] {
        // The boot image is out of all drives, now and in the configuration, and that is no drift.
        for which in ["", "--inactive"] {
            let source = format!("for d in $(virsh -q list --name); do virsh -q domblklist {which} $d; done");
            let drives = stage.at(host, &source).succeeds().stdout;
            assert!(drives.contains("ocp-master") && !drives.contains(".iso"), "{host} {which}:\n{drives}");
        }
    }
    let before = uptimes(&stage, &inventory);

    // Another workstation, and an image that somebody has deleted.
    std::fs::remove_dir_all(stage.folder.join("ocp-auth")).unwrap();
    for host in ["bm1", "bm2"] {
        stage.at(host, "rm /var/lib/libvirt/images/ocp/ocp-agent.iso").succeeds();
    }
    stage.ocp2(&["plan", "--check", &inventory]).succeeds();
    let up = stage.ocp2(&["up", &inventory, "-o", "json"]).succeeds().json();
    assert_eq!(up["changed"], 0, "{up}");
    assert!(stage.folder.join("ocp-auth/kubeconfig").exists());

    // What the installer was given is another matter now: reported, and never applied.
    let other = stage.inventory("frozen.yaml", &[("\nnodes:", "\nnetwork: {ntp: [192.0.2.123]}\nnodes:")]);
    let plan = stage.ocp2(&["plan", "--check", "-o", "json", &other]).ends(8).json();
    let changes = plan["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{plan:#}");
    assert_eq!(changes[0]["resource"], "installer inputs");
    let diff = changes[0]["details"][0]["text"].as_str().unwrap();
    assert!(diff.contains("+additionalNTPSources:") && diff.contains("192.0.2.123"), "{diff}");
    assert!(!diff.contains("sshKey"), "{diff}");
    let up = stage.ocp2(&["up", &other, "-o", "json"]).succeeds().says("192.0.2.123").says("never applied");
    assert_eq!(up.json()["changed"], 0, "{}", up.stdout);

    // Another pull secret shows as one, and is not shown.
    let secret = stage.folder.join("other-secret.json");
    std::fs::write(&secret, r#"{"auths":{"quay.io":{"auth":"b3RoZXI6c2VjcmV0"}}}"#).unwrap();
    let path = format!("{}/pull-secret.json", lab());
    let other = stage.inventory("frozen-secret.yaml", &[(&path, &secret.display().to_string())]);
    let plan = stage.ocp2(&["plan", "--check", &other]).ends(8).shows("a secret among them has changed");
    assert!(!plan.stdout.contains("b3RoZXI6c2VjcmV0"), "{}", plan.stdout);

    let after = uptimes(&stage, &inventory);
    assert!(before.iter().zip(&after).all(|(before, after)| after > before), "{before:?} {after:?}");
}
