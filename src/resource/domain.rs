//! A VM: a libvirt domain, defined, autostarted and running.

use serde::Deserialize;

use crate::resource::{
    Action, Change, Conflict, Detail, Facts,
    hypervisor::{Call, DomainSeen, DomainState},
};

/// A libvirt domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its name, `ocp-master0`.
    pub name: String,
    /// The cluster it is marked with in its metadata.
    pub cluster: String,
    /// Its whole XML description, as it is to be defined.
    pub xml: String,
}

/// What ocp2 sets of a domain, read back from libvirt's XML.
///
/// Only this is compared: what libvirt adds by itself (addresses, controllers,
/// a machine type's version) is its own business.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DomainShape {
    #[serde(rename = "@type")]
    kind: String,
    /// The domain's UUID.
    pub uuid: String,
    #[serde(default)]
    metadata: Metadata,
    memory: Memory,
    vcpu: String,
    os: Os,
    #[serde(default)]
    cpu: Cpu,
    #[serde(default)]
    sysinfo: Vec<Sysinfo>,
    devices: Devices,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Metadata {
    machine: Option<Machine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Machine {
    #[serde(rename = "@cluster")]
    cluster: String,
    #[serde(rename = "@node", default)]
    node: String,
    #[serde(rename = "@role", default)]
    role: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Memory {
    #[serde(rename = "@unit")]
    unit: Option<String>,
    #[serde(rename = "$text")]
    value: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Os {
    #[serde(rename = "type")]
    kind: OsType,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct OsType {
    #[serde(rename = "@machine")]
    machine: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Sysinfo {
    #[serde(default)]
    entry: Vec<Entry>,
}

/// What the VM finds in its firmware's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Entry {
    #[serde(rename = "@name")]
    name: String,
    #[serde(rename = "@file")]
    file: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Cpu {
    #[serde(rename = "@mode")]
    mode: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Devices {
    #[serde(default)]
    disk: Vec<Drive>,
    #[serde(default)]
    interface: Vec<Interface>,
}

/// A disk or CD of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Drive {
    #[serde(rename = "@device")]
    device: String,
    source: Option<Source>,
    target: Target,
    boot: Option<Boot>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Source {
    #[serde(rename = "@file")]
    file: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Target {
    #[serde(rename = "@dev")]
    device: String,
    #[serde(rename = "@bus")]
    bus: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Boot {
    #[serde(rename = "@order")]
    order: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Interface {
    mac: MacXml,
    source: BridgeXml,
    mtu: Option<MtuXml>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct MacXml {
    #[serde(rename = "@address")]
    address: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct BridgeXml {
    #[serde(rename = "@bridge")]
    bridge: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct MtuXml {
    #[serde(rename = "@size")]
    size: u32,
}

impl DomainShape {
    /// Reads a domain's XML; `None` where it is not of the kind ocp2 makes.
    #[must_use]
    pub fn read(xml: &str) -> Option<Self> {
        quick_xml::de::from_str(xml).ok()
    }

    /// Returns the cluster in the metadata.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        self.metadata.machine.as_ref().map(|machine| machine.cluster.as_str())
    }

    /// Returns the node in the metadata.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.metadata.machine.as_ref().map(|machine| machine.node.as_str())
    }

    /// Returns the node's role in the metadata: `master` or `worker`.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.metadata.machine.as_ref().map(|machine| machine.role.as_str())
    }

    /// Lists the fields compared, in the order shown.
    fn fields(&self) -> Vec<(String, String)> {
        let mut fields = vec![
            ("type".to_owned(), self.kind.clone()),
            ("vcpus".into(), self.vcpu.trim().to_owned()),
            ("memory".into(), self.memory.mib()),
            ("machine".into(), self.os.kind.family().to_owned()),
            ("cpu".into(), self.cpu.mode.clone().unwrap_or_default()),
        ];
        for entry in self.sysinfo.iter().flat_map(|sysinfo| &sysinfo.entry) {
            fields.push((entry.name.clone(), entry.file.clone().unwrap_or_default()));
        }
        for drive in &self.devices.disk {
            let name = format!("{} {}", drive.device, drive.target.device);
            let source = drive.source.as_ref().and_then(|source| source.file.clone()).unwrap_or_default();
            let order = drive.boot.as_ref().map_or_else(String::new, |boot| boot.order.to_string());
            fields.push((name.clone(), source));
            fields.push((format!("{name} bus"), drive.target.bus.clone().unwrap_or_default()));
            fields.push((format!("{name} boot order"), order));
        }
        for (index, nic) in self.devices.interface.iter().enumerate() {
            let mtu = nic.mtu.as_ref().map_or_else(String::new, |mtu| mtu.size.to_string());
            fields.push((format!("nic{index} mac"), nic.mac.address.to_lowercase()));
            fields.push((format!("nic{index} bridge"), nic.source.bridge.clone().unwrap_or_default()));
            fields.push((format!("nic{index} mtu"), mtu));
        }
        fields
    }
}

impl Memory {
    fn mib(&self) -> String {
        let mib = match self.unit.as_deref() {
            Some("MiB") => self.value,
            Some("GiB") => self.value << 10,
            _ => self.value >> 10,
        };
        format!("{mib} MiB")
    }
}

impl OsType {
    /// Returns the machine type without its version: libvirt turns `q35` into `pc-q35-7.2`.
    fn family(&self) -> &str {
        if self.machine.contains("q35") { "q35" } else { &self.machine }
    }
}

impl DomainSeen {
    /// Returns the cluster this domain is marked with, if it is ocp2's.
    #[must_use]
    pub fn cluster(&self) -> Option<String> {
        DomainShape::read(&self.xml)?.cluster().map(str::to_owned)
    }

    /// Tells whether it runs by another description than it would start with now.
    #[must_use]
    pub fn waits_for_power_off(&self) -> bool {
        !self.pending(DomainShape::read(&self.xml).as_ref()).is_empty()
    }

    /// Returns what `wanted` changes in how it runs, and what only a power-off brings about.
    ///
    /// Drives are left out: their system may have ejected the CD.
    fn pending(&self, wanted: Option<&DomainShape>) -> Vec<Detail> {
        let Some(live) = self.live.as_deref().and_then(DomainShape::read) else { return Vec::new() };
        let fixed_at_start = |detail: &Detail| {
            let Detail::Field { name, .. } = detail else { return false };
            ["type", "vcpus", "memory", "nic"].iter().any(|kind| name.starts_with(kind))
        };
        differences(Some(&live), wanted).into_iter().filter(fixed_at_start).collect()
    }
}

impl Domain {
    /// Returns the description of its CD drive alone.
    fn cd_drive(&self) -> Option<String> {
        let drives = self.xml.match_indices("<disk ").map(|(at, _)| &self.xml[at..]);
        let mut drives =
            drives.filter_map(|rest| rest.find("</disk>").map(|end| &rest[..end + "</disk>".len()]));
        drives.find(|drive| drive.contains("device='cdrom'")).map(str::to_owned)
    }

    /// Returns the changes from `facts` to this domain, defined, autostarted and running.
    ///
    /// # Errors
    /// Returns a [`Conflict`] where a domain of that name or UUID is not this cluster's.
    pub fn changes(&self, facts: &Facts) -> Result<Vec<Change>, Conflict> {
        let domains = facts.hypervisor.as_ref().map(|seen| seen.domains.as_slice()).unwrap_or_default();
        let wanted = DomainShape::read(&self.xml);
        let uuid = wanted.as_ref().map(|wanted| wanted.uuid.clone()).unwrap_or_default();
        let step =
            |summary: &str, call: Call| Change::hypervisor(format!("domain {}", self.name), summary, call);
        let define = || Call::DefineDomain { xml: self.xml.clone() };
        let autostart = || Call::AutostartDomain { domain: self.name.clone(), on: true };
        let start = || Call::StartDomain { domain: self.name.clone() };
        let Some(seen) = domains.iter().find(|domain| domain.name == self.name || domain.uuid == uuid) else {
            return Ok(vec![
                step("define", define()),
                step("autostart", autostart()),
                step("start", start()),
            ]);
        };
        let shape = DomainShape::read(&seen.xml);
        if shape.as_ref().and_then(DomainShape::cluster) != Some(&self.cluster) || seen.name != self.name {
            return Err(Conflict {
                resource: format!("domain {}", self.name),
                found: format!("domain {} with UUID {}", seen.name, seen.uuid),
                fix: "rename or undefine that VM, or choose another cluster.name in the inventory".into(),
            });
        }
        let mut changes = Vec::new();
        let pending = seen.pending(wanted.as_ref());
        // A CD that is to go can go at once; what else differs waits for a power-off.
        let (cd, differences): (Vec<_>, Vec<_>) =
            differences(shape.as_ref(), wanted.as_ref()).into_iter().partition(is_ejection);
        if let (false, Some(drive)) = (cd.is_empty(), self.cd_drive()) {
            let call = Call::EjectCd { domain: self.name.clone(), drive };
            changes.push(step("eject the boot image", call).because(cd));
        }
        if !differences.is_empty() {
            let mut summary = differences.iter().map(Detail::in_words).collect::<Vec<_>>().join(", ");
            if seen.state != DomainState::Off {
                summary += " (in effect after its next power-off)";
            }
            changes.push(step(&summary, define()).because(differences));
        }
        if !pending.is_empty() {
            changes.push(self.left_to_the_user(pending));
        }
        if !seen.autostart {
            changes.push(step("autostart off → on", autostart()));
        }
        match seen.state {
            DomainState::Running => {}
            DomainState::Off => changes.push(step("off → running", start())),
            DomainState::Paused => {
                changes.push(step("paused → running", Call::ResumeDomain { domain: self.name.clone() }));
            }
        }
        Ok(changes)
    }
}

/// Tells whether a difference is a CD where there is to be none.
fn is_ejection(detail: &Detail) -> bool {
    matches!(detail, Detail::Field { name, to: Some(to), .. } if name == "cdrom sda" && to.is_empty())
}

impl Domain {
    /// Returns what stays as it is until the VM is powered off, which is never done unasked.
    fn left_to_the_user(&self, pending: Vec<Detail>) -> Change {
        let node = self.name.strip_prefix(&format!("{}-", self.cluster)).unwrap_or(&self.name);
        let words = pending.iter().map(Detail::in_words).collect::<Vec<_>>().join(", ");
        let advice = format!("`ocp2 vms restart {node}` powers it off and on again");
        let summary = format!("waits for a power-off: {words}");
        let resource = format!("domain {}", self.name);
        Change { resource, summary, details: pending, action: Action::Manual(advice), undo: None }
    }
}

fn differences(seen: Option<&DomainShape>, wanted: Option<&DomainShape>) -> Vec<Detail> {
    let (seen, wanted) = (
        seen.map(DomainShape::fields).unwrap_or_default(),
        wanted.map(DomainShape::fields).unwrap_or_default(),
    );
    let value = |name: &str| seen.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let mut differences: Vec<Detail> =
        wanted.iter().filter_map(|(name, to)| Detail::field(name, value(name), to)).collect();
    let surplus = seen.iter().filter(|(name, _)| !wanted.iter().any(|(n, _)| n == name));
    differences.extend(surplus.map(|(name, from)| Detail::Field {
        name: name.clone(),
        from: Some(from.clone()),
        to: None,
    }));
    differences
}

impl Change {
    /// Tells whether carrying it out boots a VM.
    #[must_use]
    pub fn boots(&self) -> bool {
        matches!(self.action, Action::Hypervisor(Call::StartDomain { .. }))
    }
}
