//! Hosts that were switched off come back by themselves, and the cluster with them.

use std::time::Duration;

use crate::stage::{Stage, eventually, stage};

/// Each VM, seen from the other host.
const VMS: [(&str, &str); 6] = [
    ("bm2", "192.168.139.10"),
    ("bm1", "192.168.139.11"),
    ("bm2", "192.168.139.12"),
    ("bm1", "192.168.139.13"),
    ("bm2", "192.168.139.14"),
    ("bm1", "192.168.139.15"),
];

#[test]
fn after_an_orderly_reboot_everything_is_back_without_ocp2() {
    let stage = stage();
    let inventory = stage.cluster();
    stage.reboot("bm2");
    all_is_back(&stage, &inventory, &["bm2"], "an orderly reboot of bm2");
}

#[test]
fn after_both_hosts_were_off_at_once_everything_is_back_without_ocp2() {
    let stage = stage();
    let inventory = stage.cluster();
    // `-ff` is the plug: nothing on the host gets to say goodbye.
    for (off, when) in [("poweroff", "both were shut down"), ("poweroff -ff", "both lost their power")] {
        std::thread::scope(|scope| {
            for host in ["bm1", "bm2"] {
                let stage = &stage;
                // Of this machine nothing is to be switched off, should a host ever not be one of its own.
                let source = format!("test -e /run/host/container-manager && systemctl {off}");
                // The host may be gone before it can tell how that went.
                scope.spawn(move || stage.at(host, &source));
            }
        });
        for host in ["bm1", "bm2"] {
            stage.reboot(host);
        }
        all_is_back(&stage, &inventory, &["bm1", "bm2"], when);
    }
}

/// Proves by traffic that overlay, NAT, DNS, balancer and VMs are back, in the order they need each other.
fn all_is_back(stage: &Stage, inventory: &str, rebooted: &[&str], when: &str) {
    // The VMs boot from their disks again and answer from the other host.
    for (host, address) in VMS {
        eventually(Duration::from_secs(150), || {
            stage.at(host, &format!("curl -sSf -m 5 http://{address}:9999/"))
        });
    }
    for host in rebooted {
        let saved = stage.at(host, "ls /var/lib/libvirt/qemu/save/*.save 2>/dev/null").stdout;
        assert_eq!(saved, "", "after {when} a guest of {host} was suspended to disk");
        let began = |unit: &str| -> u64 {
            let show = format!("systemctl show -p ActiveEnterTimestampMonotonic --value {unit}");
            stage.at(host, &show).succeeds().stdout.trim().parse().unwrap()
        };
        let (overlay, libvirt) = (began("ocp2-ocp-overlay"), began("libvirtd"));
        assert!(
            0 < overlay && overlay < libvirt,
            "after {when} on {host}: bridge {overlay}, guests {libvirt}"
        );
    }
    for (host, from, to) in
        [("bm1", "192.168.139.10", "192.168.139.11"), ("bm2", "192.168.139.13", "192.168.139.14")]
    {
        stage.inside(host, from, &format!("standin-ping --df --size 1400 {to}")).succeeds();
        stage.inside(host, from, "standin-ping --size 64 198.51.100.1").succeeds();
        stage.inside(host, from, "standin-dig api.ocp.lab.test A").succeeds();
    }
    for public in ["192.0.2.11", "192.0.2.12"] {
        for place in ["6443/readyz", "443/"] {
            let call = format!("curl -sSfk -m 5 https://{public}:{place}");
            eventually(Duration::from_secs(90), || stage.at("workstation", &call));
        }
    }
    eventually(Duration::from_secs(60), || stage.ocp2(&["plan", "--check", inventory]));
}
