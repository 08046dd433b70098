//! What keeps a host out.

use ocp2::{
    bringup::{Place, preflight},
    cluster::Cluster,
    resource::{
        Facts, Manager, System,
        hypervisor::{PoolSeen, Seen},
    },
};

use super::{cluster, file, record};

/// Returns the facts of a host that lacks nothing.
fn fit(cluster: &Cluster) -> Facts {
    let system = System {
        name: "Debian GNU/Linux 12 (bookworm)".into(),
        manager: Some(Manager::Apt),
        kernel: "6.1.0-40-amd64".into(),
        boot: "3b1e-5+kvm".into(),
        architecture: "x86_64".into(),
        memory_mib: 3 * 16384 + 1024,
        now: 1_000_000,
        systemd: Some(252),
        overlay_links: true,
        space: [(cluster.machines.pool.display().to_string(), (400 * 1024, 360 * 1024))].into(),
        ..System::default()
    };
    let mut facts = Facts { system, ..Facts::default() };
    facts.files.insert(Place::of(cluster).var("kvm"), file("6.1.0-40-amd64 yes\n"));
    facts
}

/// Returns what preflight finds after `spoil`.
fn found(spoil: impl Fn(&mut Facts)) -> Vec<String> {
    let cluster = cluster();
    let mut facts = fit(&cluster);
    spoil(&mut facts);
    let findings = preflight(&cluster, 0, &facts, 1_000_000);
    assert!(findings.iter().all(|finding| finding.host == "bm1" && !finding.fix.is_empty()));
    findings.into_iter().map(|finding| finding.what).collect()
}

#[test]
fn a_fit_host_passes_preflight() {
    assert_eq!(found(|_| ()), [""; 0]);
    // At the very limits, too.
    assert_eq!(found(|facts| facts.system.now += 30), [""; 0]);
    assert_eq!(found(|facts| facts.system.systemd = Some(244)), [""; 0]);
    // Whether KVM guests run is not known before they were tried.
    assert_eq!(found(|facts| facts.files.clear()), [""; 0]);
}

#[test]
fn no_clock_is_so_far_off_that_it_seems_right() {
    for now in [i64::MIN, i64::MIN + 1_000_000, i64::MAX] {
        let found = found(|facts| facts.system.now = now);
        assert!(found.len() == 1 && found[0].starts_with("the clock is "), "{now}: {found:?}");
    }
}

#[test]
fn preflight_says_what_keeps_a_host_out() {
    type Spoil<'a> = &'a dyn Fn(&mut Facts);
    let kvm = Place::of(&cluster()).var("kvm");
    let cases: [(Spoil, &str); 10] = [
        (
            &|facts| facts.system.systemd = Some(239),
            "Debian GNU/Linux 12 (bookworm) has systemd 239, and ocp2's units need 244",
        ),
        (&|facts| facts.system.systemd = None, "systemd does not run here"),
        (&|facts| facts.system.manager = None, "Debian GNU/Linux 12 (bookworm) has neither apt-get nor dnf"),
        (&|facts| facts.system.architecture = "aarch64".into(), "the machine is aarch64, not x86_64"),
        (&|facts| facts.system.overlay_links = false, "the kernel cannot make a bridge and a VXLAN link"),
        (&|facts| facts.system.now += 31, "the clock is 31 s ahead of the workstation's"),
        (&|facts| facts.system.now -= 7200, "the clock is 7200 s behind the workstation's"),
        (
            &|facts| facts.system.memory_mib -= 1,
            "its VMs need 49152 MiB of memory and the host 1024 MiB for itself, but it has 50175 MiB in all",
        ),
        (
            &|facts| facts.system.space.values_mut().for_each(|room| room.1 -= 1),
            "the disks of its VMs need 368640 MiB in /var/lib/libvirt/images/ocp, but 368639 MiB are free there",
        ),
        (
            &|facts| drop(facts.files.insert(kvm.clone(), file("3b1e-5+kvm no\n"))),
            "KVM guests do not run here: a guest of one sector hung or failed under /dev/kvm",
        ),
    ];
    for (spoil, what) in cases {
        assert_eq!(found(spoil), [what]);
    }
    // Everything at once, not one thing after the other.
    let all = found(|facts| cases.iter().for_each(|(spoil, _)| spoil(facts)));
    assert_eq!(all.len(), 8, "{all:#?}");
}

#[test]
fn disks_that_are_there_need_no_room() {
    let spoil = |facts: &mut Facts| {
        facts.listing.insert("/var/lib/libvirt/images/ocp/ocp-master0.img".into(), 128_849_018_880);
        facts.system.space.values_mut().for_each(|room| room.1 = 240 * 1024);
    };
    assert_eq!(found(spoil), [""; 0]);
}

#[test]
fn a_pools_folder_with_other_things_in_it_is_refused_at_first() {
    let fill = |facts: &mut Facts, names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        facts.folders.insert("/var/lib/libvirt/images/ocp".into(), names);
    };
    let holds =
        |names: &str| format!("/var/lib/libvirt/images/ocp holds what is not this cluster's: {names}");
    assert_eq!(found(|facts| fill(facts, &["billing-db.qcow2", "lost+found"])), [holds("billing-db.qcow2")]);
    let many = ["a", "b", "c", "d", "e", "f"];
    assert_eq!(found(|facts| fill(facts, &many)), [holds("a, b, c, d, e, and more")]);
    // Of files called like the cluster's own, those are its that the host's record names: what
    // `down --keep-volumes` has left, and a boot image that is on its way.
    for name in ["ocp-master0.img", "ocp-agent.iso.part"] {
        assert_eq!(found(|facts| fill(facts, &["lost+found", name])), [holds(name)]);
    }
    let recorded = |facts: &mut Facts| {
        fill(facts, &["ocp-master0.img", "ocp-agent.iso.part"]);
        let lines = [
            "file /var/lib/libvirt/images/ocp/ocp-agent.iso",
            "volume /var/lib/libvirt/images/ocp/ocp-master0.img",
        ];
        facts.files.insert("/var/lib/ocp2/ocp/owned".into(), record(&lines));
    };
    assert_eq!(found(recorded), [""; 0]);
    // Once libvirt keeps it for us, others may put there what they like.
    let kept = |facts: &mut Facts| {
        fill(facts, &["billing-db.qcow2", "ocp-master1.img", "ocp-worker9.img"]);
        let pool = PoolSeen { name: "ocp2-ocp".into(), active: true, autostart: true, xml: String::new() };
        facts.hypervisor = Some(Seen { pools: vec![pool], ..Seen::default() });
    };
    assert_eq!(found(kept), [""; 0]);
    // But no VM of ours gets a disk that is somebody else's.
    let in_our_place = |facts: &mut Facts| {
        kept(facts);
        let names = ["ocp-agent.iso", "ocp-master0.img", "ocp-master1.img"];
        facts.listing = names.map(|name| (format!("/var/lib/libvirt/images/ocp/{name}"), 1)).into();
    };
    assert_eq!(found(in_our_place), [holds("ocp-agent.iso, ocp-master0.img")]);
}
