//! A VM: a libvirt domain, defined, autostarted and running.
//!
//! What its owner adds to it (disks, NICs, devices, pinning, QEMU's own arguments) stays: a change edits
//! the description that was seen, and there only what ocp2 sets.

mod drives;
mod nics;
mod revision;
mod seen;

use self::revision::{Left, Revision};
use crate::resource::{
    Action, Change, Conflict, Detail, Facts,
    hypervisor::{Call, DomainSeen, DomainState},
    xml::{Element, Unreadable},
};

/// A libvirt domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its name, `ocp-master0`.
    pub name: String,
    /// The cluster it is marked with in its metadata.
    pub cluster: String,
    /// The boot image on its host, which is taken out of its CD drive once it is not wanted there.
    pub medium: String,
    /// Its whole XML description, as it is to be made.
    pub xml: String,
}

impl Domain {
    /// Returns the changes from `facts` to this domain, defined, autostarted and running.
    ///
    /// # Errors
    /// Returns a [`Conflict`] where a domain of that name or UUID is not this cluster's, or cannot be read.
    pub fn changes(&self, facts: &Facts) -> Result<Vec<Change>, Conflict> {
        let wanted = Element::read(&self.xml).map_err(|reason| Conflict {
            resource: self.resource(),
            found: format!("a description that ocp2 itself makes and cannot read: {reason}"),
            fix: "this is a defect of ocp2: please report it".into(),
        })?;
        let domains = facts.hypervisor.as_ref().map(|seen| seen.domains.as_slice()).unwrap_or_default();
        let uuid = wanted.at(&["uuid"]).map(Element::text).unwrap_or_default();
        let Some(seen) = domains.iter().find(|domain| domain.name == self.name || domain.uuid == uuid) else {
            return Ok(vec![
                self.step("define", Call::DefineDomain { xml: self.xml.clone() }),
                self.autostart("autostart"),
                self.start("start"),
            ]);
        };
        let description = Element::read(&seen.xml).map_err(|reason| self.unreadable(seen, &reason))?;
        if seen.cluster().as_ref() != Some(&self.cluster) || seen.name != self.name {
            return Err(Conflict {
                resource: self.resource(),
                found: format!("domain {} with UUID {}", seen.name, seen.uuid),
                fix: "rename or undefine that VM, or choose another cluster.name in the inventory".into(),
            });
        }
        let revision = Revision::of(&description, &wanted, &self.medium);
        let pending = self.pending(seen, &wanted, &revision);
        let mut changes = self.redefinition(seen, revision);
        changes.extend(pending);
        if !seen.autostart {
            changes.push(self.autostart("autostart off → on"));
        }
        match seen.state {
            DomainState::Running => {}
            DomainState::Off => changes.push(self.start("off → running")),
            DomainState::Paused => {
                let call = Call::ResumeDomain { domain: self.name.clone() };
                changes.push(self.step("paused → running", call));
            }
        }
        Ok(changes)
    }

    /// Returns what brings a revision of its description about.
    fn redefinition(&self, seen: &DomainSeen, revision: Revision) -> Vec<Change> {
        let mut changes = Vec::new();
        // A CD that is to go can go at once; what else differs waits for a power-off.
        if let Some((detail, drive)) = revision.ejection {
            let call = Call::EjectCd { domain: self.name.clone(), drive: drive.to_string() };
            changes.push(self.step("eject the boot image", call).because(vec![detail]));
        }
        if !revision.differences.is_empty() {
            let mut summary = in_words(&revision.differences);
            if seen.state != DomainState::Off {
                summary += " (in effect after its next power-off)";
            }
            let call = Call::DefineDomain { xml: revision.domain.to_string() };
            changes.push(self.step(&summary, call).because(revision.differences));
        }
        for Left { detail, advice } in revision.left {
            let summary = format!("left: {}", detail.in_words());
            changes.push(Change::manual(self.resource(), &summary, advice).because(vec![detail]));
        }
        changes
    }

    /// Returns what stays as it is until the VM is powered off, which is never done unasked.
    fn pending(&self, seen: &DomainSeen, wanted: &Element, revision: &Revision) -> Option<Change> {
        let pending = match seen.pending(wanted, &self.medium) {
            Ok(pending) => pending,
            Err(reason) => {
                let summary = format!("how it runs cannot be read: {reason}");
                let advice = format!(
                    "see `virsh dumpxml {}` there; whether it waits for a power-off is unknown",
                    self.name
                );
                return Some(Change::manual(self.resource(), &summary, advice));
            }
        };
        // A power-off does not bring what its description does not have.
        let stays = |pending: &Detail| revision.left.iter().any(|left| left.detail.is_of(pending));
        let pending: Vec<Detail> = pending.into_iter().filter(|detail| !stays(detail)).collect();
        if pending.is_empty() {
            return None;
        }
        let node = self.name.strip_prefix(&format!("{}-", self.cluster)).unwrap_or(&self.name);
        let advice = format!("`ocp2 vms restart {node}` powers it off and on again");
        let summary = format!("waits for a power-off: {}", in_words(&pending));
        Some(Change::manual(self.resource(), &summary, advice).because(pending))
    }

    fn unreadable(&self, seen: &DomainSeen, reason: &Unreadable) -> Conflict {
        Conflict {
            resource: self.resource(),
            found: format!(
                "domain {} with UUID {}, whose description cannot be read: {reason}",
                seen.name, seen.uuid
            ),
            fix: format!("see `virsh dumpxml {}` there: ocp2 changes no VM that it cannot read", seen.uuid),
        }
    }

    fn resource(&self) -> String {
        format!("domain {}", self.name)
    }

    fn step(&self, summary: &str, call: Call) -> Change {
        Change::hypervisor(self.resource(), summary, call)
    }

    fn autostart(&self, summary: &str) -> Change {
        self.step(summary, Call::AutostartDomain { domain: self.name.clone(), on: true })
    }

    fn start(&self, summary: &str) -> Change {
        self.step(summary, Call::StartDomain { domain: self.name.clone() })
    }
}

fn in_words(details: &[Detail]) -> String {
    details.iter().map(Detail::in_words).collect::<Vec<_>>().join(", ")
}

impl Change {
    /// Tells whether carrying it out boots a VM.
    #[must_use]
    pub fn boots(&self) -> bool {
        matches!(self.action, Action::Hypervisor(Call::StartDomain { .. }))
    }
}
