//! A VM: a libvirt domain, defined, autostarted and running.

use crate::resource::{
    Action, Change, Conflict, Detail, DomainShape, Facts,
    domain_shape::differences,
    hypervisor::{Call, DomainSeen, DomainState},
    xml::Element,
};

/// The namespace of ocp2's metadata, as templates/domain.xml.j2 declares it.
const NAMESPACE: &str = "urn:ocp2:machine";

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

impl DomainSeen {
    /// Returns the cluster this domain is marked with, if it is ocp2's.
    ///
    /// The mark alone counts: whatever its owner added to the domain, it stays ocp2's.
    #[must_use]
    pub fn cluster(&self) -> Option<String> {
        self.mark("cluster")
    }

    /// Returns the role this domain is marked with: `master` or `worker`.
    #[must_use]
    pub fn role(&self) -> Option<String> {
        self.mark("role")
    }

    /// Reads an attribute of ocp2's element in the metadata: the one in our namespace, for others may have
    /// elements of the same name there.
    fn mark(&self, attribute: &str) -> Option<String> {
        let domain = Element::read(&self.xml)?;
        let is_ours = |element: &&Element| {
            let Some((prefix, "machine")) = element.name().split_once(':') else { return false };
            let declared = format!("xmlns:{prefix}");
            let space = element.attribute(&declared).or_else(|| domain.attribute(&declared));
            space.as_deref() == Some(NAMESPACE)
        };
        domain.at(&["metadata"])?.children().find(is_ours)?.attribute(attribute)
    }

    /// Tells whether it refers to a file, or to that file as a volume of a pool: as a disk, a backing file,
    /// a CD, firmware variables, a kernel, or anything else.
    #[must_use]
    pub fn refers_to(&self, path: &str, pool: &str, volume: &str) -> bool {
        let refers = |xml: &String| {
            // What cannot be read may refer to anything that it names.
            let Some(domain) = Element::read(xml) else { return xml.contains(path) || xml.contains(volume) };
            let by_name = |element: &Element| {
                element.attribute("pool").as_deref() == Some(pool)
                    && element.attribute("volume").as_deref() == Some(volume)
            };
            domain.values().iter().any(|value| value == path) || domain.any(&by_name)
        };
        refers(&self.xml) || self.live.as_ref().is_some_and(refers)
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
        Change::manual(resource, &summary, advice).because(pending)
    }
}

impl Change {
    /// Tells whether carrying it out boots a VM.
    #[must_use]
    pub fn boots(&self) -> bool {
        matches!(self.action, Action::Hypervisor(Call::StartDomain { .. }))
    }
}
