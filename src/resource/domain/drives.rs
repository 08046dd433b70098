//! A domain's drives that are ocp2's: its system disk, and the CD drive it is installed from.

use super::revision::{Revision, bring, field};
use crate::resource::{Detail, xml::Element};

/// Brings our drives to what is wanted of them; all others are the VM's owner's.
pub(super) fn revise(revision: &mut Revision, wanted: &Element, medium: &str) {
    let devices = wanted.at(&["devices"]);
    let drives: Vec<&Element> = devices.into_iter().flat_map(|devices| devices.all("disk")).collect();
    let has_cd = drives.iter().any(|drive| kind(drive) == "cdrom");
    for to in &drives {
        if kind(to) == "cdrom" { cd(revision, to, medium) } else { disk(revision, to) }
    }
    if !has_cd {
        remove_cd(revision, medium);
    }
    revise_boot_order(revision, &drives);
}

/// Sees to the system disk. What is in its place instead may hold all that the system has written since
/// a snapshot, so that it is left.
fn disk(revision: &mut Revision, to: &Element) {
    let devices = revision.domain.make("devices");
    let Some(own) = find(devices, to, source(to).as_deref()) else { return make(revision, to) };
    for attribute in ["cache", "io", "discard"] {
        let name = format!("{} {attribute}", name(to));
        let wanted = to.attribute_at(&["driver"], attribute);
        bring(own.make("driver"), attribute, wanted, &name, &mut revision.differences);
    }
    let (from, wanted) = (content(own), content(to));
    place(own, to, &mut revision.differences);
    if from != wanted {
        let advice = "a system's disk is never exchanged: bring its content back into the file it had (`virsh \
                      blockcommit`, `virsh blockcopy`), or set its <source> and <driver> with `virsh edit`";
        revision.leave(&name(to), from, wanted, advice.into());
    }
}

/// Sees to the CD drive. Once the boot image is not wanted any more, what is in it is its owner's choice.
fn cd(revision: &mut Revision, to: &Element, medium: &str) {
    let wanted = source(to);
    let ours = wanted.as_deref().unwrap_or(medium);
    let Some(own) = find(revision.domain.make("devices"), to, Some(ours)) else {
        // An empty drive is nothing to miss.
        if wanted.is_some() {
            make(revision, to);
        }
        return;
    };
    let from = source(own);
    match to.at(&["source"]) {
        Some(source) if from != wanted => {
            own.set("type", "file");
            own.remove("source", |_| true);
            own.add(source.clone());
            revision.differences.push(field(&name(to), from, wanted));
        }
        None if from.as_deref() == Some(medium) => {
            own.remove("source", |_| true);
            revision.ejection = Some((field(&name(to), from, None), own.clone()));
        }
        _ => {}
    }
    place(own, to, &mut revision.differences);
}

/// Takes away the CD drive with the boot image, where there is to be none.
fn remove_cd(revision: &mut Revision, medium: &str) {
    let is_ours = |drive: &Element| kind(drive) == "cdrom" && source(drive).as_deref() == Some(medium);
    let devices = revision.domain.make("devices");
    let gone = devices.all("disk").filter(|drive| is_ours(drive));
    let gone = gone.map(|drive| field(&name(drive), Some(medium.to_owned()), None));
    revision.differences.extend(gone);
    devices.remove("disk", is_ours);
}

/// Finds a drive of ours: by its target, or else by what is in it.
fn find<'a>(devices: &'a mut Element, to: &Element, content: Option<&str>) -> Option<&'a mut Element> {
    if devices.all("disk").any(|drive| is_same(drive, to)) {
        return devices.find_mut("disk", |drive| is_same(drive, to));
    }
    let has =
        |drive: &Element| kind(drive) == kind(to) && content.is_some() && source(drive).as_deref() == content;
    devices.find_mut("disk", has)
}

/// Adds a drive that is not there, unless another kind of drive is in its place.
fn make(revision: &mut Revision, to: &Element) {
    let devices = revision.domain.make("devices");
    let in_its_place = devices.all("disk").find(|drive| target(drive) == target(to)).map(kind);
    if let Some(other) = in_its_place {
        let place = target(to).unwrap_or_default();
        let advice = format!("with `virsh edit`, give that {other} another <target dev> than {place}");
        return revision.leave(&name(to), Some(format!("a {other}")), source(to), advice);
    }
    devices.add(to.clone());
    revision.differences.push(field(&name(to), None, source(to)));
}

/// Puts a drive where it is wanted: its target, and the bus of that.
fn place(own: &mut Element, to: &Element, notes: &mut Vec<Detail>) {
    let before = notes.len();
    for (attribute, what) in [("dev", "target"), ("bus", "bus")] {
        let wanted = to.attribute_at(&["target"], attribute);
        bring(own.make("target"), attribute, wanted, &format!("{} {what}", name(to)), notes);
    }
    if notes.len() > before {
        // It was one on the former bus; libvirt finds another.
        own.remove("address", |_| true);
    }
}

/// Brings our drives to their places in the order in which the firmware looks for a system.
fn revise_boot_order(revision: &mut Revision, drives: &[&Element]) {
    let devices = revision.domain.make("devices");
    let mut taken = Vec::new();
    for to in drives {
        let Some(order) = boot_order(to) else { continue };
        let Some(own) = devices.find_mut("disk", |drive| is_same(drive, to)) else { continue };
        let (name, wanted) = (format!("{} boot order", name(to)), Some(order.to_string()));
        bring(own.make("boot"), "order", wanted, &name, &mut revision.differences);
        taken.push(order);
    }
    // No two devices may have the same; whoever else has one of ours comes after all.
    let is_ours = |device: &Element| device.name() == "disk" && drives.iter().any(|to| is_same(device, to));
    let mut last = devices.children().filter_map(boot_order).max().unwrap_or_default();
    for device in devices.children_mut().filter(|device| !is_ours(device)) {
        if boot_order(device).is_some_and(|order| taken.contains(&order)) {
            last = last.saturating_add(1);
            device.make("boot").set("order", &last.to_string());
        }
    }
    // libvirt takes an order of devices or one of kinds of devices, not both.
    if !taken.is_empty() {
        revision.domain.make("os").remove("boot", |_| true);
    }
}

fn is_same(one: &Element, other: &Element) -> bool {
    kind(one) == kind(other) && target(one) == target(other)
}

/// Returns what a drive is called where it is shown: `disk vda`.
fn name(drive: &Element) -> String {
    format!("{} {}", kind(drive), target(drive).unwrap_or_default())
}

fn kind(drive: &Element) -> String {
    drive.attribute("device").unwrap_or_else(|| "disk".into())
}

fn target(drive: &Element) -> Option<String> {
    drive.attribute_at(&["target"], "dev")
}

/// Returns where what is in a drive comes from, whatever kind of place that is.
fn source(drive: &Element) -> Option<String> {
    let source = drive.at(&["source"])?;
    ["file", "dev", "dir", "volume", "name"].iter().find_map(|kind| source.attribute(kind))
}

/// Returns what is in a disk, and how, where that is not plain.
fn content(disk: &Element) -> Option<String> {
    let source = source(disk)?;
    let format = disk.attribute_at(&["driver"], "type").filter(|format| format != "raw");
    Some(format.map_or_else(|| source.clone(), |format| format!("{source} ({format})")))
}

fn boot_order(device: &Element) -> Option<u32> {
    device.attribute_at(&["boot"], "order")?.parse().ok()
}
