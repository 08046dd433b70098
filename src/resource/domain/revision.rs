//! A domain's description, brought to what is wanted of it.
//!
//! One walk tells what differs and changes it, so that what `plan` shows and what is defined cannot part.
//! It looks at what templates/domain.xml.j2 sets and nowhere else: what libvirt adds by itself (addresses,
//! controllers, a machine type's version) is its own business, and what the VM's owner adds is theirs.

use super::{drives, nics, seen::is_mark};
use crate::resource::{Detail, xml::Element};

/// The one entry of QEMU's firmware configuration that is ocp2's: ignition, where the method has it.
const IGNITION: &str = "opt/com.coreos/config";

/// A description on its way from what was seen to what is wanted.
pub(super) struct Revision {
    /// The description, all else in it as it was.
    pub domain: Element,
    /// What was changed in it, in the order shown.
    pub differences: Vec<Detail>,
    /// What differs and was not changed.
    pub left: Vec<Left>,
    /// The boot image that is to go, and the drive it goes from, without it.
    pub ejection: Option<(Detail, Element)>,
}

/// A difference that is left to the VM's owner: what they added stands in its way.
pub(super) struct Left {
    pub detail: Detail,
    /// What they can do.
    pub advice: String,
}

impl Revision {
    /// Revises a description; `medium` is the boot image that its CD drive gives back.
    pub fn of(seen: &Element, wanted: &Element, medium: &str) -> Self {
        let (differences, left, ejection) = (Vec::new(), Vec::new(), None);
        let mut revision = Self { domain: seen.clone(), differences, left, ejection };
        bring(&mut revision.domain, "type", wanted.attribute("type"), "type", &mut revision.differences);
        revision.mark(wanted);
        revision.vcpus(wanted);
        revision.memory(wanted);
        revision.machine(wanted);
        revision.cpu(wanted);
        revision.firmware(wanted);
        drives::revise(&mut revision, wanted, medium);
        nics::revise(&mut revision, wanted);
        revision
    }

    /// Leaves a difference to the VM's owner.
    pub fn leave(&mut self, name: &str, from: Option<String>, to: Option<String>, advice: String) {
        self.left.push(Left { detail: field(name, from, to), advice });
    }

    fn mark(&mut self, wanted: &Element) {
        let mark = wanted.at(&["metadata"]).and_then(|data| data.children().find(|it| is_mark(wanted)(it)));
        let is_mark = is_mark(&self.domain);
        let own = self.domain.make("metadata").children_mut().find(|element| is_mark(element));
        let (Some(mark), Some(own)) = (mark, own) else { return };
        for name in ["node", "role"] {
            bring(own, name, mark.attribute(name), name, &mut self.differences);
        }
    }

    fn vcpus(&mut self, wanted: &Element) {
        let (from, to) = (vcpus(&self.domain), vcpus(wanted));
        if from == to {
            return;
        }
        let count = wanted.at(&["vcpu"]).map(Element::text).unwrap_or_default();
        let cpu = self.domain.at(&["cpu"]);
        let topology = cpu.and_then(|cpu| cpu.at(&["topology"])).map(threads);
        let in_the_way = if cpu.is_some_and(|cpu| cpu.at(&["numa"]).is_some()) {
            "<numa>"
        } else if topology.is_some_and(|threads| Some(threads) != count.parse().ok()) {
            "<topology>"
        } else {
            let vcpu = self.domain.make("vcpu");
            vcpu.set_text(&count);
            vcpu.unset("current");
            // It says which of the former ones are on.
            self.domain.remove("vcpus", |_| true);
            self.differences.push(field("vcpus", from, to));
            return;
        };
        let advice = format!(
            "its <cpu> has a {in_the_way} that is for another number: with `virsh edit`, set it and <vcpu> to {count}"
        );
        self.leave("vcpus", from, to, advice);
    }

    fn memory(&mut self, wanted: &Element) {
        let (from, to) = (memory(&self.domain), memory(wanted));
        let Some(memory) = wanted.at(&["memory"]).filter(|_| from != to) else { return };
        if self.domain.at(&["cpu", "numa"]).is_some() {
            let advice = "its <cpu> has a <numa> that says how much each cell has: set it with `virsh edit`";
            return self.leave("memory", from, to, advice.into());
        }
        let own = self.domain.make("memory");
        own.set("unit", &memory.attribute("unit").unwrap_or_else(|| "KiB".into()));
        own.set_text(&memory.text());
        // Without it, libvirt gives the VM all of its memory.
        self.domain.remove("currentMemory", |_| true);
        self.differences.push(field("memory", from, to));
    }

    fn machine(&mut self, wanted: &Element) {
        let (from, to) = (machine(&self.domain), machine(wanted));
        if from != to {
            let advice = "its devices have their places on the machine it is: `virsh undefine` it, its disk stays, \
                          and `ocp2 up` makes it anew";
            self.leave("machine", from, to, advice.into());
        }
    }

    fn cpu(&mut self, wanted: &Element) {
        let Some(to) = wanted.at(&["cpu"]) else { return };
        let (from, mode) = (self.domain.attribute_at(&["cpu"], "mode"), to.attribute("mode"));
        let own = self.domain.make("cpu");
        if from == mode {
            if let Some(migratable) = to.attribute("migratable") {
                bring(own, "migratable", Some(migratable), "cpu migratable", &mut self.differences);
            }
            return;
        }
        for name in ["mode", "migratable", "check", "match"] {
            match to.attribute(name) {
                Some(value) => own.set(name, &value),
                None => own.unset(name),
            }
        }
        // They say which CPU the former mode was to look like.
        own.remove("model", |_| true);
        own.remove("vendor", |_| true);
        self.differences.push(field("cpu", from, mode));
    }

    /// Sees to what the VM finds in its firmware's configuration.
    fn firmware(&mut self, wanted: &Element) {
        let is_fwcfg = |element: &Element| element.attribute("type").as_deref() == Some("fwcfg");
        let is_ours = |entry: &Element| entry.attribute("name").as_deref() == Some(IGNITION);
        let file = |domain: &Element| {
            let mut entries = domain.all("sysinfo").filter(|it| is_fwcfg(it)).flat_map(|it| it.all("entry"));
            entries.find(|entry| is_ours(entry)).and_then(|entry| entry.attribute("file"))
        };
        let (from, to) = (file(&self.domain), file(wanted));
        if from == to {
            return;
        }
        for sysinfo in self.domain.children_mut().filter(|element| is_fwcfg(element)) {
            sysinfo.remove("entry", is_ours);
        }
        // libvirt wants at least one entry in it.
        self.domain.remove("sysinfo", |element| is_fwcfg(element) && element.all("entry").next().is_none());
        if let Some(path) = &to {
            let mut entry = Element::new("entry");
            entry.set("name", IGNITION);
            entry.set("file", path);
            if let Some(sysinfo) = self.domain.find_mut("sysinfo", is_fwcfg) {
                sysinfo.add(entry);
            } else {
                let mut sysinfo = Element::new("sysinfo");
                sysinfo.set("type", "fwcfg");
                sysinfo.add(entry);
                self.domain.add(sysinfo);
            }
        }
        self.differences.push(field(IGNITION, from, to));
    }
}

/// Brings an attribute to what is wanted of it, and notes it where that changed it.
pub(super) fn bring(
    element: &mut Element,
    attribute: &str,
    wanted: Option<String>,
    name: &str,
    notes: &mut Vec<Detail>,
) {
    let seen = element.attribute(attribute);
    if seen == wanted {
        return;
    }
    match &wanted {
        Some(value) => element.set(attribute, value),
        None => element.unset(attribute),
    }
    notes.push(field(name, seen, wanted));
}

/// Returns a difference of a field.
pub(super) fn field(name: &str, from: Option<String>, to: Option<String>) -> Detail {
    Detail::Field { name: name.to_owned(), from, to }
}

impl Detail {
    /// Tells whether it is of the same field as another.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Field { name, .. }, Self::Field { name: others, .. }) if name == others)
    }
}

/// Returns how many vCPUs a domain has, and how many of them are on.
fn vcpus(domain: &Element) -> Option<String> {
    let vcpu = domain.at(&["vcpu"])?;
    let all = vcpu.text();
    let on = vcpu.attribute("current").filter(|on| *on != all);
    Some(on.map_or_else(|| all.clone(), |on| format!("{on} of {all}")))
}

/// Returns how many vCPUs a topology is for.
fn threads(topology: &Element) -> u64 {
    let of = |name: &&str| topology.attribute(name).and_then(|count| count.parse::<u64>().ok()).unwrap_or(1);
    let levels = ["sockets", "dies", "clusters", "cores", "threads"];
    levels.iter().map(of).fold(1, u64::saturating_mul)
}

/// Returns how much memory a domain has, and how much of it it is given.
fn memory(domain: &Element) -> Option<String> {
    let mib = |name: &str| {
        let memory = domain.at(&[name])?;
        let value = memory.text().parse::<u64>().ok()?;
        Some(match memory.attribute("unit").as_deref() {
            Some("MiB") => value,
            Some("GiB") => value << 10,
            // KiB, as libvirt tells it.
            _ => value >> 10,
        })
    };
    let all = mib("memory")?;
    let given = mib("currentMemory").filter(|given| *given != all);
    Some(given.map_or_else(|| format!("{all} MiB"), |given| format!("{given} of {all} MiB")))
}

/// Returns the machine type without its version: libvirt turns `q35` into `pc-q35-7.2`.
fn machine(domain: &Element) -> Option<String> {
    let machine = domain.attribute_at(&["os", "type"], "machine")?;
    Some(if machine.contains("q35") { "q35".to_owned() } else { machine })
}
