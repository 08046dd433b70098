//! What a domain's description says of it: whose it is, what it uses, and whether it runs by it.

use super::revision::Revision;
use crate::resource::{
    Detail,
    hypervisor::DomainSeen,
    xml::{Element, Unreadable},
};

/// The namespace of ocp2's metadata, as templates/domain.xml.j2 declares it.
const NAMESPACE: &str = "urn:ocp2:machine";

/// Returns what tells ocp2's element in a domain's metadata: the one in our namespace, for others may have
/// elements of the same name there.
pub(super) fn is_mark(domain: &Element) -> impl Fn(&Element) -> bool + use<> {
    let around: Vec<Element> = domain.at(&["metadata"]).into_iter().chain([domain]).cloned().collect();
    move |element| {
        let (declares, name) = match element.name().split_once(':') {
            Some((prefix, name)) => (format!("xmlns:{prefix}"), name),
            None => ("xmlns".to_owned(), element.name()),
        };
        let space = element.attribute(&declares);
        let space = space.or_else(|| around.iter().find_map(|outer| outer.attribute(&declares)));
        name == "machine" && space.as_deref() == Some(NAMESPACE)
    }
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

    /// Reads an attribute of ocp2's element in the metadata.
    fn mark(&self, attribute: &str) -> Option<String> {
        let domain = Element::read(&self.xml).ok()?;
        domain.at(&["metadata"])?.children().find(|element| is_mark(&domain)(element))?.attribute(attribute)
    }

    /// Returns why its description cannot be read; `None` where it can.
    #[must_use]
    pub fn unreadable(&self) -> Option<String> {
        Element::read(&self.xml).err().map(|reason| reason.to_string())
    }

    /// Returns its description for eyes: without the passwords of its displays.
    #[must_use]
    pub fn shown(&self) -> String {
        let Ok(mut domain) = Element::read(&self.xml) else {
            return format!("<!-- {} bytes that cannot be read -->\n", self.xml.len());
        };
        for device in domain.make("devices").children_mut() {
            device.unset("passwd");
        }
        format!("{domain}\n")
    }

    /// Tells whether it refers to a file, or to that file as a volume of a pool: as a disk, a backing file,
    /// a CD, firmware variables, a kernel, or anything else.
    #[must_use]
    pub fn refers_to(&self, path: &str, pool: &str, volume: &str) -> bool {
        let refers = |xml: &String| {
            // What cannot be read may refer to anything that it names.
            let Ok(domain) = Element::read(xml) else { return xml.contains(path) || xml.contains(volume) };
            let by_name = |element: &Element| {
                element.attribute("pool").as_deref() == Some(pool)
                    && element.attribute("volume").as_deref() == Some(volume)
            };
            domain.values().iter().any(|value| value == path) || domain.any(&by_name)
        };
        refers(&self.xml) || self.live.as_ref().is_some_and(refers)
    }

    /// Tells whether it runs by another description than it would start with now.
    ///
    /// # Errors
    /// Returns the reason where one of the two cannot be read.
    pub fn waits_for_power_off(&self) -> Result<bool, Unreadable> {
        Ok(!self.pending(&Element::read(&self.xml)?, "")?.is_empty())
    }

    /// Returns what `wanted` changes in how it runs, and what only a power-off brings about.
    ///
    /// Drives are left out: their system may have ejected the CD.
    pub(super) fn pending(&self, wanted: &Element, medium: &str) -> Result<Vec<Detail>, Unreadable> {
        let Some(live) = &self.live else { return Ok(Vec::new()) };
        let Revision { differences, left, .. } = Revision::of(&Element::read(live)?, wanted, medium);
        let fixed_at_start = |detail: &Detail| {
            let Detail::Field { name, .. } = detail else { return false };
            ["type", "vcpus", "memory", "nic"].iter().any(|kind| name.starts_with(kind))
        };
        let all = differences.into_iter().chain(left.into_iter().map(|left| left.detail));
        Ok(all.filter(fixed_at_start).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::hypervisor::DomainState;

    fn seen(xml: &str) -> DomainSeen {
        let (name, uuid) = ("ocp-master0".to_owned(), "u".to_owned());
        let xml = xml.to_owned();
        DomainSeen { name, uuid, state: DomainState::Running, autostart: true, live: Some(xml.clone()), xml }
    }

    #[test]
    fn the_mark_is_told_by_its_namespace_however_that_is_declared() {
        for xml in [
            "<domain><metadata><ocp2:machine xmlns:ocp2='urn:ocp2:machine' cluster='a'/></metadata></domain>",
            "<domain><metadata><machine xmlns='urn:ocp2:machine' cluster='a'/></metadata></domain>",
            "<domain><metadata xmlns:o='urn:ocp2:machine'><o:machine cluster='a'/></metadata></domain>",
            "<domain xmlns:o='urn:ocp2:machine'><metadata><o:machine cluster='a'/></metadata></domain>",
            "<domain><metadata><x:machine xmlns:x='urn:x' cluster='b'/><o:machine xmlns:o='urn:ocp2:machine' cluster='a'/></metadata></domain>",
        ] {
            assert_eq!(seen(xml).cluster().as_deref(), Some("a"), "{xml}");
        }
        for xml in [
            "<domain><metadata><ocp2:machine xmlns:ocp2='urn:other' cluster='a'/></metadata></domain>",
            "<domain><metadata><machine cluster='a'/></metadata></domain>",
            "<domain><metadata><o:host xmlns:o='urn:ocp2:machine' cluster='a'/></metadata></domain>",
            "<domain><ocp2:machine xmlns:ocp2='urn:ocp2:machine' cluster='a'/></domain>",
        ] {
            assert_eq!(seen(xml).cluster(), None, "{xml}");
        }
    }

    #[test]
    fn how_it_runs_is_said_to_be_unknown_where_it_cannot_be_read() {
        let mut domain = seen("<domain type='kvm'><vcpu>2</vcpu></domain>");
        assert_eq!(domain.waits_for_power_off(), Ok(false));
        domain.live = Some("<domain type='kvm'><vcpu>4</vcpu></domain>".into());
        assert_eq!(domain.waits_for_power_off(), Ok(true));
        domain.live = Some("<domain type='kvm'><vcpu>4</vcpu>".into());
        assert_eq!(domain.waits_for_power_off(), Err(Unreadable::Cut("domain".into())));
        domain.live = None;
        domain.xml = "<domain".into();
        assert!(domain.waits_for_power_off().is_err() && domain.unreadable().is_some());
    }

    #[test]
    fn no_password_of_a_display_is_shown() {
        let xml = "<domain><devices><graphics type='vnc' passwd='hid den'/><video/></devices></domain>";
        assert_eq!(seen(xml).shown(), "<domain><devices><graphics type='vnc'/><video/></devices></domain>\n");
        assert_eq!(seen("<a passwd='x'").shown(), "<!-- 13 bytes that cannot be read -->\n");
    }
}
