//! A VM that its owner has extended stays so: a change edits what was seen, and only what is ocp2's.

use ocp2::resource::{
    Action, Change, Domain, Facts,
    hypervisor::{Call, DomainSeen, DomainState, Seen},
};
use similar::{ChangeTag, TextDiff};

use crate::programs::run;

/// As libvirt tells it: with a second disk, a CD drive, NICs, a device, pinning, a topology, a display with a
/// password, comments and elements of others in the metadata, and arguments for QEMU.
const EXTENDED: &str = include_str!("changes/captured/extended.xml");
const WANTED: &str = include_str!("changes/domain/wanted.xml");
const INSTALLED: &str = include_str!("changes/domain/wanted-installed.xml");

fn changes(wanted: &str, seen: &str) -> Vec<Change> {
    let (name, medium) = ("ocp-master0".to_owned(), "/var/lib/libvirt/images/ocp/ocp-agent.iso".to_owned());
    let seen = DomainSeen {
        name: name.clone(),
        uuid: "71c3d088-9e4a-83db-b627-9d6ff367f9e5".into(),
        state: DomainState::Running,
        autostart: true,
        xml: seen.to_owned(),
        live: None,
    };
    let hypervisor = Some(Seen { domains: vec![seen], ..Seen::default() });
    let facts = Facts { hypervisor, ..Facts::default() };
    Domain { name, cluster: "ocp".into(), medium, xml: wanted.to_owned() }.changes(&facts).unwrap()
}

/// Edits the description at places that are all there, brings it back to what is wanted, and returns which
/// lines that changed.
///
/// What is defined then is a description by libvirt's own schema, and there is nothing left to change in it.
fn lines_changed(edits: &[(&str, &str)]) -> Vec<String> {
    let mut seen = EXTENDED.to_owned();
    for (from, to) in edits {
        assert!(seen.contains(from), "nothing to edit: {from}");
        seen = seen.replace(from, to);
    }
    let changes = changes(WANTED, &seen);
    let [Change { action: Action::Hypervisor(Call::DefineDomain { xml }), .. }] = changes.as_slice() else {
        panic!("{changes:#?}")
    };
    let read = run("virt-xml-validate", &["-", "domain"], xml);
    assert_eq!(read.status, 0, "{xml}\n{read:#?}");
    assert_eq!(self::changes(WANTED, xml).len(), 0);
    let defined = format!("{xml}\n");
    let diff = TextDiff::from_lines(&seen, &defined);
    let lines = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    lines.map(|change| format!("{}{}", change.tag(), change.value().trim_end())).collect()
}

#[test]
fn a_memory_change_edits_the_memory_alone() {
    assert_eq!(
        lines_changed(&[(">16777216<", ">8388608<")]),
        [
            "-  <memory unit='KiB'>8388608</memory>",
            "-  <currentMemory unit='KiB'>8388608</currentMemory>",
            "+  <memory unit='MiB'>16384</memory>",
        ]
    );
}

#[test]
fn vcpus_that_are_off_are_switched_on_and_pinning_stays() {
    assert_eq!(
        lines_changed(&[(
            "<vcpu placement='static'>4",
            "<vcpu placement='static' cpuset='1-8' current='2'>4"
        )]),
        [
            "-  <vcpu placement='static' cpuset='1-8' current='2'>4</vcpu>",
            "+  <vcpu placement='static' cpuset='1-8'>4</vcpu>",
        ]
    );
}

#[test]
fn the_mtu_is_that_of_our_nic_alone() {
    assert_eq!(
        lines_changed(&[("<mtu size='1400'/>", "<mtu size='1450'/>")]),
        ["-      <mtu size='1450'/>", "+      <mtu size='1400'/>"]
    );
    // Also where the one that its owner added comes first, on the same bridge.
    let (ours, theirs) = ("52:54:00:71:c3:d0", "52:54:00:aa:00:02");
    let turned =
        [(ours, "turned"), (theirs, ours), ("turned", theirs), ("<mtu size='1500'/>", "<mtu size='1300'/>")];
    assert_eq!(lines_changed(&turned), ["-      <mtu size='1300'/>", "+      <mtu size='1400'/>"]);
}

#[test]
fn a_nic_with_another_mac_is_ours_by_its_bridge_and_its_slot() {
    assert_eq!(
        lines_changed(&[("52:54:00:71:c3:d0", "52:54:00:71:00:00")]),
        ["-      <mac address='52:54:00:71:00:00'/>", "+      <mac address='52:54:00:71:c3:d0'/>"]
    );
}

#[test]
fn another_way_of_virtualisation_keeps_what_is_the_owners() {
    let kvm = [
        ("<domain type='qemu'", "<domain type='kvm'"),
        ("<cpu mode='maximum' check='none'>", "<cpu mode='host-passthrough' check='none' migratable='off'>"),
        (
            "<driver name='qemu' type='raw' discard='unmap'/>",
            "<driver name='qemu' type='raw' cache='none' io='native' discard='unmap' iothread='1'/>",
        ),
    ];
    assert_eq!(
        lines_changed(&kvm),
        [
            "-<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>",
            "+<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>",
            "-  <cpu mode='host-passthrough' check='none' migratable='off'>",
            "+  <cpu mode='maximum'>",
            "-      <driver name='qemu' type='raw' cache='none' io='native' discard='unmap' iothread='1'/>",
            "+      <driver name='qemu' type='raw' discard='unmap' iothread='1'/>",
        ]
    );
}

#[test]
fn a_boot_order_of_ours_that_is_taken_is_freed() {
    assert_eq!(
        lines_changed(&[("\n      <boot order='1'/>", ""), ("<boot order='3'/>", "<boot order='1'/>")]),
        ["+      <boot order='1'/>", "-      <boot order='1'/>", "+      <boot order='3'/>"]
    );
}

#[test]
fn the_boot_image_leaves_its_own_drive() {
    let changes = changes(INSTALLED, EXTENDED);
    let [Change { action: Action::Hypervisor(Call::EjectCd { domain, drive }), .. }] = changes.as_slice()
    else {
        panic!("{changes:#?}")
    };
    assert_eq!(domain, "ocp-master0");
    assert_eq!(
        drive,
        "<disk type='file' device='cdrom'>\n      <driver name='qemu' type='raw'/>\n      \
         <target dev='sda' bus='sata'/>\n      <readonly/>\n      <boot order='2'/>\n      \
         <address type='drive' controller='0' bus='0' target='0' unit='0'/>\n    </disk>"
    );
}

/// The same VM as the UPI method has it.
fn ignited(entry: &str) -> String {
    let begin = WANTED.find("    <disk type='file' device='cdrom'>").unwrap();
    let end = WANTED.find("    <interface").unwrap();
    let without_cd = format!("{}{}", &WANTED[..begin], &WANTED[end..]);
    let sysinfo = format!("  <sysinfo type='fwcfg'>\n    {entry}\n  </sysinfo>\n");
    without_cd.replace("  <memory", &format!("{sysinfo}  <memory"))
}

#[test]
fn ignition_comes_and_goes_beside_other_entries_and_drives() {
    const IGNITION: &str = "<entry name='opt/com.coreos/config' file='/a.ign'/>";
    let upi = ignited(IGNITION);
    let words = |wanted: &str, seen: &str| {
        let changes = changes(wanted, seen);
        let [Change { action: Action::Hypervisor(Call::DefineDomain { xml }), summary, .. }] =
            changes.as_slice()
        else {
            panic!("{changes:#?}")
        };
        let read = run("virt-xml-validate", &["-", "domain"], xml);
        assert_eq!(read.status, 0, "{xml}\n{read:#?}");
        assert_eq!(self::changes(wanted, xml).len(), 0, "{xml}");
        (summary.replace(" (in effect after its next power-off)", ""), xml.clone())
    };
    // Before the VM first boots, the method may still be another.
    let (summary, xml) = words(&upi, EXTENDED);
    assert_eq!(
        summary,
        "opt/com.coreos/config nothing → /a.ign, cdrom sda /var/lib/libvirt/images/ocp/ocp-agent.iso → nothing"
    );
    assert!(
        xml.contains(IGNITION) && xml.contains("/srv/tools.iso") && !xml.contains("ocp-agent.iso"),
        "{xml}"
    );
    // An entry of the owner's stays, and so do their drives.
    let other = "<entry name='opt/own' file='/own'/>";
    let (summary, xml) = words(WANTED, &xml.replace(IGNITION, &format!("{IGNITION}{other}")));
    assert_eq!(
        summary,
        "opt/com.coreos/config /a.ign → nothing, cdrom sda nothing → /var/lib/libvirt/images/ocp/ocp-agent.iso"
    );
    assert!(xml.contains(other) && xml.contains("/srv/tools.iso"), "{xml}");
}
