//! A change made by hand on one host: named by `plan`, mended by `up`, and nothing else touched.

use crate::stage::Stage;

/// What is changed by hand, and how `plan` has to name it.
pub struct Drift {
    /// Shell source that makes the change.
    pub by_hand: &'static str,
    /// The one resource that then differs.
    pub resource: &'static str,
    /// How its difference reads.
    pub summary: &'static str,
}

impl Drift {
    /// Returns a drift.
    pub const fn new(by_hand: &'static str, resource: &'static str, summary: &'static str) -> Self {
        Self { by_hand, resource, summary }
    }

    /// Makes the change on bm1; demands that `plan` names it alone, and that `up` mends it alone.
    ///
    /// `scope` is the phases' limit and the inventory, as both commands take them.
    #[track_caller]
    pub fn is_named_and_mended_alone(&self, stage: &Stage, scope: &[&str]) {
        let (by_hand, ocp2) = (self.by_hand, |arguments: &[&str]| stage.ocp2(&[arguments, scope].concat()));
        stage.at("bm1", by_hand).succeeds();
        let plan = ocp2(&["plan", "--check", "-o", "json"]).ends(8).json();
        let changes = plan["changes"].as_array().unwrap();
        assert_eq!(changes.len(), 1, "after {by_hand}: {plan:#}");
        assert_eq!(changes[0]["host"], "bm1");
        assert_eq!(changes[0]["resource"], self.resource, "after {by_hand}");
        assert_eq!(changes[0]["summary"], self.summary, "after {by_hand}");
        let up = ocp2(&["up", "-o", "json"]).succeeds().json();
        assert_eq!(up["changed"], 1, "after {by_hand}: {up}");
        ocp2(&["plan", "--check"]).succeeds();
    }
}

/// Demands that the disk of a VM that is off, and somebody has deleted, is made anew, and the VM switched on.
#[track_caller]
pub fn a_lost_disk_is_made_anew(stage: &Stage, scope: &[&str]) {
    let delete = "virsh -q destroy ocp-worker1 && virsh -q vol-delete --pool ocp2-ocp ocp-worker1.img";
    stage.at("bm1", delete).succeeds();
    let plan = stage.ocp2(&[&["plan", "--check", "-o", "json"], scope].concat()).ends(8).json();
    let changes = plan["changes"].as_array().unwrap();
    let named: Vec<_> = changes.iter().map(|change| (&change["resource"], &change["summary"])).collect();
    let (volume, domain) = ("volume ocp-worker1.img".into(), "domain ocp-worker1".into());
    assert_eq!(named, [(&volume, &"create 1 GiB".into()), (&domain, &"off → running".into())], "{plan:#}");
    let up = stage.ocp2(&[&["up", "-o", "json"], scope].concat()).succeeds().json();
    assert_eq!(up["changed"], 2, "{up}");
    stage.ocp2(&[&["plan", "--check"], scope].concat()).succeeds();
}
