//! What kind of machine a host is: read once, never changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    command::quote,
    resource::{Manager, kvm},
};

/// A host's system, as it told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct System {
    /// `ID` of os-release, `debian`.
    pub id: String,
    /// `PRETTY_NAME` of os-release.
    pub name: String,
    /// Package manager found, if any.
    pub manager: Option<Manager>,
    /// Kernel release.
    pub kernel: String,
    /// This boot of the machine: its id, marked where there is a /dev/kvm.
    pub boot: String,
    /// Machine architecture, `x86_64`.
    pub architecture: String,
    /// Logical CPUs online.
    pub cpus: u32,
    /// All memory, MiB.
    pub memory_mib: u64,
    /// Seconds since the epoch, by the host's clock, when it answered.
    pub now: i64,
    /// Version of systemd, where it is process 1; 0 where it did not say.
    pub systemd: Option<u32>,
    /// The kernel can make bridges and VXLAN links.
    pub overlay_links: bool,
    /// `nmstatectl` is on the path.
    pub nmstatectl: bool,
    /// SELinux is enforcing.
    pub selinux: bool,
    /// The host's own upstream DNS servers.
    pub resolvers: Vec<IpAddr>,
    /// Room of file systems: folder → (total, available), MiB.
    pub space: BTreeMap<String, (u64, u64)>,
}

const ASK: &str = r#"echo "@@${mark-}system"
( . /etc/os-release; printf 'id=%s\nname=%s\n' "$ID" "$PRETTY_NAME" ) 2>/dev/null || true
for m in apt-get dnf; do if command -v $m >/dev/null; then echo manager=$m; break; fi; done
uname -rm | { read -r k a; printf 'kernel=%s\narchitecture=%s\n' "$k" "$a"; }
printf 'cpus=%s\n' "$(nproc)"
while read -r k v _; do case $k in MemTotal:) echo memory=$v; break;; esac; done < /proc/meminfo
printf 'now=%(%s)T\n' -1
[ -d /run/systemd/system ] && { read -r _ v _ < <(systemctl --version); echo "systemd=$v"; }
command -v nmstatectl >/dev/null && echo nmstatectl=yes
[ "$(cat /sys/fs/selinux/enforce 2>/dev/null)" = 1 ] && echo selinux=yes
f=/etc/resolv.conf; if grep -q '^nameserver 127\.0\.0\.53' $f 2>/dev/null; then f=/run/systemd/resolve/resolv.conf; fi
while read -r k v _; do [ "$k" = nameserver ] && echo "resolver=$v"; done < $f 2>/dev/null
if compgen -G '/sys/class/net/*/brport' >/dev/null || unshare -n sh -c 'ip link add name ocp2-br type bridge && ip link add name ocp2-vx type vxlan id 1 dstport 4789 local 192.0.2.1' 2>/dev/null; then echo overlay=yes; fi
space() { d=$1; while [ ! -d "$d" ]; do d=${d%/*}; d=${d:-/}; done; df -Pk "$d" | { read -r _; read -r _ t _ a _; printf 'space=%s %s %s\n' "$t" "$a" "$1"; }; }"#;

/// Returns the probe's source.
pub(super) fn ask(folders: &BTreeSet<String>) -> String {
    let ask = format!("{ASK}\n{}; echo \"boot=$boot\"", kvm::BOOT);
    folders.iter().fold(ask, |source, folder| format!("{source}\nspace {}", quote(folder)))
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> System {
    let mut system = System::default();
    for (key, value) in section.lines().filter_map(|line| line.split_once('=')) {
        let number = || value.parse::<u64>().unwrap_or(0);
        match key {
            "id" => value.clone_into(&mut system.id),
            "name" => value.clone_into(&mut system.name),
            "manager" => {
                system.manager = if value == "dnf" { Some(Manager::Dnf) } else { Some(Manager::Apt) }
            }
            "kernel" => value.clone_into(&mut system.kernel),
            "boot" => value.clone_into(&mut system.boot),
            "architecture" => value.clone_into(&mut system.architecture),
            "cpus" => system.cpus = u32::try_from(number()).unwrap_or(u32::MAX),
            "memory" => system.memory_mib = number() / 1024,
            "now" => system.now = value.parse().unwrap_or(0),
            "systemd" => {
                // Some write more behind it: `256~rc3`.
                let digits = value.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
                system.systemd = Some(digits.parse().unwrap_or(0));
            }
            "overlay" => system.overlay_links = true,
            "nmstatectl" => system.nmstatectl = true,
            "selinux" => system.selinux = true,
            "resolver" => {
                system.resolvers.extend(value.parse::<IpAddr>().ok().filter(|ip| !ip.is_loopback()));
            }
            "space" => {
                let mut parts = value.splitn(3, ' ');
                let mut kib = || parts.next().and_then(|part| part.parse::<u64>().ok()).unwrap_or(0) / 1024;
                let room = (kib(), kib());
                system.space.insert(parts.next().unwrap_or_default().to_owned(), room);
            }
            _ => {}
        }
    }
    system
}
