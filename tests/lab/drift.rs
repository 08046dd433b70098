//! A change made by hand on one host: named by `plan`, mended by `up`, and nothing else touched.

use crate::{
    fleet::{host, inventory},
    stage::{Stage, apart},
};

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

/// What the owner of a VM may add to it: a disk and a NIC by `virsh`, and what else its description may say.
const EXTENDED: &str = r#"set -e
cd /var/lib/libvirt/images
qemu-img create -q -f raw more.img 64M
virsh -q attach-disk ocp-master0 /var/lib/libvirt/images/more.img vdb --config --cache writeback
echo "<interface type='user'><mac address='52:54:00:aa:00:01'/><model type='virtio'/></interface>" > nic.xml
virsh -q attach-device ocp-master0 nic.xml --config
virsh dumpxml --inactive --security-info ocp-master0 | sed \
    -e "s|<domain type='qemu'>|<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>|" \
    -e "s|<metadata>|<title>First of three</title><metadata><own:rack xmlns:own='urn:own' row=\"b\"><!-- rack 7 --></own:rack>|" \
    -e "s|</vcpu>|</vcpu><iothreads>2</iothreads>|" \
    -e "s|</devices>|<graphics type='vnc' autoport='yes' passwd='hidden'/></devices><qemu:commandline><qemu:arg value='-global'/><qemu:arg value='ICH9-LPC.disable_s3=1'/></qemu:commandline>|" > domain.xml
virsh -q define domain.xml --validate"#;

#[test]
fn a_vm_keeps_what_its_owner_added_when_its_memory_changes() {
    let stage = apart("owner");
    let hosts = [host(&stage, 1)];
    let of = |memory: &str| {
        let nodes = format!(
            "nodes: {{masters: {{count: 1, vcpus: 1, memory: {memory}, disk: 1GiB}}, workers: {{count: 0}}}}"
        );
        inventory(&stage, "ocp", &hosts, &nodes)
    };
    let (small, large) = (of("256MiB"), of("288MiB"));
    let ocp2 = |command: &[&str], inventory: &str| {
        stage.ocp2(&[command, &["--until", "machines", inventory]].concat())
    };
    ocp2(&["up"], &small).succeeds();
    stage.at("bm1", EXTENDED).succeeds();
    ocp2(&["plan", "--check"], &small).succeeds();

    // Defined anew, libvirt puts controllers of one kind together.
    let described = || {
        let told = stage.at("bm1", "virsh dumpxml --inactive --security-info ocp-master0").succeeds().stdout;
        let mut lines: Vec<&str> = told.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    let before = described();
    for added in
        ["dev='vdb'", "type='user'", "rack 7", "own:rack", "passwd='hidden'", "<qemu:arg", "<iothreads>2"]
    {
        assert!(before.contains(added), "{added} is not in\n{before}");
    }
    let up = ocp2(&["up", "-o", "json"], &large).succeeds().json();
    assert_eq!(up["changed"], 1, "{up}");
    let memory = |kib: &str| format!("'KiB'>{kib}</");
    assert_eq!(described(), before.replace(&memory("262144"), &memory("294912")));
    ocp2(&["plan", "--check"], &large).ends(8).shows("waits for a power-off: memory 256 MiB → 288 MiB");

    stage.at("bm1", "virsh -q destroy ocp-master0").succeeds();
    ocp2(&["up"], &large).succeeds();
    ocp2(&["plan", "--check"], &large).succeeds();
    let runs = stage.at("bm1", "virsh dumpxml ocp-master0").succeeds().stdout;
    assert!(runs.contains("dev='vdb'") && runs.contains(&memory("294912")), "{runs}");
}
