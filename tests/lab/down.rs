//! A host is left as it was.

use crate::stage::stage;

/// Everything ocp2 could leave: links, addresses, routes, rules, settings, units, files, libvirt objects.
const INVENTORY: &str = r"
ip -br link; ip -br -4 addr; ip route; nft list ruleset; sysctl -n net.ipv4.ip_forward
for k in /proc/sys/net/ipv4/conf/*/rp_filter; do echo $k $(cat $k); done
systemctl list-unit-files --no-legend | grep -v '^session-' | sort; systemctl list-units --no-legend --plain --type=service --state=active,failed | awk '{print $1}' | grep -v -e '^user' -e libvirtd -e virtlogd | sort
virsh -q list --all; virsh -q pool-list --all; virsh -q net-list --all
find /etc /usr/local /var/lib/libvirt /var/lib/ocp2 /run -xdev \( -type f -o -type d -o -type l \) 2>/dev/null |
  grep -v -e '^/run/\(user\|systemd\|udev\|libvirt\|sshd\|log\|lock\|dbus\|sudo\)' -e '/\.updated$' -e '^/run/[a-z-]*\.pid' -e random-seed -e '^/etc/resolv' -e /var/lib/libvirt/qemu -e '^/run/utmp' -e '^/etc/libvirt/\(storage\|storage/autostart\|qemu/autostart\)$' | sort
find /etc -xdev -type f -exec sha256sum {} + | sort -k2
dpkg-query -W
";

#[test]
fn down_leaves_a_host_as_it_was_before_up() {
    let stage = stage();
    let inventory = stage.inventory("down.yaml", &[]);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    let before = ["bm1", "bm2"].map(|host| stage.at(host, INVENTORY).succeeds().stdout);
    stage.ocp2(&["up", "--until", "machines", &inventory]).succeeds();
    let there = stage.at("bm1", INVENTORY).succeeds().stdout;
    for trace in ["br-vm", "vxlan0", "ocp2_ocp", "ocp2-ocp-dns.service", "ocp-master0", "ocp2-ocp"] {
        assert!(there.contains(trace), "{trace} is not there to be removed");
    }
    stage.ocp2(&["down", &inventory]).ends(2).says("--yes");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds().shows("is gone");
    for (host, before) in ["bm1", "bm2"].iter().zip(before) {
        let after = stage.at(host, INVENTORY).succeeds().stdout;
        let left: Vec<&str> = after.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
        let gone: Vec<&str> = before.lines().filter(|line| !after.lines().any(|new| new == *line)).collect();
        assert!(left.is_empty() && gone.is_empty(), "{host}: left {left:#?}, gone {gone:#?}");
    }
    stage.ocp2(&["down", "--yes", &inventory]).succeeds().shows("Nothing of cluster ocp");
}
