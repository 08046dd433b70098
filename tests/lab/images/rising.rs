//! An image that goes on from host to host while it still goes up.

use std::time::Duration;

use super::{IMAGE, arrived, inventory, sent, take_away};
use crate::{
    proxy::Proxy,
    stage::{Stage, eventually},
};

/// Lets the workstation send no more than 25 MB/s to the hosts, or as much as it can again.
fn uplink(stage: &Stage, what: &str) {
    let device = "$(ip -o route get 192.0.2.11 | grep -o 'dev [^ ]*' | cut -d' ' -f2)";
    stage
        .at(
            "workstation",
            &format!("tc qdisc {what} dev {device} root tbf rate 200mbit burst 1mb latency 100ms"),
        )
        .succeeds();
}

pub fn goes_on_while_it_goes_up(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm1", "bm2", "bm3"]);
    uplink(stage, "add");
    let run = stage.start(&["up", "--until", "image", inventory]);
    // The last host has much of it, and the first one not yet all.
    let grown = format!("[ $(stat -c %s {IMAGE}.*.part) -gt 80000000 ]");
    eventually(Duration::from_secs(60), || stage.at("bm3", &grown));
    stage.at("bm1", &format!("[ $(stat -c %s {IMAGE}.part) -lt $((300 << 20)) ]")).succeeds();
    stage.at("bm1", &format!("! runuser -u nosudo -- head -c 1 {IMAGE}.part 2>/dev/null")).succeeds();

    // A host in the middle that fails does not hold up the way to the first one.
    stage.at("bm2", "systemctl kill --signal=KILL 'ocp2-ocp.relay-*'").succeeds();
    let cut = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&cut.stderr).into_owned();
    assert!(cut.status.code() == Some(5) && said.contains("bm2"), "{said}");
    stage
        .at("bm1", &format!("[ $(stat -c %s {IMAGE}) = $((300 << 20)) ] && [ ! -e {IMAGE}.part ]"))
        .succeeds();
    let inode = |file: &str| stage.at("bm2", &format!("stat -c %i {file}")).succeeds().stdout;
    let begun = inode(&format!("{IMAGE}.*.part"));
    // What was sent up already is not sent again, and what had gone on is carried on with.
    let before = sent(stage, "bm1", "ens34f0");
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    assert_eq!(inode(IMAGE), begun, "it began anew");
    let rest = sent(stage, "bm1", "ens34f0") - before;
    assert!(rest < 250 << 20, "{rest} bytes went on");
    arrived(stage, "after a host in the middle had failed");

    // Cut on its way up, it goes up once more and whole.
    take_away(stage, &["bm1", "bm2", "bm3"]);
    let mut run = stage.start(&["up", "--until", "image", inventory]);
    let grown = format!("[ $(stat -c %s {IMAGE}.*.part) -gt 30000000 ]");
    eventually(Duration::from_secs(60), || stage.at("bm2", &grown));
    run.kill().unwrap();
    run.wait().unwrap();
    uplink(stage, "del");
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    arrived(stage, "after its way up was cut");
}

pub fn goes_up_to_a_far_host_and_on(stage: &Stage) {
    let inventory = inventory(stage, "image-far.yaml", &Proxy::replacements(stage, &["11"]));
    take_away(stage, &["bm1", "bm2", "bm3"]);
    let far = Proxy::start(stage, &["--delay", "20"], &["11"]);
    uplink(stage, "add");
    let run = stage.start(&["up", "--until", "image", &inventory]);
    // Over several connections at once, and the last host has the beginning while stripes are still missing.
    eventually(Duration::from_secs(60), || {
        stage.at(
            "bm3",
            &format!("s=$(stat -c %s {IMAGE}.*.part) && [ $s -gt 30000000 ] && [ $s -lt $((300 << 20)) ]"),
        )
    });
    stage.at("bm1", &format!("[ -e {IMAGE}.part.3 ] && [ ! -e {IMAGE} ]")).succeeds();
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    uplink(stage, "del");
    drop(far);
    arrived(stage, "from afar");
}

pub fn of_one_that_is_cut_down_leaves_nothing(stage: &Stage) {
    let inventory = inventory(stage, "image-far.yaml", &Proxy::replacements(stage, &["11"]));
    take_away(stage, &["bm1", "bm2", "bm3"]);
    let far = Proxy::start(stage, &["--delay", "20"], &["11"]);
    uplink(stage, "add");
    let mut run = stage.start(&["up", "--until", "image", &inventory]);
    let grown = format!("[ $(stat -c %s {IMAGE}.*.part) -gt 10000000 ]");
    eventually(Duration::from_secs(60), || stage.at("bm3", &grown));
    run.kill().unwrap();
    run.wait().unwrap();
    uplink(stage, "del");
    stage.at("bm1", &format!("[ -e {IMAGE}.part ] && [ -e {IMAGE}.part.3 ]")).succeeds();
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    drop(far);
    for host in ["bm1", "bm2", "bm3"] {
        let left =
            stage.at(host, "ls -d /var/lib/libvirt/images/ocp /var/lib/libvirt/images/ocp/* 2>/dev/null");
        assert_eq!(left.stdout, "", "{host}");
    }
}
