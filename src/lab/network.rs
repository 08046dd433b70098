//! The wires: bridges in the internet's namespace, one cable to each place, on demand a second one.
//!
//! Everything happens in namespaces of the lab, and none of them has a way to
//! the machine's own network: no packet can leave.

use std::{fs, net::Ipv4Addr, path::Path};

use super::{
    LabError,
    place::{
        FAR_ADDRESS, Host, INTERNET, INTERNET_ADDRESS, NIC, PRIVATE_NIC, WORKSTATION, WORKSTATION_ADDRESS,
        Wiring, namespace, v6,
    },
    process::exists,
    program::run,
    recipe::remove as remove_folder,
};

/// The public network's switch, the hosts' own one, and the one behind 1:1 NAT.
const PUBLIC: &str = "br0";
const PRIVATE: &str = "br1";
const INNER: &str = "br2";

/// The gateway behind 1:1 NAT.
const INNER_GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 30, 0, 1);

/// Bytes a packet between the hosts may have on their own network: as with jumbo frames.
const PRIVATE_MTU: &str = "9000";

/// Makes the internet's namespace: a switch, the gateway's address and one further out.
pub(super) fn internet(hosts: &[Host], wiring: Wiring) -> Result<(), LabError> {
    let name = namespace(INTERNET);
    if exists(&name) {
        return Ok(());
    }
    run(&["ip", "netns", "add", &name])?;
    // A router without a way out says "unreachable" at once, where silence would be a minute's wait.
    forwarding(&name, true)?;
    ip(&name, &["link", "set", "lo", "up"])?;
    ip(&name, &["address", "add", &format!("{FAR_ADDRESS}/32"), "dev", "lo"])?;
    switch(&name, PUBLIC, INTERNET_ADDRESS)?;
    let own = [format!("{INTERNET_ADDRESS}/24"), format!("{}/64", v6(INTERNET_ADDRESS))];
    own.iter().try_for_each(|address| add_address(&name, PUBLIC, address))?;
    if wiring.private_nic {
        switch(&name, PRIVATE, Ipv4Addr::new(10, 20, 0, 1))?;
    }
    if wiring.nat {
        // The router answers for the public addresses; it tells nobody of a shorter way.
        for settings in ["all", "default"] {
            setting(&name, &format!("net/ipv4/conf/{settings}/send_redirects"), "0")?;
        }
        switch(&name, INNER, INNER_GATEWAY)?;
        add_address(&name, INNER, &format!("{INNER_GATEWAY}/24"))?;
        hosts.iter().try_for_each(|host| add_address(&name, PUBLIC, &format!("{}/32", host.address)))?;
    }
    Ok(())
}

/// Returns the rules that translate public addresses into the hosts' own and back.
pub(super) fn translation(hosts: &[Host]) -> String {
    let map = |pair: &dyn Fn(&Host) -> String| hosts.iter().map(pair).collect::<Vec<_>>().join(", ");
    let inward = map(&|host| format!("{} : {}", host.address, host.inner()));
    let outward = map(&|host| format!("{} : {}", host.inner(), host.address));
    format!(
        "table ip lab {{\n\
         \tchain inward {{\n\t\ttype nat hook prerouting priority dstnat;\n\
         \t\tdnat to ip daddr map {{ {inward} }}\n\t}}\n\
         \tchain own {{\n\t\ttype nat hook output priority -100;\n\
         \t\tdnat to ip daddr map {{ {inward} }}\n\t}}\n\
         \tchain outward {{\n\t\ttype nat hook postrouting priority srcnat;\n\
         \t\tsnat to ip saddr map {{ {outward} }}\n\t}}\n}}\n"
    )
}

/// Makes the workstation's namespace, with its own resolver.
pub(super) fn workstation(hosts: &[Host]) -> Result<(), LabError> {
    let name = namespace(WORKSTATION);
    if !exists(&name) {
        place(WORKSTATION)?;
        let nic = Card::public(WORKSTATION, "eth0", WORKSTATION_ADDRESS);
        nic.plug_in(WORKSTATION)?;
    }
    let own = format!("/etc/netns/{name}");
    fs::create_dir_all(&own).map_err(LabError::file("write", &own))?;
    for (file, content) in [("resolv.conf", resolv_conf()), ("hosts", hosts_file(WORKSTATION, hosts))] {
        let path = format!("{own}/{file}");
        fs::write(&path, content).map_err(LabError::file("write", &path))?;
    }
    Ok(())
}

/// Makes a host's namespace anew, with nothing in it but the network cards: as after a power cycle.
pub(super) fn host(host: &Host, wiring: Wiring) -> Result<(), LabError> {
    remove(&host.name)?;
    place(&host.name)?;
    let card = if wiring.nat {
        Card {
            switch: INNER,
            addresses: vec![format!("{}/24", host.inner()), format!("{}/64", v6(host.address))],
            gateway: Some(INNER_GATEWAY),
            ..Card::public(&host.name, NIC, host.address)
        }
    } else {
        Card::public(&host.name, NIC, host.address)
    };
    card.plug_in(&host.name)?;
    if wiring.private_nic {
        let card = Card {
            nic: PRIVATE_NIC,
            port: second_port(&host.name),
            switch: PRIVATE,
            mac: mac(host.private()),
            mtu: PRIVATE_MTU,
            addresses: vec![format!("{}/24", host.private())],
            gateway: None,
        };
        card.plug_in(&host.name)?;
    }
    Ok(())
}

/// Removes a place's namespace and its cable.
pub(super) fn remove(place: &str) -> Result<(), LabError> {
    let name = namespace(place);
    if exists(&name) {
        // The kernel takes a namespace down later than `ip netns delete` returns;
        // without its cable the switch's port is free at once.
        if place != INTERNET {
            let _ = ip(&namespace(INTERNET), &["link", "delete", &port(place)]);
            let _ = ip(&namespace(INTERNET), &["link", "delete", &second_port(place)]);
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

/// Makes a place's namespace, with nothing in it.
fn place(place: &str) -> Result<(), LabError> {
    let name = namespace(place);
    run(&["ip", "netns", "add", &name])?;
    // Forwarding is inherited from the machine; a fresh server has it off.
    forwarding(&name, false)?;
    ip(&name, &["link", "set", "lo", "up"])
}

/// A network card of a place, and where its cable leads.
struct Card {
    nic: &'static str,
    port: String,
    switch: &'static str,
    mac: String,
    mtu: &'static str,
    addresses: Vec<String>,
    gateway: Option<Ipv4Addr>,
}

impl Card {
    /// Returns a card on the public network.
    fn public(place: &str, nic: &'static str, address: Ipv4Addr) -> Self {
        Self {
            nic,
            port: port(place),
            switch: PUBLIC,
            mac: mac(address),
            mtu: "1500",
            addresses: vec![format!("{address}/24"), format!("{}/64", v6(address))],
            gateway: Some(INTERNET_ADDRESS),
        }
    }

    fn plug_in(&self, place: &str) -> Result<(), LabError> {
        let (here, internet) = (namespace(place), namespace(INTERNET));
        let (nic, port) = (self.nic, self.port.as_str());
        let cable = ["type", "veth", "peer", "name", port, "mtu", self.mtu, "netns", &internet];
        ip(&here, &[&["link", "add", nic, "address", &self.mac, "mtu", self.mtu], &cable[..]].concat())?;
        ip(&internet, &["link", "set", port, "master", self.switch, "up"])?;
        self.addresses.iter().try_for_each(|address| add_address(&here, nic, address))?;
        ip(&here, &["link", "set", nic, "up"])?;
        match self.gateway {
            Some(gateway) => ip(&here, &["route", "add", "default", "via", &gateway.to_string()]),
            None => Ok(()),
        }
    }
}

fn switch(namespace: &str, name: &str, address: Ipv4Addr) -> Result<(), LabError> {
    let mac = mac(address);
    let kind = ["type", "bridge", "stp_state", "0", "forward_delay", "0"];
    ip(namespace, &[&["link", "add", name, "address", &mac], &kind[..]].concat())?;
    ip(namespace, &["link", "set", name, "up"])
}

/// Adds an address; one of IPv6 can be used at once, for nobody else has it.
fn add_address(namespace: &str, nic: &str, address: &str) -> Result<(), LabError> {
    let how: &[&str] = match address.rsplit_once('/') {
        Some((_, "64")) => &["nodad"],
        Some((_, "24")) => &["broadcast", "+"],
        _ => &[],
    };
    ip(namespace, &[&["address", "add", address, "dev", nic], how].concat())
}

fn ip(namespace: &str, words: &[&str]) -> Result<(), LabError> {
    run(&[&["ip", "-n", namespace], words].concat()).map(drop)
}

fn forwarding(namespace: &str, on: bool) -> Result<(), LabError> {
    setting(namespace, "net/ipv4/ip_forward", if on { "1" } else { "0" })
}

fn setting(namespace: &str, path: &str, value: &str) -> Result<(), LabError> {
    let write = format!("echo {value} >/proc/sys/{path}");
    run(&["ip", "netns", "exec", namespace, "sh", "-c", &write]).map(drop)
}

/// Names a place's port on the switch.
fn port(place: &str) -> String {
    format!("to-{}", if place == WORKSTATION { "ws" } else { place })
}

/// Names the port of a host's second card.
fn second_port(place: &str) -> String {
    format!("own-{place}")
}

/// Derives a MAC, so that a host's card is the same one after a reboot.
fn mac(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:1a:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}
