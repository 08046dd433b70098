//! The wires: one bridge in the internet's namespace, one cable to each place.
//!
//! Everything happens in namespaces of the lab, and none of them has a way to
//! the machine's own network: no packet can leave.

use std::{fs, net::Ipv4Addr, path::Path};

use super::{
    LabError,
    place::{
        FAR_ADDRESS, Host, INTERNET, INTERNET_ADDRESS, NIC, WORKSTATION, WORKSTATION_ADDRESS, namespace,
    },
    process::exists,
    program::run,
    recipe::remove as remove_folder,
};

/// Makes the internet's namespace: a switch, the gateway's address and one further out.
pub(super) fn internet() -> Result<(), LabError> {
    let name = namespace(INTERNET);
    if exists(&name) {
        return Ok(());
    }
    run(&["ip", "netns", "add", &name])?;
    // A router without a way out says "unreachable" at once, where silence would be a minute's wait.
    forwarding(&name, true)?;
    ip(&name, &["link", "set", "lo", "up"])?;
    ip(&name, &["address", "add", &format!("{FAR_ADDRESS}/32"), "dev", "lo"])?;
    let mac = mac(INTERNET_ADDRESS);
    ip(
        &name,
        &["link", "add", "br0", "address", &mac, "type", "bridge", "stp_state", "0", "forward_delay", "0"],
    )?;
    ip(&name, &["address", "add", &format!("{INTERNET_ADDRESS}/24"), "dev", "br0"])?;
    ip(&name, &["link", "set", "br0", "up"])
}

/// Makes the workstation's namespace, with its own resolver.
pub(super) fn workstation(hosts: &[Host]) -> Result<(), LabError> {
    let name = namespace(WORKSTATION);
    if !exists(&name) {
        cable(WORKSTATION, "eth0", WORKSTATION_ADDRESS)?;
    }
    let own = format!("/etc/netns/{name}");
    fs::create_dir_all(&own).map_err(LabError::file("write", &own))?;
    for (file, content) in [("resolv.conf", resolv_conf()), ("hosts", hosts_file(WORKSTATION, hosts))] {
        let path = format!("{own}/{file}");
        fs::write(&path, content).map_err(LabError::file("write", &path))?;
    }
    Ok(())
}

/// Makes a host's namespace anew, with nothing in it but the network card: as after a power cycle.
pub(super) fn host(host: &Host) -> Result<(), LabError> {
    remove(&host.name)?;
    cable(&host.name, NIC, host.address)
}

/// Removes a place's namespace and its cable.
pub(super) fn remove(place: &str) -> Result<(), LabError> {
    let name = namespace(place);
    if exists(&name) {
        // The kernel takes a namespace down later than `ip netns delete` returns;
        // without its cable the switch's port is free at once.
        if place != INTERNET {
            let _ = ip(&namespace(INTERNET), &["link", "delete", &port(place)]);
        }
        run(&["ip", "netns", "delete", &name])?;
    }
    let own = format!("/etc/netns/{name}");
    remove_folder(Path::new(&own))?;
    // Somebody else's namespaces may have files there too.
    let _ = fs::remove_dir("/etc/netns");
    Ok(())
}

/// Returns the resolver file of every place.
pub(super) fn resolv_conf() -> String {
    format!("nameserver {INTERNET_ADDRESS}\n")
}

/// Returns the hosts file of a place; its own name must resolve, or each sudo waits.
pub(super) fn hosts_file(place: &str, hosts: &[Host]) -> String {
    let mut lines = format!("127.0.0.1 localhost\n::1 localhost\n{WORKSTATION_ADDRESS} {WORKSTATION}\n");
    if place == WORKSTATION {
        // The machine's own name, which the workstation shares.
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        lines += &format!("127.0.1.1 {}\n", name.trim());
    }
    for host in hosts {
        lines += &format!("{} {}\n", host.address, host.name);
    }
    lines
}

fn cable(place: &str, nic: &str, address: Ipv4Addr) -> Result<(), LabError> {
    let (here, internet, port) = (namespace(place), namespace(INTERNET), port(place));
    run(&["ip", "netns", "add", &here])?;
    // Forwarding is inherited from the machine; a fresh server has it off.
    forwarding(&here, false)?;
    ip(
        &here,
        &[
            "link",
            "add",
            nic,
            "address",
            &mac(address),
            "type",
            "veth",
            "peer",
            "name",
            &port,
            "netns",
            &internet,
        ],
    )?;
    ip(&internet, &["link", "set", &port, "master", "br0", "up"])?;
    ip(&here, &["link", "set", "lo", "up"])?;
    ip(&here, &["address", "add", &format!("{address}/24"), "broadcast", "+", "dev", nic])?;
    ip(&here, &["link", "set", nic, "up"])?;
    ip(&here, &["route", "add", "default", "via", &INTERNET_ADDRESS.to_string()])
}

fn ip(namespace: &str, words: &[&str]) -> Result<(), LabError> {
    run(&[&["ip", "-n", namespace], words].concat()).map(drop)
}

fn forwarding(namespace: &str, on: bool) -> Result<(), LabError> {
    let write = format!("echo {} >/proc/sys/net/ipv4/ip_forward", u8::from(on));
    run(&["ip", "netns", "exec", namespace, "sh", "-c", &write]).map(drop)
}

/// Names a place's port on the switch.
fn port(place: &str) -> String {
    format!("to-{}", if place == WORKSTATION { "ws" } else { place })
}

/// Derives a MAC, so that a host's card is the same one after a reboot.
fn mac(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:1a:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}
