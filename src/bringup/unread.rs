//! What a host did not tell: unknown is not absent, and nothing is decided on it.

use crate::{
    bringup::{Finding, Place},
    resource::Facts,
};

/// Where libvirt keeps the descriptions of a cluster's domains and of its pool, as patterns.
///
/// They say that there is something of ours even while libvirt does not run.
pub(super) fn patterns(place: &Place) -> [String; 2] {
    let (cluster, pool) = (place.cluster(), place.pool());
    [format!("/etc/libvirt/qemu/{cluster}-*.xml"), format!("/etc/libvirt/storage/{pool}.xml")]
}

/// Lists the parts of a host's answer that could not be read, each with the reason.
///
/// Of a libvirt that does not answer yet nothing is asked before it has made something for the cluster:
/// a fresh host's may not have been started.
#[must_use]
pub fn unread(place: &Place, host: &str, facts: &Facts) -> Vec<Finding> {
    let is_missed = |part: &str| part != "libvirt" || has_machines(place, facts);
    let parts = facts.unknown.iter().filter(|(part, _)| is_missed(part));
    let find = |(part, reason): (&&'static str, &String)| {
        let (what, fix) = words(part);
        Finding {
            host: host.to_owned(),
            what: format!("{what} could not be read: {reason}"),
            fix: fix.to_owned(),
        }
    };
    parts.map(find).collect()
}

/// Tells whether libvirt has something of the cluster, or had when it last was asked.
fn has_machines(place: &Place, facts: &Facts) -> bool {
    let [domains, pool] = patterns(place);
    let (folder, _) = domains.split_once('*').unwrap_or((&domains, ""));
    let is_ours = |path: &String| *path == pool || path.starts_with(folder);
    facts.hypervisor.is_some()
        || facts.files.contains_key(&place.var("settled-nodes"))
        || facts.listing.keys().any(is_ours)
}

/// Returns what a part of the answer is about, and where to look.
fn words(part: &str) -> (&'static str, &'static str) {
    match part {
        "libvirt" => (
            "what libvirt has here",
            "see to it that `virsh -c qemu:///system list --all` answers there (systemctl restart libvirtd, or virtqemud \
             and virtstoraged); nothing is changed or removed while VMs and disks are unknown",
        ),
        "links" | "routes" | "fdb" => ("the network's links", "see what `ip -j -d address show` says there"),
        "files" => {
            ("ocp2's own files", "nothing else may write below /etc/ocp2 and /var/lib/ocp2; then again")
        }
        "units" => ("systemd's units", "see what `systemctl status` says there"),
        "nft" => ("the rules of nftables", "see what `nft list ruleset` says there"),
        "packages" => ("which packages are installed", "see what `dpkg --audit` or `rpm -qa` says there"),
        "firewalls" => ("which firewalls run", "see what `systemctl status ufw firewalld` says there"),
        "entries" => (
            "ocp2's own entries in other firewalls",
            "see what that firewall's own program says there (iptables -S, ufw show added, firewall-cmd --state)",
        ),
        "iptables" => (
            "the rules of iptables",
            "see what `iptables -S` and `ip6tables -S` say there: they may close the way for VMs and tunnel",
        ),
        "ruleset" => (
            "the filters of nftables",
            "see what `nft -j list ruleset` says there: they may close the way for VMs and tunnel",
        ),
        "sockets" => ("who listens where", "see what `ss -Hlntup` says there"),
        _ => ("what it was asked", "log in there and see what keeps it from answering; then again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(answer: &str) -> Facts {
        Facts::read(&format!("{answer}@@end\n")).unwrap()
    }

    const SILENT: &str = "@@libvirt\n =status: 1\n error: failed to connect to the hypervisor\n";

    #[test]
    fn a_libvirt_that_never_had_anything_may_be_silent() {
        let place = Place::named("ocp");
        assert!(unread(&place, "bm1", &facts(SILENT)).is_empty());
        for listed in ["/etc/libvirt/qemu/ocp-master0.xml", "/etc/libvirt/storage/ocp2-ocp.xml"] {
            let findings = unread(&place, "bm1", &facts(&format!("@@listing\n9 {listed}\n{SILENT}")));
            assert_eq!(findings.len(), 1, "{listed}");
            assert!(findings[0].what.contains("failed to connect"), "{findings:?}");
        }
        let other = facts(&format!("@@listing\n9 /etc/libvirt/qemu/db.xml\n{SILENT}"));
        assert!(unread(&place, "bm1", &other).is_empty(), "of somebody else's VMs ocp2 asks nothing");
    }

    #[test]
    fn every_other_part_is_missed() {
        let findings = unread(
            &Place::named("ocp"),
            "bm1",
            &facts("@@links\n[{ifname:\n@@?units systemctl ended\n@@units\n"),
        );
        assert_eq!(findings.len(), 2, "{findings:?}");
    }
}
