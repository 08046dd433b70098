//! What there is on a host, in a form that can be compared.

use std::thread;

use crate::stage::Stage;

/// Everything ocp2 could leave: links, addresses, routes, rules, settings, units, files, libvirt objects.
/// Services that the system starts when somebody calls them come and go by themselves, and a console's
/// login makes the file it waits for when it comes to wait.
pub const LISTING: &str = r"
{ ip -br link; ip -br -4 addr; } | sed 's/@if[0-9]* / /'; ip route; nft list ruleset; sysctl -n net.ipv4.ip_forward
for k in /proc/sys/net/ipv4/conf/*/rp_filter; do echo $k $(cat $k); done
systemctl list-unit-files --no-legend | grep -v ^session- | sort; systemctl list-units --no-legend --plain --type=service --state=active,failed | awk '{print $1}' | grep -v -e '^user' -e libvirtd -e virtlogd -e polkit | sort
virsh -q list --all; virsh -q pool-list --all; virsh -q net-list --all
find /etc /etc/ocp2 /usr/local /var/lib/libvirt /var/lib/ocp2 /run -xdev \( -type f -o -type d -o -type l \) 2>/dev/null |
  grep -v -e '^/run/\(user\|systemd\|udev\|libvirt\|sshd\|log\|lock\|dbus\|sudo\)' -e '/\.updated$' -e '^/run/[a-z-]*\.pid' -e random-seed -e '^/etc/resolv' -e /var/lib/libvirt/qemu -e '^/run/utmp' -e '^/run/agetty\.reload$' -e '^/run/motd' -e '^/run/nologin' -e '^/etc/libvirt/\(storage\|storage/autostart\|qemu/autostart\)$' | sort
find /etc /etc/ocp2 -xdev -type f -exec sha256sum {} + | sort -k2
dpkg-query -W
";

/// What else of a running cluster is to be the same however it came about.
const LIVE: &str = r"
ip -d -o link | grep -w -e br-vm -e vxlan0 | sed -e 's/^[0-9]*: //' -e 's/ifindex [0-9]*//' -e 's/gc_timer *[0-9.]*//g' -e 's/hello_timer *[0-9.]*//'
bridge fdb show dev vxlan0 | grep permanent | sort
systemctl list-units --all --no-legend --plain 'ocp2*' | awk '{print $1, $3, $4}' | sort
ls /run/systemd/transient 2>/dev/null | grep ocp2
cd /run/ocp2-ocp && sha256sum *.started *.loaded
find /var/lib/ocp2 -type f -exec sha256sum {} + | sort -k2
ss -H -lntu | awk '{print $1, $5}' | sort -u
";

/// Returns what there is on both hosts, line by line; `live` adds what only a running cluster has.
pub fn footprint(stage: &Stage, live: bool) -> Vec<String> {
    let source = if live { format!("{LISTING}{LIVE}") } else { LISTING.to_owned() };
    let listings = thread::scope(|scope| {
        let source = &source;
        let asked = ["bm1", "bm2"].map(|host| (host, scope.spawn(move || stage.at(host, source))));
        asked.map(|(host, asked)| (host, asked.join().unwrap()))
    });
    let lines = listings
        .iter()
        .flat_map(|(host, done)| done.stdout.lines().map(move |line| format!("{host}: {line}")));
    // The answer to who asks again what became of a change goes with the next start of a host, or `down`.
    lines.filter(|line| !live || !line.ends_with("/run/ocp2-ocp.probation")).collect()
}

/// Demands that two footprints are the same.
#[track_caller]
pub fn same(before: &[String], after: &[String], when: &str) {
    let without = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    let (gone, new) = (without(before, after), without(after, before));
    assert!(gone.is_empty() && new.is_empty(), "{when}: gone {gone:#?}, new {new:#?}");
}
