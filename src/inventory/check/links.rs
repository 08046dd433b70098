//! Network devices on the hosts: their names, and the tunnel's numbers.

use super::{Findings, Subject};
use crate::inventory::{Located, Problem};

/// Longest name of a network device (`IFNAMSIZ`, less the final zero).
const LONGEST: usize = 15;

/// Largest VXLAN network identifier (RFC 7348 section 5: 24 bits).
const LARGEST_VNI: u32 = (1 << 24) - 1;

pub(super) fn hosts(subject: &Subject<'_>, findings: &mut Findings) {
    for (index, host) in subject.inventory.hosts.iter().enumerate() {
        let field = format!("hosts[{index}].nic");
        match (&host.nic, &host.underlay.address) {
            (Some(nic), _) => {
                // A VLAN's device has a dot in its name, and some drivers give an @.
                if let Some(fault) = fault(nic, "._-@") {
                    findings.problem(Problem::new(&field, nic.at, fault));
                }
            }
            (None, Some(_)) => {}
            (None, None) => {
                let fault = format!("nothing says where {}'s end of the tunnel is", host.name.value);
                findings.problem(
                    Problem::new(&field, host.name.at, fault)
                        .help("name the NIC that reaches the other hosts, or set underlay.address"),
                );
            }
        }
    }
}

pub(super) fn overlay(subject: &Subject<'_>, findings: &mut Findings) {
    let network = &subject.inventory.network;
    let bridge = ("network.bridge", &network.bridge);
    let device = ("network.vxlan.device", &network.vxlan.device);
    for (field, name) in [bridge, device] {
        own(field, name, findings);
        let hosts = &subject.inventory.hosts;
        if let Some(host) = hosts.iter().find(|host| host.nic.as_ref().is_some_and(|nic| nic == name)) {
            let fault = format!("{:?} is the NIC of {}", name.value, host.name.value);
            findings.problem(Problem::new(field, name.at, fault).help("ocp2 makes a device of its own"));
        }
    }
    if bridge.1 == device.1 {
        let at = device.1.at.or(bridge.1.at);
        let fault = format!("{:?} is the bridge's name already", device.1.value);
        findings.problem(Problem::new(device.0, at, fault).help("bridge and tunnel are two devices"));
    }
    let vni = &network.vxlan.vni;
    if vni.value == 0 || vni.value > LARGEST_VNI {
        let fault = format!("{} is not a VXLAN network identifier: 1 to {LARGEST_VNI}", vni.value);
        findings.problem(Problem::new("network.vxlan.vni", vni.at, fault));
    }
    let port = &network.vxlan.port;
    if matches!(port.value, 0 | 53 | 67) {
        let fault = match port.value {
            0 => "0 is no port".to_owned(),
            taken => format!("{taken} is the port of ocp2's own dnsmasq"),
        };
        findings.problem(Problem::new("network.vxlan.port", port.at, fault).help("4789 is VXLAN's"));
    }
}

/// Refuses a name our own device cannot have; a dot would split it in sysctl's names.
fn own(field: &str, name: &Located<String>, findings: &mut Findings) {
    let fault = match name.as_str() {
        "all" | "default" | "lo" => Some(format!("{:?} means something else to the kernel", name.value)),
        text => fault(text, "_-"),
    };
    if let Some(fault) = fault {
        findings.problem(Problem::new(field, name.at, fault).help("like `br-vm` or `vxlan0`"));
    }
}

fn fault(name: &str, marks: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || marks.contains(c);
    if name.len() > LONGEST {
        Some(format!("{name:?} is longer than the {LONGEST} characters of a device's name"))
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(fits) {
        let marks: Vec<String> = marks.chars().map(|mark| format!("`{mark}`")).collect();
        Some(format!("{name:?} is not a device's name: letters, digits, {}", marks.join(", ")))
    } else {
        None
    }
}
