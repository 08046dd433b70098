//! How and from where OpenShift is installed, and what of it is not built yet.

use std::{net::IpAddr, path::Component};

use super::{Findings, Subject, names::domain_fault};
use crate::inventory::{Encryption, Method, Problem, os_image};

/// What the format has a word for and this version has not.
pub(super) fn not_yet(subject: &Subject<'_>, findings: &mut Findings) {
    let encryption = &subject.inventory.network.encryption;
    if encryption.value == Encryption::Wireguard {
        findings.problem(
            Problem::new(
                "network.encryption",
                encryption.at,
                "this version of ocp2 does not have `wireguard` yet",
            )
            .help("with `none`, whoever is between the hosts can read the VMs' traffic"),
        );
    }
    let plugin = &subject.inventory.network.network_type;
    if plugin.value != "OVNKubernetes" {
        // The installer takes any word, and the install then waits for a plugin nobody brings.
        let fault = format!("{:?} is not a network plugin the release brings", plugin.value);
        findings
            .problem(Problem::new("network.networkType", plugin.at, fault).help("leave it at OVNKubernetes"));
    }
}

pub(super) fn sources(subject: &Subject<'_>, findings: &mut Findings) {
    let install = &subject.inventory.install;
    if !is_http(&install.mirror) {
        let fault = format!("{:?} is not an HTTP URL", install.mirror.value);
        findings.problem(Problem::new("install.mirror", install.mirror.at, fault).help(
            "the folder that has `clients/` in it, like https://mirror.openshift.com/pub/openshift-v4",
        ));
    }
    if let Some(iso) = &install.iso
        && iso.contains("://")
        && !is_http(iso)
    {
        let fault = format!("{:?} is neither an HTTP URL nor a file", iso.value);
        findings.problem(Problem::new("install.iso", iso.at, fault));
    }
    if let Some(release) = &install.release
        && (release.is_empty()
            || release.contains("://")
            || release.contains(char::is_whitespace)
            || !release.contains('/'))
    {
        let fault = format!("{:?} is not the pull spec of an image", release.value);
        findings.problem(
            Problem::new("install.release", release.at, fault)
                .help("without a scheme: quay.io/openshift-release-dev/ocp-release:4.18.30-x86_64"),
        );
    }
}

/// From where the installer comes: one place only.
pub(super) fn installer(subject: &Subject<'_>, findings: &mut Findings) {
    let install = &subject.inventory.install;
    if let (Some(installer), Some(_)) = (&install.installer, &install.release) {
        findings.problem(
            Problem::new(
                "install.installer",
                installer.at,
                "the installer is to come out of install.release already",
            )
            .help("leave one of the two out"),
        );
    }
    let agent = install.method.value == Method::Agent && install.iso.is_none();
    if let (Some(oc), None, false) = (&install.oc, &install.release, agent) {
        findings.problem(
            Problem::new("install.oc", oc.at, "nothing here takes anything out of a release image")
                .help("name one in install.release, or leave it out"),
        );
    }
    if agent
        && install.installer.is_some()
        && install.oc.is_none()
        && !install.image_digest_sources.is_empty()
    {
        findings.warning(
            "install.oc",
            "without it your installer does not take the ISO out of the mirrored release image, but asks the internet",
        );
    }
    if let Some(iso) = &install.iso {
        let unused = [
            ("install.installer", install.installer.as_ref().map(|field| field.at)),
            ("install.release", install.release.as_ref().map(|field| field.at)),
        ];
        for (field, at) in unused.into_iter().filter_map(|(field, at)| Some((field, at?))) {
            let fault = format!("with install.iso ({}) no installer is run", iso.value);
            findings.problem(Problem::new(field, at, fault).help("leave one of the two out"));
        }
    }
}

/// What only one way of installing has.
pub(super) fn method(subject: &Subject<'_>, findings: &mut Findings) {
    let install = &subject.inventory.install;
    let is_upi = install.method.value == Method::Upi;
    if let (true, Some(iso)) = (is_upi, &install.iso) {
        findings.problem(
            Problem::new("install.iso", iso.at, "the UPI method boots from a disk image, not from an ISO")
                .help("name the disk image in install.clusterOSImage, or leave out one of iso and `method: upi`"),
        );
    }
    let Some(image) = &install.cluster_os_image else { return };
    let mut refuse = |fault: String, help: &str| {
        findings.problem(Problem::new("install.clusterOSImage", image.at, fault).help(help));
    };
    if !is_upi {
        refuse("only the UPI method boots from a disk image".into(), "add `method: upi`, or leave it out");
    }
    let (place, sum) = os_image(image);
    if place.contains("://") && !is_http(place) {
        refuse(format!("{place:?} is neither an HTTP URL nor a file"), "https://… or a path");
    }
    if let Some(sum) = sum
        && (sum.len() != 64 || !sum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    {
        refuse(
            format!("{sum:?} is no SHA-256"),
            "64 hexadecimal digits in lower case, as `sha256sum` prints",
        );
    }
}

/// Tells whether `text` is a URL one can download from.
fn is_http(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

pub(super) fn time(subject: &Subject<'_>, findings: &mut Findings) {
    for (index, source) in subject.inventory.network.ntp.iter().enumerate() {
        if source.parse::<IpAddr>().is_err() && domain_fault(source).is_some() {
            let fault = format!("{:?} is neither an address nor a host name", source.value);
            findings.problem(Problem::new(&format!("network.ntp[{index}]"), source.at, fault));
        }
    }
    for (index, forwarder) in subject.inventory.network.forwarders.iter().enumerate() {
        if forwarder.is_unspecified() || forwarder.is_multicast() {
            let fault = format!("{} is no address of a DNS server", forwarder.value);
            findings.problem(Problem::new(&format!("network.forwarders[{index}]"), forwarder.at, fault));
        }
    }
}

pub(super) fn pool(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(pool) = &subject.inventory.machines.pool else { return };
    let plain = pool.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let text = pool.to_string_lossy();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if let Some(other) = text.chars().find(|&c| !allowed(c) && !c.is_control()) {
        // It goes into shell scripts, patterns, XML and QEMU's options, each with a meaning of its own for some.
        let fault = format!("{text:?} has {other:?} in it");
        findings.problem(
            Problem::new("machines.pool", pool.at, fault).help(
                "a path of letters and digits of ASCII and `. _ - + @`, like /var/lib/libvirt/images/ocp",
            ),
        );
    } else if !pool.is_absolute()
        || !plain
        || pool.components().count() < 3
        || text.contains(char::is_control)
    {
        let fault = format!("{text:?} is not a folder for VM disks on the hosts");
        findings.problem(
            Problem::new("machines.pool", pool.at, fault)
                .help("an absolute path of its own, like /var/lib/libvirt/images/ocp"),
        );
    }
}
