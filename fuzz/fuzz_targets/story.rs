//! All that is decided from a host's answer: its place, what is wrong with it, every change, and what `down` takes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::{
    bringup::{self, ImageRecord, Leave, Place, Removal, STORY},
    resource::Facts,
};
use ocp2_fuzz::{CLUSTER, UPI};

/// The workstation's clock.
const NOW: i64 = 1_800_000_000;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let Ok(facts) = Facts::read(&format!("{text}\n@@end\n")) else { return };
    for cluster in [&*CLUSTER, &*UPI] {
        let _ = bringup::sighting(cluster, 0, &facts);
        let _ = bringup::unread(&Place::of(cluster), "bm1", &facts);
        let _ = bringup::preflight(cluster, 0, &facts, NOW);
        let hosts = [("bm1", &facts), ("bm2", &facts)];
        let _ = bringup::settled(cluster, &hosts);
        for phase in STORY {
            for resource in phase.wanted(cluster, 0, &facts).expect("templates are ours") {
                let _ = resource.changes(&facts);
            }
        }
        let all = Leave { vms: true, disks: true };
        let _ = (bringup::leave(cluster, 0, &facts, all), bringup::kept_disks(cluster, 0, &facts));
        let _ = bringup::removal(cluster, &facts, Removal { keep_volumes: false, packages: true });
        let _ = bringup::image_step(cluster, "0", &[&facts, &facts]);
        let _ = bringup::release(cluster, &facts);
        if let Some(record) = ImageRecord::read(cluster, &facts) {
            // It goes into a name and to other hosts.
            assert!(record.sha256.len() == 64 && record.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
});
