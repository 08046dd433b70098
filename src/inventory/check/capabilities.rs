//! Optional components, by the installer's rules (openshift/installer pkg/types/validation, openshift/api config/v1).

use super::{Findings, Subject, release::minor};
use crate::inventory::{Capabilities, Located, Problem};

/// Optional components: their name, the release whose set brings them in, and the one that knows their name.
const KNOWN: &[(&str, u32, u32)] = &[
    ("baremetal", 11, 11),
    ("marketplace", 11, 11),
    ("openshift-samples", 11, 11),
    ("MachineAPI", 11, 14),
    ("Console", 12, 12),
    ("Insights", 12, 12),
    ("Storage", 12, 12),
    ("CSISnapshot", 12, 12),
    ("NodeTuning", 13, 13),
    ("Build", 14, 14),
    ("DeploymentConfig", 14, 14),
    ("ImageRegistry", 14, 14),
    ("OperatorLifecycleManager", 15, 15),
    ("CloudCredential", 15, 15),
    ("Ingress", 16, 16),
    ("CloudControllerManager", 16, 16),
    ("OperatorLifecycleManagerV1", 18, 18),
];

/// The first release with sets.
const FIRST_SET: u32 = 11;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let cluster = &subject.inventory.cluster;
    // What is no version is refused elsewhere.
    let (Some(capabilities), Some((4, minor))) = (&cluster.capabilities, minor(&cluster.version)) else {
        return;
    };
    let set = baseline(capabilities, minor, findings);
    for (index, name) in capabilities.additional_enabled_capabilities.iter().enumerate() {
        known(index, name, minor, findings);
    }
    let Some(set) = set else { return };
    let has = |name: &str| {
        let in_set =
            KNOWN.iter().any(|(known, since, _)| *known == name && set.is_some_and(|set| *since <= set));
        in_set || capabilities.additional_enabled_capabilities.iter().any(|added| **added == name)
    };
    let mut needs = |wanted: &str, why: &str| {
        let from = KNOWN.iter().find(|(name, ..)| *name == wanted).map_or(0, |known| known.2);
        if minor >= from && !has(wanted) {
            let at = capabilities.baseline_capability_set.at;
            let help = format!("add {wanted} to additionalEnabledCapabilities");
            findings.problem(
                Problem::new("cluster.capabilities.baselineCapabilitySet", at, why.to_owned()).help(help),
            );
        }
    };
    needs("Ingress", "the installer makes no cluster without the component Ingress");
    if has("marketplace") {
        needs("OperatorLifecycleManager", "the component marketplace needs OperatorLifecycleManager");
    }
}

/// Returns the release whose set is the baseline, `Some(None)` for an empty one and `None` for one there is not.
#[expect(clippy::option_option, reason = "there is no set, or a set that is empty")]
fn baseline(capabilities: &Capabilities, minor: u32, findings: &mut Findings) -> Option<Option<u32>> {
    let name = &capabilities.baseline_capability_set;
    let set = match name.as_str() {
        "None" => return Some(None),
        "vCurrent" => return Some(Some(minor)),
        other => other.strip_prefix("v4.").and_then(|set| set.parse::<u32>().ok()),
    };
    if let Some(set) = set.filter(|set| (FIRST_SET..=minor).contains(set)) {
        return Some(Some(set));
    }
    let fault = format!("{:?} is no set of components of release 4.{minor}", name.value);
    findings.problem(
        Problem::new("cluster.capabilities.baselineCapabilitySet", name.at, fault)
            .help(format!("None, vCurrent, or v4.{FIRST_SET} to v4.{minor}")),
    );
    None
}

fn known(index: usize, name: &Located<String>, minor: u32, findings: &mut Findings) {
    let there: Vec<&str> =
        KNOWN.iter().filter(|(_, _, known)| *known <= minor).map(|(name, ..)| *name).collect();
    if there.contains(&name.as_str()) {
        return;
    }
    let fault = format!("release 4.{minor} has no optional component {:?}", name.value);
    let help = match crate::inventory::wrong::nearest(name, &there) {
        Some(best) => format!("did you mean `{best}`?"),
        None => format!("there are {}", there.join(", ")),
    };
    let field = format!("cluster.capabilities.additionalEnabledCapabilities[{index}]");
    findings.problem(Problem::new(&field, name.at, fault).help(help));
}
