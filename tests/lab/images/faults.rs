//! What may happen to an image on its way from host to host.

use std::time::Duration;

use super::{IMAGE, arrived, take_away};
use crate::stage::{Stage, eventually};

/// Lets a host send no more than 25 MB/s.
const SLOW: &str = "tc qdisc add dev ens34f0 root tbf rate 200mbit burst 1mb latency 100ms";

pub fn a_leg_that_is_cut_is_carried_on(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm2", "bm3"]);
    // Slow enough to look on, and at first the one that may have it does not get through.
    let hold = "nft add table inet held; nft add chain inet held in '{ type filter hook input priority 0; }'; \
                nft add rule inet held in ip saddr 192.168.139.2 tcp dport 22625 drop";
    stage.at("bm1", SLOW).succeeds();
    stage.at("bm1", hold).succeeds();
    stage
        .at("bm3", "cd /tmp && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ocp2 -keyout k -out c 2>/dev/null")
        .succeeds();
    let run = stage.start(&["up", "--until", "image", inventory]);
    eventually(Duration::from_secs(60), || stage.at("bm1", "ss -Hltn 'sport = :22625' | grep ."));

    // Neither another host nor another user of the same one gets at it.
    let stranger = "cd /tmp && for with in '' '--cert c --key k'; do \
        curl -sS -k -m 5 $with https://192.168.139.1:22625/data -o stolen && exit 9; done; [ ! -s stolen ]";
    stage.at("bm3", stranger).succeeds().says("alert certificate required").says("alert unknown ca");
    stage.at("bm1", "nft delete table inet held").succeeds();
    let grown = format!("[ $(stat -c %s {IMAGE}.*.part) -gt 30000000 ]");
    eventually(Duration::from_secs(60), || stage.at("bm3", &grown));
    let reached = "timeout 2 bash -c 'exec 3<>/dev/tcp/192.0.2.11/22625'";
    assert_ne!(stage.at("internet", reached).status, 0, "the relay listens on the public address");
    stage.at("bm1", "[ -f /run/ocp2-ocp.relay/key ]").succeeds();
    stage.at("bm1", "! runuser -u nosudo -- ls /run/ocp2-ocp.relay 2>/dev/null").succeeds();
    stage.at("bm2", &format!("! runuser -u nosudo -- head -c 1 {IMAGE}.*.part 2>/dev/null")).succeeds();

    stage.at("bm1", "pkill -KILL -f 's_server -accept 192.168.139.1'").succeeds();
    let cut = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&cut.stderr).into_owned();
    stage.at("bm1", "tc qdisc del dev ens34f0 root").succeeds();
    assert_eq!(cut.status.code(), Some(5), "{said}");
    assert!(
        said.contains(&format!("bm2: {IMAGE} does not come from bm1 (192.168.139.1 port 22625)")),
        "{said}"
    );
    let inode = |file: &str| stage.at("bm2", &format!("stat -c %i {file}")).succeeds().stdout;
    let begun = inode(&format!("{IMAGE}.*.part"));
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    assert_eq!(inode(IMAGE), begun, "it began anew");
    arrived(stage, "after the cut");
}

pub fn what_is_not_what_it_was_is_refused(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm3"]);
    let byte = format!("{IMAGE} bs=1 count=1 conv=notrunc status=none");
    let damage = format!(
        "dd if={IMAGE} of=/root/byte skip=1000 bs=1 count=1 status=none; tr '\\0-\\377' '\\1-\\377\\0' </root/byte | dd seek=1000 of={byte}"
    );
    stage.at("bm1", &damage).succeeds();
    let refused = stage.ocp2(&["up", "--until", "image", inventory]).ends(5);
    refused.says(&format!("bm1: {IMAGE}: its checksum is ")).says("delete it there");
    stage.at("bm3", &format!("! ls {IMAGE}*")).succeeds();
    stage.at("bm1", &format!("dd if=/root/byte seek=1000 of={byte}; rm /root/byte")).succeeds();
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    arrived(stage, "as it was again");

    // A wrong beginning is found where the file ends, and named where it is.
    let tag = stage
        .at("bm1", "sed 's/.*\"inputs\":\"//' /var/lib/ocp2/ocp/image.json | cut -c1-12")
        .succeeds()
        .stdout;
    let beginning = |host: &str, of: &str| {
        stage.at(host, &format!("head -c 50M {of} >{IMAGE}.{}.part", tag.trim())).succeeds();
    };
    // What one host has read from a wrong one is wrong too; what each has of its own is its own.
    for (wrong, right) in [("bm2", None), ("bm3", Some("bm2"))] {
        if let Some(right) = right {
            beginning(right, IMAGE);
        }
        beginning(wrong, "/dev/urandom");
        take_away(stage, &["bm2", "bm3"]);
        let refused = stage.ocp2(&["up", "--until", "image", inventory]).ends(5);
        refused.says(&format!("{wrong}: {IMAGE} arrived as {} bytes with SHA-256 ", 300 << 20));
        for host in ["bm2", "bm3"] {
            let there = stage.at(host, &format!("ls {IMAGE}* 2>/dev/null")).stdout;
            assert_eq!(!there.is_empty(), right == Some(host), "{host}: {there}");
        }
        stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
        arrived(stage, "after a wrong beginning");
    }
}

pub fn a_way_that_is_closed_is_named(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm3"]);
    // Where nobody expects a filter: one at the input is refused before anything is sent.
    let close = "nft add table inet closed; nft add chain inet closed in '{ type filter hook prerouting priority 0; }'; \
                 nft add rule inet closed in tcp dport 22625 reject with tcp reset";
    stage.at("bm1", close).succeeds();
    let refused = stage.ocp2(&["up", "--until", "image", inventory]);
    stage.at("bm1", "nft delete table inet closed").succeeds();
    refused
        .ends(5)
        .says(&format!("bm3: {IMAGE} does not come from bm1 (192.168.139.1 port 22625) over the overlay: "))
        .says("a firewall of bm1's must let TCP 22625 in");
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    arrived(stage, "once the way was open");
}

/// Lets the hosts' disk become full while the image arrives on bm3; returns how the run ended.
fn full_on_the_way(stage: &Stage, inventory: &str) -> (Option<i32>, String) {
    let folder = "/var/lib/libvirt/images/ocp";
    stage.at("bm3", &format!("mount -t tmpfs -o size=3g none {folder}")).succeeds();
    stage.at("bm1", SLOW).succeeds();
    let run = stage.start(&["up", "--until", "image", inventory]);
    let grown = format!("[ $(stat -c %s {IMAGE}.*.part) -gt 5000000 ]");
    eventually(Duration::from_secs(60), || stage.at("bm3", &grown));
    stage.at("bm3", &format!("mount -o remount,size=80m {folder}")).succeeds();
    stage.at("bm1", "tc qdisc del dev ens34f0 root").succeeds();
    let ended = run.wait_with_output().unwrap();
    stage.at("bm3", &format!("umount {folder}")).succeeds();
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

pub fn a_full_disk_is_named(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm3"]);
    let sparse = full_on_the_way(stage, inventory);
    stage
        .at("bm1", &format!("cp --sparse=never {IMAGE} {IMAGE}.dense && mv {IMAGE}.dense {IMAGE}"))
        .succeeds();
    let dense = full_on_the_way(stage, inventory);
    for (status, said) in [sparse, dense] {
        let named = said.contains(&format!("writing {IMAGE}")) && said.contains("No space left on device");
        assert!(status == Some(5) && named, "{status:?}: {said}");
    }
    stage.at("bm1", &format!("fallocate --dig-holes {IMAGE}")).succeeds();
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    arrived(stage, "once there was room");
}
