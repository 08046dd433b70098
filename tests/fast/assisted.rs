//! What is made of the assisted service's own answers, as they were recorded (tests/recordings).

use std::fs;

use ocp2::{
    cluster::Cluster,
    install::{
        assisted::{ClusterSeen, Judgement},
        trouble::{Watchlist, Word},
    },
};

use crate::inventories;

fn cluster() -> Cluster {
    inventories::cluster(&inventories::path("two-hosts"))
}

fn recorded(name: &str) -> Judgement {
    let path = format!("{}/tests/recordings/assisted/{name}.json", env!("CARGO_MANIFEST_DIR"));
    ClusterSeen::read(&fs::read_to_string(path).unwrap()).unwrap().judge(&cluster())
}

/// Looks every 3 s at the recordings, each from its second on; returns all that is told.
fn told(recordings: &[(u64, &str)], until: u64) -> Vec<String> {
    let mut list = Watchlist::default();
    let mut words = Vec::new();
    for now in (recordings[0].0..until).step_by(3) {
        let (_, name) = recordings.iter().rfind(|(from, _)| *from <= now).unwrap();
        words.extend(list.look(now, recorded(name).troubles).into_iter().map(|word| match word {
            Word::Lasts(trouble) => trouble.what,
            Word::Over(trouble) => format!("over: {}", trouble.what),
        }));
    }
    words
}

/// Returns what is told of a situation that stays.
fn told_of(name: &str) -> Vec<String> {
    let mut words = told(&[(0, name)], 300);
    words.sort();
    words
}

#[test]
fn a_healthy_installation_raises_no_alarm() {
    let healthy = [
        (6, "1-first-host-discovering"),
        (39, "2-five-hosts-39s"),
        (72, "3-six-hosts-72s"),
        (120, "4-all-known"),
        (153, "5-preparing"),
        (270, "6-installing"),
        (480, "7-rebooting"),
    ];
    assert_eq!(told(&healthy, 600), [] as [&str; 0]);
}

#[test]
fn hosts_are_known_by_their_names_and_counted() {
    let line = |name| recorded(name).line;
    assert_eq!(
        line("1-first-host-discovering"),
        "0 of 6 hosts have registered; not yet: master0, master1, master2, worker0, worker1, worker2; \
         one more has not told its name yet"
    );
    assert_eq!(line("2-five-hosts-39s"), "5 of 6 hosts have registered; not yet: worker2");
    assert_eq!(line("3-six-hosts-72s"), "6 of 6 hosts have registered");
    let stages = recorded("6-installing").stages;
    assert_eq!(stages[3], ("worker0".to_owned(), "Writing image to disk 40%".to_owned()));
    assert_eq!(stages.len(), 6);
}

#[test]
fn each_failure_is_told_once_and_of_whom_it_is() {
    for name in [
        "faults-a",
        // One host that is cut off is one trouble, though the check fails on all six.
        "faults-b",
        "image-cannot-be-pulled",
        "disconnected",
        // Who failed, and not who was in the same cluster.
        "master-failed",
        "wrong-boot-order",
    ] {
        insta::assert_snapshot!(name, told_of(name).join("\n"));
    }
}
