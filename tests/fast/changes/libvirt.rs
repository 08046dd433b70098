//! What libvirt told, as a case says it.

use std::collections::BTreeMap;

use ocp2::resource::hypervisor;
use serde::Deserialize;

/// What libvirt told; `xml` may be `<FILE`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Libvirt {
    /// There is no libvirt on the host yet.
    #[serde(default)]
    pub missing: bool,
    #[serde(default)]
    pub pools: Vec<PoolTold>,
    #[serde(default)]
    volumes: Vec<VolumeTold>,
    #[serde(default)]
    pub domains: Vec<DomainTold>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolTold {
    name: String,
    active: bool,
    autostart: bool,
    pub xml: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeTold {
    pool: String,
    name: String,
    capacity: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainTold {
    name: String,
    uuid: String,
    state: String,
    autostart: bool,
    pub xml: String,
    /// How the description it runs by differs from that one; not told: as if it was off.
    runs: Option<BTreeMap<String, String>>,
}

/// Changes a text that has to be there.
fn edit(text: &str, (from, to): (&String, &String)) -> String {
    assert!(text.contains(from), "nothing to edit: {from}");
    text.replace(from, to)
}

impl Libvirt {
    pub fn seen(self) -> hypervisor::Seen {
        let pool = |told: PoolTold| hypervisor::PoolSeen {
            name: told.name,
            active: told.active,
            autostart: told.autostart,
            xml: told.xml,
        };
        let volume = |told: VolumeTold| hypervisor::VolumeSeen {
            path: format!("/var/lib/libvirt/images/ocp/{}", told.name),
            pool: told.pool,
            name: told.name,
            capacity: told.capacity,
        };
        let domain = |told: DomainTold| hypervisor::DomainSeen {
            state: match told.state.as_str() {
                "running" => hypervisor::DomainState::Running,
                "off" => hypervisor::DomainState::Off,
                "paused" => hypervisor::DomainState::Paused,
                other => panic!("no domain is {other}"),
            },
            name: told.name,
            uuid: told.uuid,
            autostart: told.autostart,
            live: told
                .runs
                .map(|edits| edits.iter().fold(told.xml.clone(), |text, change| edit(&text, change))),
            xml: told.xml,
        };
        hypervisor::Seen {
            pools: self.pools.into_iter().map(pool).collect(),
            volumes: self.volumes.into_iter().map(volume).collect(),
            domains: self.domains.into_iter().map(domain).collect(),
        }
    }
}
