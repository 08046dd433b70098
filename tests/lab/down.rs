//! A host is left as it was, and other people's files are left where they are.

use crate::{
    drift::a_lost_disk_is_made_anew,
    footprint::{LISTING, footprint, same},
    interruption::UnderWay,
    stage::{Stage, stage},
};

#[test]
fn down_leaves_a_host_as_it_was_before_up() {
    let stage = stage();
    let inventory = stage.inventory("down.yaml", &[]);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    let before = ["bm1", "bm2"].map(|host| stage.at(host, LISTING).succeeds().stdout);
    stage.ocp2(&["up", "--until", "machines", &inventory]).succeeds();
    a_lost_disk_is_made_anew(&stage, &["--until", "machines", &inventory]);
    let there = stage.at("bm1", LISTING).succeeds().stdout;
    for trace in ["br-vm", "vxlan0", "ocp2_ocp", "ocp2-ocp-dns.service", "ocp-master0", "ocp2-ocp"] {
        assert!(there.contains(trace), "{trace} is not there to be removed");
    }
    stage.ocp2(&["down", &inventory]).ends(2).says("--yes");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds().shows("is gone");
    for (host, before) in ["bm1", "bm2"].iter().zip(before) {
        let after = stage.at(host, LISTING).succeeds().stdout;
        let left: Vec<&str> = after.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
        let gone: Vec<&str> = before.lines().filter(|line| !after.lines().any(|new| new == *line)).collect();
        assert!(left.is_empty() && gone.is_empty(), "{host}: left {left:#?}, gone {gone:#?}");
    }
    stage.ocp2(&["down", "--yes", &inventory]).succeeds().shows("Nothing of cluster ocp");
}

const POOL: &str = "/var/lib/libvirt/images/ocp";

fn down(stage: &Stage, inventory: &str, options: &[&str]) -> String {
    let run = stage.ocp2(&[&["down", "--yes"], options, &[inventory]].concat());
    run.succeeds().stderr
}

#[test]
fn down_leaves_what_is_not_in_the_record() {
    let stage = stage();
    let inventory = stage.inventory("down.yaml", &[]);
    down(&stage, &inventory, &[]);
    stage.ocp2(&["up", "--until", "machines", &inventory]).succeeds();
    let record =
        stage.at("bm1", "cat /var/lib/ocp2/ocp/owned; stat -c '%a %U' /var/lib/ocp2/ocp/owned").succeeds();
    let lines: Vec<&str> = record.stdout.lines().collect();
    assert_eq!((lines.first(), lines.last()), (Some(&"ocp2-owned 1"), Some(&"600 root")));
    for line in [
        "domain ocp-master0",
        "file /etc/ocp2/ocp/haproxy.cfg",
        "folder /var/lib/libvirt/images/ocp",
        "link br-vm",
        "link vxlan0",
        "pool ocp2-ocp",
        "table ocp2_ocp",
        "unit ocp2-ocp-guests.service",
        "volume /var/lib/libvirt/images/ocp/ocp-master0.img",
    ] {
        assert!(lines.contains(&line), "{line} is not written down: {lines:#?}");
    }
    let theirs = ["billing-db.qcow2", "ocp-billing.img", "ocp-notes.ign"];
    for name in theirs {
        stage.at("bm1", &format!("echo theirs > {POOL}/{name}; virsh -q pool-refresh ocp2-ocp")).succeeds();
    }
    let said = down(&stage, &inventory, &[]);
    for name in &theirs[1..] {
        assert!(said.contains(&format!("file {POOL}/{name}: left: it is not in the record")), "{said}");
    }
    assert!(said.contains("left: it holds what is not this cluster's: billing-db.qcow2"), "{said}");
    let left =
        stage.at("bm1", &format!("cd {POOL}; ls; cat *; ! virsh -q pool-info ocp2-ocp; rm *; rmdir {POOL}"));
    assert_eq!(left.succeeds().stdout, format!("{}\ntheirs\ntheirs\ntheirs\n", theirs.join("\n")));
}

#[test]
fn kept_disks_are_found_again_and_deleted_by_a_later_down() {
    let stage = stage();
    let inventory = stage.inventory("down.yaml", &[]);
    down(&stage, &inventory, &[]);
    let clean = footprint(&stage, false);
    stage.ocp2(&["up", "--until", "machines", &inventory]).succeeds();
    let disks = format!("cd {POOL}; stat -c '%i %n' *.img");
    let before = stage.at("bm1", &disks).succeeds().stdout;
    down(&stage, &inventory, &["--keep-volumes"]);
    let kept = stage.at("bm1", "cd /var/lib/ocp2/ocp; ls; grep -c ^volume owned").succeeds().stdout;
    assert_eq!(kept, "owned\n3\n");
    stage.ocp2(&["down", "--yes", "--keep-volumes", &inventory]).succeeds().shows("Nothing of cluster ocp");
    stage.ocp2(&["up", "--until", "machines", &inventory]).succeeds();
    assert_eq!(stage.at("bm1", &disks).succeeds().stdout, before, "the disks are others");
    down(&stage, &inventory, &["--keep-volumes"]);
    down(&stage, &inventory, &[]);
    same(&clean, &footprint(&stage, false), "after down of kept disks");
}

#[test]
fn a_run_killed_after_the_record_and_before_the_things_leaves_nothing_for_down_to_miss() {
    let stage = stage();
    let inventory = stage.inventory("down.yaml", &[]);
    down(&stage, &inventory, &[]);
    let clean = footprint(&stage, false);
    // What all of the phase makes is written down with its first step.
    let up = ["up", "--until", "machines", &inventory];
    let mut run = UnderWay::of(&stage, &up, "file /var/lib/ocp2/ocp/settled-cluster: create");
    run.child.kill().unwrap();
    assert_eq!(run.child.wait().unwrap().code(), None, "it was not at work any more");
    let there =
        stage.at("bm1", "grep ^volume /var/lib/ocp2/ocp/owned; ls /var/lib/libvirt/images/ocp").succeeds();
    assert!(
        there.stdout.contains("volume /var/lib/libvirt/images/ocp/ocp-master0.img\n"),
        "{}",
        there.stdout
    );
    down(&stage, &inventory, &[]);
    same(&clean, &footprint(&stage, false), "after down of a killed run");
}

#[test]
fn a_down_that_was_killed_has_to_end_before_the_next_up() {
    let stage = stage();
    let inventory = stage.inventory("down.yaml", &[]);
    down(&stage, &inventory, &[]);
    let clean = footprint(&stage, false);
    stage.ocp2(&["up", "--until", "machines", &inventory]).succeeds();
    let mut run = UnderWay::of(&stage, &["down", "--yes", &inventory], "ocp-agent.iso: delete");
    // The list of what is to go comes first.
    run.goes_on_until("bm1 [");
    run.goes_on_until("pool ocp2-ocp: undefine");
    run.child.kill().unwrap();
    assert_eq!(run.child.wait().unwrap().code(), None, "it was not at work any more");
    let refused = stage.ocp2(&["up", "--until", "machines", &inventory]).ends(3);
    refused.says("`ocp2 down` has begun to remove the cluster here").says("run `ocp2 down` again first");
    stage.ocp2(&["plan", &inventory]).ends(3);
    down(&stage, &inventory, &[]);
    same(&clean, &footprint(&stage, false), "after the second down");
    stage.ocp2(&["up", "--until", "overlay", &inventory]).succeeds();
    down(&stage, &inventory, &[]);
}

#[test]
fn parents_of_the_pool_that_were_made_go_with_it() {
    let stage = stage();
    let inventory =
        stage.inventory("down.yaml", &[("\nmachines:\n", "\nmachines:\n  pool: /srv/one/two/ocp\n")]);
    stage.at("bm2", "mkdir -p /srv/one").succeeds();
    stage.ocp2(&["up", "--until", "machines", &inventory]).succeeds();
    down(&stage, &inventory, &[]);
    stage.at("bm1", "test ! -e /srv/one").succeeds();
    // On this one somebody else has made it.
    stage.at("bm2", "test ! -e /srv/one/two && rmdir /srv/one").succeeds();
}
