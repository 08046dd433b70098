//! What cannot work ends at once, with the reason, the fix and its exit code, and nothing half done.

use std::time::Duration;

use crate::{
    interruption::UnderWay,
    stage::{eventually, lab, stage},
};

#[test]
fn a_changed_host_key_is_refused() {
    let stage = stage();
    let known = stage.folder.join("changed_hosts");
    let text = std::fs::read_to_string(format!("{}/known_hosts", lab())).unwrap();
    // bm1 with the key of bm2 is what somebody in the middle looks like.
    let second =
        text.lines().find(|line| line.starts_with("192.0.2.12 ") && line.contains("ed25519")).unwrap();
    std::fs::write(&known, format!("{}\n{second}\n", second.replacen("192.0.2.12", "192.0.2.11", 1)))
        .unwrap();
    let inventory = stage
        .inventory("changed-key.yaml", &[(&format!("{}/known_hosts", lab()), &known.display().to_string())]);
    stage.ocp2(&["plan", &inventory]).ends(4).says("host key").says("has changed").says("ssh-keygen");
}

#[test]
fn an_unknown_host_key_is_refused_off_a_terminal() {
    let stage = stage();
    let inventory = stage
        .inventory("unknown-key.yaml", &[(&format!("{}/known_hosts", lab()), "/nonexistent/known_hosts")]);
    stage.ocp2(&["up", &inventory]).ends(4).says("is not known").says("ssh-keygen -lf");
}

#[test]
fn a_host_that_is_down_is_named_and_the_other_is_left_alone() {
    let stage = stage();
    let inventory = stage.inventory("down-host.yaml", &[("192.0.2.12", "192.0.2.77")]);
    let vms = stage.ocp2(&["vms", "list", "-o", "json", &inventory]).ends(4).says("bm2: cannot reach");
    let unknown = vms.json().as_array().unwrap().iter().filter(|vm| vm["state"] == "unknown").count();
    assert_eq!(unknown, 3);
    stage.ocp2(&["up", &inventory]).ends(4).says("bm2: cannot reach 192.0.2.77");
}

#[test]
fn a_user_without_sudo_is_told_what_to_do() {
    let stage = stage();
    let inventory = stage.inventory("nosudo.yaml", &[("user: root", "user: nosudo")]);
    stage.ocp2(&["plan", &inventory]).ends(4).says("nosudo cannot become root").says("NOPASSWD");
}

#[test]
fn vms_that_do_not_fit_are_refused_before_anything_is_touched() {
    let stage = stage();
    let inventory =
        stage.inventory("large.yaml", &[("memory: 256MiB", "memory: 64GiB"), ("name: ocp\n", "name: big\n")]);
    stage.ocp2(&["up", &inventory]).ends(3).says("of memory").says("nodes.*.memory");
    stage.at("bm1", "test ! -e /etc/ocp2/big").succeeds();
}

#[test]
fn a_pull_secret_that_is_not_json_is_refused_without_being_shown() {
    let stage = stage();
    let secret = stage.folder.join("broken-secret.json");
    std::fs::write(&secret, "auths: super-secret-token").unwrap();
    let inventory = stage.inventory(
        "broken-secret.yaml",
        &[(&format!("{}/pull-secret.json", lab()), &secret.display().to_string())],
    );
    let refused = stage.ocp2(&["up", &inventory]).ends(3).says("pullSecretFile");
    assert!(!format!("{}{}", refused.stdout, refused.stderr).contains("super-secret-token"));
}

#[test]
fn what_is_in_the_way_is_named_and_left_alone() {
    let stage = stage();
    let inventory = stage.beside("second", 2, &[]);
    stage
        .at("bm2", "ip link add name br-second type bridge && ip link set dev br-second mtu 1234")
        .succeeds();
    let up = stage.ocp2(&["up", "--until", "balancer", &inventory]);
    let kept = stage.at("bm2", "ip -o link show br-second; ip link delete dev br-second");
    let touched = stage.at("bm1", "ls -d /etc/ocp2/second /sys/class/net/br-second 2>/dev/null");
    up.ends(3).says("bm2: bridge br-second is already there and not ocp2's").says("ip link delete br-second");
    kept.succeeds().shows("mtu 1234");
    assert_eq!(touched.stdout, "", "bm1 was changed although bm2 cannot be");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}

#[test]
fn rules_of_the_owners_own_that_would_drop_our_traffic_are_named_and_left_alone() {
    let stage = stage();
    let inventory = stage.inventory("own-rules.yaml", &[]);
    let own = "nft -f - <<'RULES'
table inet own {
  chain input {
    type filter hook input priority filter; policy drop
    iif lo accept
    ct state established,related accept
    tcp dport 22 accept
  }
}
RULES";
    let list = "nft list table inet own";
    stage.at("bm1", own).succeeds();
    let before = stage.at("bm1", list);
    let refused = ["plan", "up"].map(|command| stage.ocp2(&[command, &inventory]));
    let after = stage.at("bm1", &format!("{list}; nft delete table inet own"));
    for refused in refused {
        refused
            .ends(3)
            .says("bm1: chain input of the nftables table inet own drops")
            .says("nft insert rule inet own input ip saddr 192.0.2.12 udp dport 4789 accept");
    }
    assert_eq!(before.succeeds().stdout, after.succeeds().stdout);
}

#[test]
fn after_ctrl_c_the_next_run_carries_on() {
    let stage = stage();
    let inventory = stage.beside("third", 3, &[]);
    let run = UnderWay::until(&stage, &inventory, "bridge br-third");
    run.interrupt();
    run.end().ends(130).says("carries on");

    // The hosts hear of its end a moment later.
    eventually(Duration::from_secs(30), || stage.ocp2(&["up", "--until", "balancer", &inventory]));
    let again = stage.ocp2(&["up", "--until", "balancer", "-o", "json", &inventory]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}

#[test]
fn of_two_runs_at_once_one_works_and_the_other_says_who_does() {
    let stage = stage();
    let inventory = stage.beside("fourth", 4, &[]);
    let first = UnderWay::until(&stage, &inventory, "bridge br-fourth");
    // Held in the middle of it, however late the second one begins.
    first.hold();
    let second = stage.ocp2(&["up", "--until", "balancer", &inventory]);
    first.resume();
    first.end().succeeds();
    second.ends(1).says("another ocp2 works on this cluster").says("since 20");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}
