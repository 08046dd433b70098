//! A host that was switched off comes back by itself.

use std::time::Duration;

use crate::stage::{ocp2, stage};

#[test]
fn after_an_orderly_reboot_everything_is_back_without_ocp2() {
    let stage = stage();
    let inventory = stage.cluster();
    let done = std::process::Command::new(ocp2()).args(["lab", "reboot", "bm2"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    // The VMs of bm2 boot from their disks again and answer from the other host.
    for address in ["192.168.139.11", "192.168.139.13", "192.168.139.15"] {
        stage.eventually(Duration::from_secs(120), || {
            stage.at("bm1", &format!("curl -sSf -m 5 http://{address}:9999/"))
        });
    }
    let saved = stage.at("bm2", "ls /var/lib/libvirt/qemu/save/*.save 2>/dev/null").stdout;
    assert_eq!(saved, "", "a guest was suspended to disk");
    stage.eventually(Duration::from_secs(60), || stage.ocp2(&["plan", "--check", &inventory]));
    stage.inside("bm1", "192.168.139.10", "standin-ping --df --size 1400 192.168.139.11").succeeds();
}
