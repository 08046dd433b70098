//! Hosts that have other firewalls and services: both get on, through restarts and reloads.
//!
//! The neighbours are the real packages. They are fetched with the machine's own
//! apt for the hosts' root, whose hosts have no way out. Probes stand where VMs would:
//! namespaces on the bridge, with a VM's MTU.

mod firewalls;
mod services;

use std::{process::Command, time::Duration};

use crate::{
    drift::Drift,
    stage::{Run, Stage, apart},
};

const HOSTS: [&str; 2] = ["bm1", "bm2"];

/// Everything a neighbour has: rules (without counters and handles), files, services.
const NEIGHBOURS_OWN: &str = r"
nft list ruleset | sed -E 's/counter packets [0-9]+ bytes [0-9]+/counter/'
if systemctl -q is-active firewalld; then firewall-cmd --list-all-zones; firewall-cmd --list-all-policies; fi
if command -v ufw >/dev/null; then ufw status; ufw show added; fi
virsh -q net-list --all; nmcli -t -f DEVICE,STATE device 2>/dev/null | sort
systemctl list-unit-files --no-legend | sort
systemctl list-units --no-legend --plain --type=service --state=active,failed | awk '{print $1, $3}' | grep -v -e '^user' -e libvirtd -e virtlogd -e hostnamed -e nm-dispatcher -e polkit | sort
find /etc -xdev \( -type d -o -type l \) | sort
find /etc -xdev -type f ! -name '*.updated' ! -path '/etc/resolv*' -exec sha256sum {} + | sort -k2
";

/// Puts a probe on the bridge; `$1` is the host's number.
const PROBE: &str = r"
set -e
ip netns add probe
ip link add probe type veth peer name eth0 netns probe
ip link set dev probe mtu 1400 master br-vm up
ip -n probe link set dev eth0 mtu 1400 up
ip -n probe address add 192.168.139.20$1/24 dev eth0
ip -n probe route add default via 192.168.139.$1
";

/// Installs packages on both hosts of a fresh lab, and runs `source` there.
fn with(packages: &[&str], source: &str) -> Stage {
    let stage = apart("n");
    install(&stage, packages, source);
    stage
}

/// Installs packages on both hosts, and runs `source` there.
fn install(stage: &Stage, packages: &[&str], source: &str) {
    let folder = stage.folder.join("packages");
    std::fs::create_dir_all(folder.join("partial")).unwrap();
    let root = |host: &str| format!("{}/hosts/{host}/root", stage.lab());
    if !packages.is_empty() {
        for old in std::fs::read_dir(&folder).unwrap().flatten().filter(|entry| entry.path().is_file()) {
            std::fs::remove_file(old.path()).unwrap();
        }
        let fetched = Command::new("apt-get")
            .args(["install", "--yes", "--quiet", "--no-install-recommends", "--download-only"])
            .arg(format!("-oDir::State::status={}/var/lib/dpkg/status", root("bm1")))
            .arg(format!("-oDir::Cache::archives={}", folder.display()))
            .arg("-oDebug::NoLocking=1")
            .args(packages)
            .output()
            .unwrap();
        assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    }
    for host in HOSTS {
        if !packages.is_empty() {
            let there = format!("{}/opt/neighbours", root(host));
            std::fs::create_dir_all(&there).unwrap();
            for deb in std::fs::read_dir(&folder).unwrap().flatten().filter(|entry| entry.path().is_file()) {
                std::fs::copy(deb.path(), format!("{there}/{}", deb.file_name().display())).unwrap();
            }
            stage.at(host, "DEBIAN_FRONTEND=noninteractive dpkg -i /opt/neighbours/*.deb").succeeds();
        }
        stage.at(host, source).succeeds();
    }
}

/// Puts a probe on the bridge of each host.
fn probes(stage: &Stage) {
    for (number, host) in (1..).zip(HOSTS) {
        stage.at(host, &PROBE.replace("$1", &format!("{number}"))).succeeds();
    }
}

/// How a change of entries made by hand reads.
const ENTRIES: &str = "mend what was changed by hand";

/// Brings the cluster up beside a neighbour, changes by hand what is ours there,
/// shakes the neighbour, takes the cluster down.
fn get_on(stage: &Stage, drifts: &[Drift], restarts: &[&str]) {
    let own = || HOSTS.map(|host| stage.at(host, NEIGHBOURS_OWN).succeeds().stdout);
    let (inventory, before) = (stage.inventory("neighbours.yaml", &[]), own());
    stage.ocp2(&["up", "--until", "balancer", &inventory]).succeeds();
    probes(stage);
    all_flows(stage, "after up");
    nothing_differs(stage, &inventory);
    for drift in drifts {
        drift.is_named_and_mended_alone(stage, &["--until", "balancer", &inventory]);
        all_flows(stage, drift.by_hand);
    }
    for restart in restarts {
        for host in HOSTS {
            stage.at(host, restart).succeeds();
        }
        all_flows(stage, restart);
        nothing_differs(stage, &inventory);
    }
    for host in HOSTS {
        stage.at(host, "ip netns delete probe").succeeds();
    }
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    for ((host, before), after) in HOSTS.iter().zip(before).zip(own()) {
        let left: Vec<&str> = after.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
        let gone: Vec<&str> = before.lines().filter(|line| !after.lines().any(|new| new == *line)).collect();
        assert!(left.is_empty() && gone.is_empty(), "{host}: left {left:#?}, gone {gone:#?}");
    }
}

/// Proves every kind of traffic that a firewall could stop.
#[track_caller]
fn all_flows(stage: &Stage, when: &str) {
    let proves = |place: &str, source: &str| {
        let tried = || stage.at(place, source);
        let done = patiently(tried);
        assert_eq!(done.status, 0, "{when}: {place}: {source}: {}{}", done.stdout, done.stderr);
    };
    for (host, own, public, other) in [
        ("bm1", "192.168.139.1", "192.0.2.11", "192.168.139.202"),
        ("bm2", "192.168.139.2", "192.0.2.12", "192.168.139.201"),
    ] {
        let inside = |source: &str| proves(host, &format!("ip netns exec probe {source}"));
        inside(&format!("ping -q -c 1 -W 2 -M do -s 1372 {other}"));
        inside("ping -q -c 1 -W 2 198.51.100.1");
        inside("timeout 3 bash -c 'exec 3<>/dev/tcp/198.51.100.1/80'");
        inside(&format!("dig +time=2 +tries=1 @{own} api.ocp.lab.test | grep -w {own}"));
        for port in [80, 443, 6443] {
            proves("internet", &format!("timeout 3 bash -c 'exec 3<>/dev/tcp/{public}/{port}'"));
            inside(&format!("timeout 3 bash -c 'exec 3<>/dev/tcp/{own}/{port}'"));
        }
        inside(&format!("timeout 3 bash -c 'exec 3<>/dev/tcp/{own}/22623'"));
        let closed = stage.at("internet", &format!("timeout 1 bash -c 'exec 3<>/dev/tcp/{public}/22623'"));
        assert_ne!(closed.status, 0, "{when}: 22623 of {public} is open");
    }
}

/// Tries for a few seconds: a restart's `ocp2` unit is started after the neighbour's, not with it.
fn patiently(attempt: impl Fn() -> Run) -> Run {
    let mut done = attempt();
    for _ in 0..15 {
        if done.status == 0 {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
        done = attempt();
    }
    done
}

/// Demands that `plan` finds nothing to do before the VMs, which are not part of this.
#[track_caller]
fn nothing_differs(stage: &Stage, inventory: &str) {
    let phases = ["hosts", "overlay", "nat", "names", "balancer"].map(|phase| format!("{phase} on "));
    let mut plan = String::new();
    // A unit that failed together with its neighbour is started again by systemd a moment later.
    for _ in 0..20 {
        plan = stage.ocp2(&["plan", "--check", inventory]).stdout;
        if !plan.lines().any(|line| phases.iter().any(|phase| line.starts_with(phase))) {
            return;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    panic!("something differs:\n{plan}");
}
