//! The resource that a case wants.

use std::net::IpAddr;

use ocp2::{
    command::Command,
    resource::{
        Boolean, Bridge, Domain, Entries, File, KvmProof, Label, Listener, Manager, NftTable, Package, Peers,
        Pool, Reload, Resource, Setting, Stamp, Unit, Volume, Vxlan,
    },
};
use serde::Deserialize;

use super::text;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    Bridge {
        name: String,
        alias: String,
        mac: String,
        mtu: u16,
        address: String,
    },
    Vxlan(WantVxlan),
    Peers {
        device: String,
        peers: Vec<IpAddr>,
    },
    Setting {
        name: String,
        value: String,
        before: Option<String>,
    },
    Boolean {
        name: String,
        before: String,
    },
    Label {
        path: String,
        record: String,
    },
    File {
        path: String,
        content: String,
        private: Option<bool>,
        check: Option<String>,
    },
    Unit {
        name: String,
        before: Option<String>,
        started: Option<WantStamp>,
        loaded: Option<WantStamp>,
        #[serde(default)]
        follows: bool,
    },
    Package {
        manager: String,
        names: Vec<String>,
        quiet: Vec<String>,
        record: String,
    },
    Entries {
        firewall: String,
        list: String,
        make: String,
        kept: String,
    },
    NftTable {
        name: String,
        file: String,
        content: String,
        loaded: String,
    },
    Listener {
        unit: String,
        sockets: Vec<(String, IpAddr, u16)>,
    },
    Kvm {
        path: String,
    },
    Pool {
        name: String,
        path: String,
        xml: String,
    },
    Volume {
        pool: String,
        name: String,
        path: String,
        capacity: u64,
        from: Option<String>,
        xml: String,
        domain: String,
        #[serde(default)]
        late: bool,
    },
    Domain {
        name: String,
        cluster: String,
        xml: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantVxlan {
    name: String,
    alias: String,
    bridge: String,
    mac: String,
    mtu: u16,
    vni: u32,
    port: u16,
    local: IpAddr,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantStamp {
    path: String,
    content: String,
}

impl Want {
    pub fn resource(self) -> Resource {
        match self {
            Self::Bridge { name, alias, mac, mtu, address } => Resource::Bridge(Bridge {
                name,
                alias,
                mac: mac.parse().unwrap(),
                mtu,
                address: address.parse().unwrap(),
            }),
            Self::Vxlan(it) => Resource::Vxlan(Vxlan {
                name: it.name,
                alias: it.alias,
                bridge: it.bridge,
                mac: it.mac.parse().unwrap(),
                mtu: it.mtu,
                vni: it.vni,
                port: it.port,
                local: it.local,
            }),
            Self::Peers { device, peers } => Resource::Peers(Peers { device, peers }),
            Self::Setting { name, value, before } => Resource::Setting(Setting { name, value, before }),
            Self::Boolean { name, before } => Resource::Boolean(Boolean { name, before }),
            Self::Label { path, record } => Resource::Label(Label { path, record }),
            Self::File { path, content, private, check } => {
                let mut file = File::new(path, content);
                if private == Some(true) {
                    file = file.private();
                }
                if let Some(check) = check {
                    file = file.checked_by(Command::new(&check));
                }
                Resource::File(file)
            }
            Self::Unit { name, before, started, loaded, follows } => {
                let stamp = |it: WantStamp| Stamp { path: it.path, content: it.content, files: Vec::new() };
                let runs =
                    started.map(|started| Reload { started: stamp(started), loaded: loaded.map(stamp) });
                Resource::Unit(Unit { name, runs, before, follows })
            }
            Self::Package { manager, names, quiet, record } => {
                let manager = if manager == "dnf" { Manager::Dnf } else { Manager::Apt };
                Resource::Package(Package { manager, names, quiet, record })
            }
            Self::Entries { firewall, list, make, kept } => {
                Resource::Entries(Entries { firewall, list, make, kept })
            }
            Self::NftTable { name, file, content, loaded } => {
                Resource::NftTable(NftTable { name, file: File::new(file, content), loaded })
            }
            Self::Listener { unit, sockets } => {
                let protocol = |name: &str| if name == "udp" { "udp" } else { "tcp" };
                let sockets = sockets.iter().map(|(name, address, port)| (protocol(name), *address, *port));
                Resource::Listener(Listener { unit, sockets: sockets.collect() })
            }
            Self::Kvm { path } => Resource::KvmProof(KvmProof { path }),
            Self::Pool { name, path, xml } => Resource::Pool(Pool { name, path, xml: text(&xml) }),
            Self::Volume { pool, name, path, capacity, from, xml, domain, late } => {
                let xml = text(&xml);
                Resource::Volume(Volume { pool, name, path, capacity, from, xml, domain, late })
            }
            Self::Domain { name, cluster, xml } => {
                let medium = format!("/var/lib/libvirt/images/ocp/{cluster}-agent.iso");
                Resource::Domain(Box::new(Domain { name, cluster, medium, xml: text(&xml) }))
            }
        }
    }
}
