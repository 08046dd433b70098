//! A host is left as it was.

use crate::{drift::a_lost_disk_is_made_anew, footprint::LISTING, stage::stage};

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
