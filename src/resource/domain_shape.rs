//! What of a libvirt domain's XML is ocp2's to decide, and how two of them differ.

use serde::Deserialize;

use crate::resource::Detail;

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

/// Returns in what a domain differs from what is wanted of it.
pub(super) fn differences(seen: Option<&DomainShape>, wanted: Option<&DomainShape>) -> Vec<Detail> {
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
