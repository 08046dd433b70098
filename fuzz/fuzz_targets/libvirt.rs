//! What `virsh` told of pools, volumes and domains.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2_fuzz::{CLUSTER, told_by};

fuzz_target!(|bytes: &[u8]| {
    let facts = told_by("libvirt", bytes);
    let Some(seen) = &facts.hypervisor else { return };
    assert!(facts.unknown.is_empty());
    for domain in &seen.domains {
        let _ = (domain.cluster(), domain.role(), domain.waits_for_power_off());
    }
    // Whatever it told, nothing is deleted but disks whose exact names are ours.
    let changes = ocp2::bringup::removal(&CLUSTER, &facts, ocp2::bringup::Removal::default());
    for change in changes {
        if let ocp2::resource::Action::Hypervisor(ocp2::resource::hypervisor::Call::DeleteVolume {
            volume,
            ..
        }) = change.action
        {
            assert!(volume.starts_with("ocp-") && volume.ends_with(".img"), "{volume}");
        }
    }
});
