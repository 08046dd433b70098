//! Inventories to be, and what their hosts would show.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ocp2::{
    cluster::{Cluster, Underlay, assume, resolve},
    inventory::Loaded,
};
use proptest::{prelude::*, sample::select};

use crate::{
    fake,
    settled::{around, settled},
};

/// An inventory to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub hosts: usize,
    pub masters: usize,
    pub workers: usize,
    /// Last byte of an address asked for, and for which of the nodes.
    pub address: Option<(usize, u8)>,
    /// Host asked for, and for which of the nodes.
    pub host: Option<(usize, usize)>,
}

pub fn wanted() -> impl Strategy<Value = Wanted> {
    (
        1..6_usize,
        select(vec![3_usize, 4, 5]),
        0..20_usize,
        any::<Option<(usize, u8)>>(),
        any::<Option<(usize, usize)>>(),
    )
        .prop_map(|(hosts, masters, workers, address, host)| Wanted {
            hosts,
            masters,
            workers,
            address: address.map(|(node, last)| (node % (masters + workers), last.clamp(1, 254))),
            host: host.map(|(node, host)| (node % (masters + workers), host % hosts)),
        })
}

impl Wanted {
    pub fn text(&self) -> String {
        let mut text =
            "apiVersion: ocp2/v1\ncluster: {name: ocp, baseDomain: example.com, version: 4.18.30, \
                        pullSecretFile: pull-secret.json, sshKeyFile: key.pub}\nhosts:\n"
                .to_owned();
        for host in 0..self.hosts {
            writeln!(text, "  - {{name: bm{host}, ssh: root@10.0.0.{}, nic: eno1}}", host + 1).unwrap();
        }
        text.push_str("nodes:\n");
        for (group, first, count) in [("master", 0, self.masters), ("worker", self.masters, self.workers)] {
            writeln!(text, "  {group}s:\n    count: {count}\n    items:").unwrap();
            for node in 0..count {
                let address = self.address.filter(|(of, _)| *of == first + node);
                let host = self.host.filter(|(of, _)| *of == first + node);
                if address.is_none() && host.is_none() {
                    continue;
                }
                let ip = address.map_or(String::new(), |(_, last)| format!(", ip: 192.168.139.{last}"));
                let host = host.map_or(String::new(), |(_, host)| format!(", host: bm{host}"));
                writeln!(text, "      - {{name: {group}{node}{ip}{host}}}").unwrap();
            }
        }
        text
    }

    pub fn loaded(&self) -> Loaded {
        fake::load(&self.text())
            .unwrap_or_else(|error| panic!("{}\n{:?}", self.text(), miette::Report::new(error)))
    }

    pub fn cluster(&self) -> Cluster {
        let loaded = self.loaded();
        resolve(&loaded, &assume(&loaded.inventory).underlays).unwrap().cluster
    }

    /// Resolves it where all of `before` is there already.
    pub fn after(&self, before: &Cluster) -> Result<Cluster, String> {
        around(&self.loaded(), &settled(before))
    }
}

pub fn seen(mtus: &[u16], v6: bool) -> BTreeMap<String, Underlay> {
    let underlay = |(host, mtu): (usize, &u16)| {
        let last = u8::try_from(host + 1).unwrap();
        let address = if v6 {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()))
        } else {
            IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
        };
        let underlay = Underlay {
            device: Some("eno1".to_owned()),
            address,
            peer_address: address,
            mtu: *mtu,
            addresses: vec![address],
            public: Some(address),
            resolvers: vec![Ipv4Addr::new(9, 9, 9, 9).into()],
            nmstate: false,
            kvm: false,
        };
        (format!("bm{host}"), underlay)
    };
    mtus.iter().enumerate().map(underlay).collect()
}

pub const PLAIN: Wanted = Wanted { hosts: 2, masters: 3, workers: 3, address: None, host: None };
