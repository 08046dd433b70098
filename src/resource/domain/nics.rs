//! A domain's NIC that is ocp2's: the one on the cluster's bridge.

use super::revision::{Revision, bring, field};
use crate::resource::xml::Element;

/// Brings our NIC to what is wanted of it; all others are the VM's owner's.
pub(super) fn revise(revision: &mut Revision, wanted: &Element) {
    let devices = wanted.at(&["devices"]);
    let nics = devices.into_iter().flat_map(|devices| devices.all("interface"));
    let bridged = nics.filter(|nic| nic.attribute("type").as_deref() == Some("bridge"));
    for (index, to) in bridged.enumerate() {
        nic(revision, to, index);
    }
}

fn nic(revision: &mut Revision, to: &Element, index: usize) {
    let called = |what: &str| format!("nic{index} {what}");
    let Revision { domain, differences, .. } = revision;
    let devices = domain.make("devices");
    let Some(own) = find(devices, to) else {
        devices.add(to.clone());
        let all = [("mac", mac(to)), ("bridge", bridge(to)), ("mtu", mtu(to))];
        differences.extend(all.map(|(what, value)| field(&called(what), None, value)));
        return;
    };
    if mac(own) != mac(to) {
        let wanted = to.attribute_at(&["mac"], "address");
        bring(own.make("mac"), "address", wanted, &called("mac"), differences);
    }
    if (own.attribute("type"), bridge(own)) != (to.attribute("type"), bridge(to)) {
        differences.push(field(&called("bridge"), bridge(own), bridge(to)));
        own.set("type", "bridge");
        // What was said of the former network does not go for this one.
        for element in ["source", "virtualport"] {
            own.remove(element, |_| true);
        }
        own.add(to.at(&["source"]).cloned().unwrap_or_else(|| Element::new("source")));
    }
    for (element, attribute, what) in [("model", "type", "model"), ("mtu", "size", "mtu")] {
        if let Some(wanted) = to.attribute_at(&[element], attribute) {
            bring(own.make(element), attribute, Some(wanted), &called(what), differences);
        }
    }
}

/// Finds our NIC: by its MAC, or else on its bridge, or else in its slot.
fn find<'a>(devices: &'a mut Element, to: &Element) -> Option<&'a mut Element> {
    let on_bridge = |nic: &Element| bridge(nic).is_some() && bridge(nic) == bridge(to);
    let in_slot = |nic: &Element| slot(nic).is_some() && slot(nic) == slot(to);
    let ways: [&dyn Fn(&Element) -> bool; 4] = [
        &|nic| mac(nic).is_some() && mac(nic) == mac(to),
        &|nic| on_bridge(nic) && in_slot(nic),
        &on_bridge,
        &in_slot,
    ];
    let way = ways.into_iter().find(|way| devices.all("interface").any(way))?;
    devices.find_mut("interface", way)
}

fn mac(nic: &Element) -> Option<String> {
    nic.attribute_at(&["mac"], "address").map(|mac| mac.to_lowercase())
}

fn bridge(nic: &Element) -> Option<String> {
    nic.attribute_at(&["source"], "bridge")
}

fn mtu(nic: &Element) -> Option<String> {
    nic.attribute_at(&["mtu"], "size")
}

/// Returns its place on the PCI bus, which its name in the VM comes from.
fn slot(nic: &Element) -> Option<[Option<String>; 4]> {
    let address =
        nic.at(&["address"]).filter(|address| address.attribute("type").as_deref() == Some("pci"))?;
    Some(["domain", "bus", "slot", "function"].map(|part| address.attribute(part)))
}
