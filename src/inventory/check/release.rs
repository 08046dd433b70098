//! The release: a version, or a channel the mirror has a folder for.

use super::{Findings, Subject};
use crate::inventory::Problem;

/// Channels of the mirror's `clients/ocp/` folder.
const CHANNELS: &[&str] = &["stable", "fast", "candidate", "latest", "eus"];

/// The first release with the agent-based installer.
const FIRST_WITH_AGENT: (u32, u32) = (4, 12);

/// The first release that supports four or five masters.
const FIRST_WITH_FIVE_MASTERS: (u32, u32) = (4, 18);

pub(super) fn version(subject: &Subject<'_>, findings: &mut Findings) {
    let version = &subject.inventory.cluster.version;
    let refuse = |fault: String, help: &str| Problem::new("cluster.version", version.at, fault).help(help);
    let Some(minor) = minor(version) else {
        let help = match version.split('.').collect::<Vec<_>>()[..] {
            [major, minor] if number(major).is_some() && number(minor).is_some() => {
                format!(
                    "name a release ({version}.1) or its channel (stable-{version})",
                    version = version.value
                )
            }
            _ => "a release like 4.18.30, or a channel like stable-4.18".to_owned(),
        };
        findings.problem(refuse(format!("{:?} is neither a release nor a channel", version.value), &help));
        return;
    };
    if minor < FIRST_WITH_AGENT {
        let fault = format!("{} has no agent-based installer", version.value);
        findings.problem(refuse(fault, "it came with 4.12"));
    }
    let masters = subject.inventory.nodes.masters.count.value;
    if matches!(masters, 4 | 5) && minor < FIRST_WITH_FIVE_MASTERS {
        findings.warning("nodes.masters.count", format!("{masters} masters are supported from 4.18 on"));
    }
}

/// What the installer has a word for, and platform `none` on these hosts only one value.
pub(super) fn kind(subject: &Subject<'_>, findings: &mut Findings) {
    let cluster = &subject.inventory.cluster;
    if let Some(publish) = cluster.publish.as_ref().filter(|publish| publish.value != "External") {
        let fault = match publish.as_str() {
            "Internal" | "Mixed" => {
                format!("the installer does not take {} without a cloud", publish.value)
            }
            other => format!("{other:?} is not a way to publish"),
        };
        findings.problem(
            Problem::new("cluster.publish", publish.at, fault)
                .help("leave it at External; `public: none` of a host keeps its balancer inside"),
        );
    }
    if let Some(architecture) = cluster.architecture.as_ref().filter(|name| name.value != "amd64") {
        let fault = match architecture.as_str() {
            "arm64" | "ppc64le" | "s390x" | "multi" => {
                format!("the hosts run no VMs of {}", architecture.value)
            }
            other => format!("{other:?} is not an architecture of the installer's"),
        };
        findings.problem(
            Problem::new("cluster.architecture", architecture.at, fault)
                .help("amd64 is what x86_64 is called here"),
        );
    }
}

/// Returns the major and minor number of `4.18.30`, `4.18.0-rc.1` or `stable-4.18`.
pub(super) fn minor(version: &str) -> Option<(u32, u32)> {
    let (parts, wanted) = match version.split_once('-') {
        Some((channel, release)) if CHANNELS.contains(&channel) => (release, 2),
        Some((release, suffix)) => {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b".-".contains(&b);
            (Some(release).filter(|_| !suffix.is_empty() && suffix.bytes().all(fits))?, 3)
        }
        None => (version, 3),
    };
    let numbers: Option<Vec<u32>> = parts.split('.').map(number).collect();
    let numbers = numbers.filter(|numbers| numbers.len() == wanted)?;
    Some((numbers[0], numbers[1]))
}

fn number(text: &str) -> Option<u32> {
    let fits = !text.is_empty() && text.len() < 5 && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_and_channels() {
        for (version, expected) in [("4.18.30", (4, 18)), ("4.19.0-rc.1", (4, 19)), ("stable-4.18", (4, 18))]
        {
            assert_eq!(minor(version), Some(expected), "{version}");
        }
        for version in
            ["", "4", "4.18", "4.18.", "4.18.x", "stable", "stable-4.18.1", "v4.18.3", "4.18.30 ", "4.18.3-"]
        {
            assert_eq!(minor(version), None, "{version}");
        }
    }
}
