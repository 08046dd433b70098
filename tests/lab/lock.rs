//! One run at a time, and no lock that has to be cleaned up.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{interruption::UnderWay, stage::stage};

#[test]
fn the_lock_of_a_run_in_a_black_hole_is_free_again_within_a_minute() {
    let stage = stage();
    let inventory = stage.inventory("lock.yaml", &[]);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    let first = UnderWay::until(&stage, &inventory, "names  ");
    // Nothing more of this run's own connections gets through, and nobody is told.
    let hole = format!(
        "nft add table ip hole; nft add chain ip hole out '{{ type filter hook output priority 0; }}'; \
         for p in $(ss -Htnp | grep -w pid={} | awk '{{print $4}}' | sed 's/.*://'); do nft add rule ip hole out tcp sport $p drop; done; \
         nft list table ip hole | grep -c drop",
        first.child.id()
    );
    stage.at("workstation", &hole).succeeds().shows("2");
    let begin = Instant::now();
    let refused = stage.ocp2(&["up", "--until", "balancer", &inventory]);
    let free = loop {
        let done = stage.ocp2(&["up", "--until", "balancer", &inventory]);
        if done.status == 0 || begin.elapsed() > Duration::from_secs(60) {
            break done;
        }
        thread::sleep(Duration::from_secs(1));
    };
    let waited = begin.elapsed();
    let first = first.end();
    stage.at("workstation", "nft delete table ip hole").succeeds();
    refused.ends(1).says("another ocp2 works on this cluster").says("since 20");
    free.succeeds();
    assert!(waited > Duration::from_secs(15) && waited < Duration::from_secs(55), "{waited:?}");
    first.ends(4).says("the host does not answer any more");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}

#[test]
fn a_run_that_stood_still_while_another_took_over_does_nothing_more() {
    let stage = stage();
    let inventory = stage.inventory("lock.yaml", &[]);
    let up = ["up", "--until", "machines", &inventory];
    // Among scripts, and among calls to libvirt.
    for text in ["bm2 [4/", "domain ocp-master1: define"] {
        stage.ocp2(&["down", "--yes", &inventory]).succeeds();
        let first = UnderWay::of(&stage, &up, text);
        // Longer than the hosts keep a lock, and than a connection's signs of life may be missing.
        first.hold();
        thread::sleep(Duration::from_secs(45));
        stage.ocp2(&up).succeeds();
        // What the first one would do now is no longer wanted: it would be seen as a change.
        first.resume();
        first
            .end()
            .ends(1)
            .says("this run has lost its lock: ")
            .says("hint: nothing more was done there since");
        let again = stage.ocp2(&["up", "--until", "machines", "-o", "json", &inventory]).succeeds().json();
        assert_eq!(again["changed"], 0, "{text}: {again}");
    }
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}
