//! Which NIC and which address the tunnel takes.

use std::net::IpAddr;

use ocp2::{
    bringup::sighting,
    resource::{Facts, LinkSeen, RouteSeen},
};

use super::{cluster, link};

fn host(links: Vec<LinkSeen>, route: Option<(&str, Option<&str>)>) -> Facts {
    let route = route
        .map(|(dev, source)| RouteSeen { dev: dev.into(), prefsrc: source.map(|it| it.parse().unwrap()) });
    Facts { links, routes: route.into_iter().collect(), ..Facts::default() }
}

#[test]
fn the_nic_the_inventory_names_is_the_underlay() {
    let facts = host(
        vec![
            link("lo", None, 65535, &[]),
            link("eno1", None, 1500, &["203.0.113.5/24"]),
            link("ens34f0", None, 9000, &["2001:db8::5/64", "10.0.0.5/24", "10.0.0.6/24"]),
        ],
        Some(("eno1", None)),
    );
    let seen = sighting(&cluster(), 0, &facts).unwrap();
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    assert_eq!((seen.device.as_deref(), seen.mtu), (Some("ens34f0"), 9000));
    assert_eq!((seen.address, seen.peer_address), (ip("10.0.0.5"), ip("10.0.0.5")));
    assert_eq!(seen.public, Some(ip("203.0.113.5")));
    assert!(!seen.kvm && !seen.nmstate);
}

#[test]
fn an_address_the_inventory_names_wins_over_the_nics_first() {
    // `ssh: root@192.168.0.23` is what the inventory knows of this host.
    let facts = host(vec![link("ens34f0", None, 1500, &["10.0.0.5/24", "192.168.0.23/24"])], None);
    let seen = sighting(&cluster(), 0, &facts).unwrap();
    assert_eq!(seen.address.to_string(), "192.168.0.23");
    assert_eq!(seen.public, None);
}

#[test]
fn a_nic_that_is_not_there_is_named_with_those_that_are() {
    let facts = host(
        vec![
            link("lo", None, 65535, &[]),
            link("eno1", None, 1500, &["203.0.113.5/24"]),
            link("eno2", None, 1500, &[]),
            link("virbr0", Some("bridge"), 1500, &["192.168.122.1/24"]),
        ],
        None,
    );
    let said = sighting(&cluster(), 0, &facts).unwrap_err();
    assert_eq!(said, "there is no NIC ens34f0; this host has eno1 (203.0.113.5/24), eno2");
    let facts = host(vec![link("ens34f0", None, 1500, &[])], None);
    assert_eq!(sighting(&cluster(), 0, &facts).unwrap_err(), "NIC ens34f0 has no address");
}
