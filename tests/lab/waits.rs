//! Waits that say what is wrong, and the logs that `gather` brings: with failures the stand-in is asked to play.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use crate::stage::{Run, Stage, lab, stage};

/// Asks the stand-in on bm1 for failures.
fn faults(stage: &Stage, asked: &str) {
    stage.at("bm1", &format!("echo '{asked}' > /etc/ocp2-lab-faults.json")).succeeds();
}

/// Runs `up` until it has said all of this, and then lets the installer give up as after its hour.
pub fn given_up_after(stage: &Stage, inventory: &str, words: &[&str]) -> Run {
    let mut child = stage.start(&["up", inventory]);
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut stderr = String::new();
    while !words.iter().all(|words| stderr.contains(words)) {
        assert_ne!(lines.read_line(&mut stderr).unwrap(), 0, "{stderr}");
    }
    faults(stage, r#"{"giveUp": true}"#);
    lines.read_to_string(&mut stderr).unwrap();
    let status = child.wait().unwrap().code().unwrap_or(-1);
    stage.at("bm1", "rm /etc/ocp2-lab-faults.json").succeeds();
    Run { status, stdout: String::new(), stderr }
}

/// Returns all files below a folder with their text; each must be the user's alone.
fn private_files(folder: &Path) -> Vec<(String, String)> {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder), 0o700, "{}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(private_files(&path));
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            files.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

#[test]
fn nodes_that_keep_the_installation_from_its_begin_are_named_and_their_logs_collected() {
    let stage = stage();
    let inventory = stage.beside("ill", 6, &[("workers: {count: 3", "workers: {count: 1")]);
    let asked = r#"{"nodes": {"master1": ["dns"], "master2": ["clock"], "worker0": ["silent"]}}"#;
    faults(&stage, asked);
    let up = given_up_after(
        &stage,
        &inventory,
        &[
            "trouble: master1: api-int-domain-name-resolved-correctly",
            "trouble: master2: time-synced-between-host-and-service",
            "3 of 4 hosts have registered; not yet: worker0",
        ],
    );
    let up = up
        .ends(7)
        .says("bootstrap-complete did not complete")
        .says("- master1: api-int-domain-name-resolved-correctly fails: Couldn't resolve domain name api-int.ill.lab.test")
        .says("it must ask its own host's dnsmasq")
        .says("- master2: time-synced-between-host-and-service fails: Host clock is not synchronized")
        .says("set network.ntp")
        .says("on bm2) has not registered")
        .says("bm2: /var/log/libvirt/qemu/ill-worker0-console.log");
    // A check that is well is no trouble.
    assert!(!up.stderr.contains("trouble: master0") && !up.stderr.contains("- master0"), "{}", up.stderr);

    // What must not leave the hosts, where it could.
    let log = "/var/lib/ocp2/ill/installer/assets/.openshift_install.log";
    let key = "-----BEGIN EC PRIVATE KEY-----\\nMHcCplanted\\n-----END EC PRIVATE KEY-----";
    let auth = stage.at("bm1", &format!(
        "cd $(dirname {log}); p=$(cat auth/kubeadmin-password); \
         printf 'msg=\"password: %s\" token=planted-token {key}\\n' \"$p\" >> {log}; echo \"$p\"; sed -n 's/.*client-key-data: //p' auth/kubeconfig"
    )).succeeds();
    let pull_secret = std::fs::read_to_string(format!("{}/pull-secret.json", lab())).unwrap();
    let pull_secret: serde_json::Value = serde_json::from_str(&pull_secret).unwrap();
    let auths = pull_secret["auths"].as_object().unwrap().values();
    let mut planted: Vec<String> = auths.filter_map(|one| one["auth"].as_str().map(str::to_owned)).collect();
    stage.at("bm1", &format!("echo 'pull {}' >> {log}", planted[0])).succeeds();
    planted.extend(auth.stdout.lines().map(str::to_owned));
    planted.extend(["planted-token".to_owned(), "MHcCplanted".to_owned()]);
    assert!(planted.len() >= 5 && planted.iter().all(|secret| secret.len() >= 6), "{planted:?}");

    let bundle = stage.folder.join("ill-bundle");
    let _ = std::fs::remove_dir_all(&bundle);
    let folder = bundle.display().to_string();
    stage.ocp2(&["gather", &inventory, "--dir", &folder]).succeeds().shows(&folder);
    let files = private_files(&bundle);
    let has = |name: &str, text: &str| {
        let found = files.iter().find(|(path, _)| path.ends_with(name));
        let (_, content) = found
            .unwrap_or_else(|| panic!("no {name} in {:?}", files.iter().map(|f| &f.0).collect::<Vec<_>>()));
        assert!(content.contains(text), "{name} lacks {text:?}:\n{content}");
    };
    has("bm1/openshift_install.log", "Generated ISO at");
    has("bm1/openshift_install.log", "password: •••");
    has("bm1/assisted-clusters.json", "master2.ill.lab.test");
    has("bm1/assisted-events.json", "Successfully registered");
    has("bm1/links.txt", "vxlan6");
    has("bm1/nft.txt", "ocp2_ill");
    has("bm1/dnsmasq.conf", "ill.lab.test");
    has("bm1/haproxy.cfg", "6443");
    has("bm2/journal.txt", "ocp2-ill-");
    has("bm2/units.txt", "ocp2-ill-dns");
    has("bm2/ill-worker0.xml", "<domain");
    has("bm2/ill-worker0-console.log", "plays a failure it was asked for: silent");
    has("cluster.txt", "the API does not answer");
    for (path, text) in &files {
        for secret in &planted {
            assert!(!text.contains(secret.as_str()), "{path} has {secret}");
        }
    }

    // A host that is not there does not keep the others' logs from being collected.
    let lost = stage.folder.join("ill-lost.yaml");
    std::fs::write(&lost, std::fs::read_to_string(&inventory).unwrap().replace("192.0.2.12", "192.0.2.77"))
        .unwrap();
    let lost = lost.display().to_string();
    let bundle = stage.folder.join("ill-lost-bundle");
    let _ = std::fs::remove_dir_all(&bundle);
    stage.ocp2(&["gather", &lost, "--dir", &bundle.display().to_string()]).ends(4).says("bm2: cannot reach");
    let files = private_files(&bundle);
    assert!(files.iter().any(|(path, text)| path.ends_with("not-reached.txt") && text.contains("bm2")));
    assert!(files.iter().any(|(path, _)| path.ends_with("bm1/journal.txt")));

    // Mended, the same command carries on: it waits again, and nothing is made anew.
    let server = "192.168.204.2";
    stage.inside("bm2", "192.168.204.11", &format!("echo nameserver {server} > /etc/resolv.conf")).succeeds();
    let now = stage.at("bm1", "date +%s").succeeds().stdout;
    stage.inside("bm1", "192.168.204.12", &format!("date -s @{}", now.trim())).succeeds();
    stage.inside("bm2", "192.168.204.13", "rm /run/standin-faults/silent").succeeds();
    stage.ocp2(&["up", &inventory]).succeeds().says("cluster: 4 of 4 nodes are Ready");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}

#[test]
fn a_single_node_is_a_cluster() {
    let stage = stage();
    let fewer = [("masters: {count: 3", "masters: {count: 1"), ("workers: {count: 3", "workers: {count: 0")];
    let inventory = stage.beside("one", 7, &fewer);
    let run = stage.ocp2(&["up", &inventory, "-o", "json"]).succeeds();
    // There is no public address: the API was asked through SSH.
    let up = run.says("cluster: 1 of 1 nodes are Ready, 12 of 12 operators available").json();
    assert_eq!(up["phases"].as_array().unwrap().last().unwrap()["phase"], "install");
    stage.inside("bm1", "192.168.205.10", "cat /proc/cmdline").succeeds().shows("standin.boot=disk");
    stage.ocp2(&["plan", "--check", &inventory]).succeeds();
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}
