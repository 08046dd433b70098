//! Hosts that have other firewalls and services: both get on, through restarts and reloads.
//!
//! The neighbours are the real packages. They are fetched with the machine's own
//! apt for the hosts' root, whose hosts have no way out. Probes stand where VMs would:
//! namespaces on the bridge, with a VM's MTU.

use std::{process::Command, time::Duration};

use crate::{
    drift::Drift,
    stage::{Run, Stage, apart, eventually},
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

#[test]
fn docker_that_forwards_nothing_but_its_own() {
    let stage =
        with(&["docker.io"], "systemctl is-active docker && iptables -S | grep -x -e '-P FORWARD DROP'");
    let filtered = stage.at("bm1", "cat /proc/sys/net/bridge/bridge-nf-call-iptables").succeeds();
    assert_eq!(
        filtered.stdout.trim(),
        "1",
        "bridged frames do not pass iptables here: the test proves little"
    );
    get_on(
        &stage,
        &[Drift::new("iptables -D DOCKER-USER 1", "entries in iptables", ENTRIES)],
        &["systemctl restart docker", "systemctl stop docker.socket docker && systemctl start docker"],
    );
}

#[test]
fn docker_that_comes_after_us() {
    let stage = apart("n");
    let inventory = stage.inventory("neighbours.yaml", &[]);
    stage.ocp2(&["up", "--until", "balancer", &inventory]).succeeds();
    install(&stage, &["docker.io"], "systemctl is-active docker");
    let check = ["plan", "--check", "--until", "balancer", &inventory];
    stage.ocp2(&check).ends(8).shows("DOCKER-USER");
    stage.ocp2(&["up", "--until", "balancer", &inventory]).succeeds();
    probes(&stage);
    all_flows(&stage, "after Docker came");
    for host in HOSTS {
        stage.reboot(host);
    }
    for host in HOSTS {
        let running = || stage.at(host, "systemctl is-active docker ocp2-ocp-overlay");
        eventually(Duration::from_secs(60), running);
    }
    probes(&stage);
    all_flows(&stage, "after a reboot beside Docker");
    stage.ocp2(&check).succeeds();
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    for host in HOSTS {
        // Docker found forwarding on, and would not turn it on again: it stays.
        let kept = "sysctl -n net.ipv4.ip_forward; iptables-save | grep -c -e br-vm -e ocp2";
        assert_eq!(stage.at(host, kept).stdout, "1\n0\n");
        stage.at(host, "iptables -C FORWARD -j DOCKER-USER && systemctl is-active docker").succeeds();
    }
}

#[test]
fn firewalld_with_its_default_zone() {
    // Forwarding within a zone off, as it is where the host was upgraded from an older firewalld.
    let stage = with(
        &["firewalld"],
        "firewall-cmd --permanent --zone=public --remove-forward && firewall-cmd --reload && firewall-cmd --state",
    );
    // What only its runtime knows would be lost with the reload that our zone needs.
    stage.at("bm1", "firewall-cmd --zone=public --add-port=8081/tcp").succeeds();
    let inventory = stage.inventory("neighbours.yaml", &[]);
    let refused = stage.ocp2(&["up", "--until", "nat", &inventory]);
    stage.at("bm1", "firewall-cmd --zone=public --query-port=8081/tcp").succeeds();
    refused.ends(5).says("8081/tcp").says("firewall-cmd --runtime-to-permanent");
    stage.at("bm1", "firewall-cmd --runtime-to-permanent").succeeds();
    stage.ocp2(&["up", "--until", "nat", &inventory]).succeeds();
    stage.at("bm1", "firewall-cmd --zone=public --query-port=8081/tcp").succeeds();
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    get_on(
        &stage,
        &[
            Drift::new("firewall-cmd --zone=ocp2-ocp --remove-service=dns", "entries in firewalld", ENTRIES),
            Drift::new(
                "sed -i /dns/d /etc/firewalld/zones/ocp2-ocp.xml",
                "file /etc/firewalld/zones/ocp2-ocp.xml",
                "content",
            ),
        ],
        &["firewall-cmd --reload", "systemctl restart firewalld"],
    );
}

#[test]
fn ufw_that_denies_by_default() {
    let stage = with(
        &["ufw"],
        "ufw allow ssh && ufw allow 8080/tcp comment 'a shop' && ufw --force enable && systemctl start ufw",
    );
    get_on(
        &stage,
        &[Drift::new("ufw route delete allow in on br-vm out on br-vm", "entries in ufw", ENTRIES)],
        &["ufw reload", "systemctl restart ufw"],
    );
}

#[test]
fn rules_of_iptables_that_drop_by_default() {
    let rules = "iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -p tcp --dport 22 -j ACCEPT; \
        iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; \
        iptables -P INPUT DROP; iptables -P FORWARD DROP";
    let dropped = ["iptables -D INPUT 1", "iptables -D FORWARD 1"];
    let drifts = dropped.map(|by_hand| Drift::new(by_hand, "entries in iptables", ENTRIES));
    get_on(&with(&[], rules), &drifts, &[]);
}

#[test]
fn rules_of_iptables_that_reject_at_the_end() {
    // As iptables-services and the images of Oracle's cloud have them: every policy is ACCEPT.
    let rules = "iptables -A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT; iptables -A INPUT -i lo -j ACCEPT; \
        iptables -A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT; \
        iptables -N closed; iptables -A closed -m limit --limit 5/min -j LOG; \
        iptables -A closed -j REJECT --reject-with icmp-host-prohibited; \
        iptables -A INPUT -j closed; iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited; \
        iptables -S | grep -x -e '-P FORWARD ACCEPT'";
    let dropped = ["iptables -D INPUT 1", "iptables -D FORWARD 1"];
    let drifts = dropped.map(|by_hand| Drift::new(by_hand, "entries in iptables", ENTRIES));
    let stage = with(&[], rules);
    let saved = || stage.at("bm1", "iptables-save | grep -v '^#' | sed 's/ \\[.*//'").succeeds().stdout;
    let before = saved();
    get_on(&stage, &drifts, &[]);
    assert_eq!(saved(), before);
}

#[test]
fn nftables_that_flushes_everything_when_it_starts() {
    let stage = with(
        &[],
        "grep -x 'flush ruleset' /etc/nftables.conf && systemctl enable nftables && systemctl start nftables",
    );
    get_on(
        &stage,
        &[],
        &["systemctl restart nftables", "systemctl stop nftables && systemctl start nftables"],
    );
}

#[test]
fn other_services_of_the_kind_we_run() {
    let stage = with(
        &["dnsmasq"],
        r"
        set -e
        printf 'listen-address=127.0.0.1\nbind-interfaces\nno-resolv\naddress=/shop.test/192.0.2.99\n' > /etc/dnsmasq.d/own.conf
        printf 'defaults\n mode tcp\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend shop\n bind :8080\n' > /etc/haproxy/haproxy.cfg
        systemctl restart dnsmasq; systemctl enable haproxy; systemctl restart haproxy
        virsh -q net-start default; virsh -q net-autostart default
        ",
    );
    let pids = || {
        let show = "systemctl is-enabled haproxy dnsmasq && systemctl show -p MainPID,ActiveState haproxy dnsmasq && \
            ss -Hlnt 'sport = 8080' && dig +short @127.0.0.1 shop.test && virsh -q net-info default";
        HOSTS.map(|host| stage.at(host, show).succeeds().stdout)
    };
    let before = pids();
    get_on(
        &stage,
        &[],
        &["systemctl restart haproxy dnsmasq && virsh -q net-destroy default && virsh -q net-start default"],
    );
    let after = pids();
    // The test restarted them, ocp2 must not: which process it is may differ, the rest may not.
    let steady = |text: &str| text.lines().filter(|line| !line.starts_with("MainPID")).collect::<String>();
    assert_eq!(before.map(|text| steady(&text)), after.map(|text| steady(&text)));
}

#[test]
fn network_manager_that_has_the_nic() {
    // It takes every veth for a NIC where no udev says otherwise; the probes' are not what is tried.
    let stage = with(
        &["network-manager"],
        r#"
        set -e
        address=$(ip -4 -br address show dev ens34f0 | awk '{print $3}')
        printf '[keyfile]\nunmanaged-devices=interface-name:probe\n' > /etc/NetworkManager/conf.d/probe.conf
        systemctl reload NetworkManager
        nmcli connection add type ethernet ifname ens34f0 con-name own ipv4.method manual \
            ipv4.addresses "$address" ipv4.gateway 192.0.2.1 ipv6.method link-local
        nmcli connection up own
        nmcli -t -f DEVICE,STATE,CONNECTION device | grep -x ens34f0:connected:own
        # As after a boot, where anything that waits for the network has reached this.
        systemctl start network-online.target
        "#,
    );
    get_on(&stage, &[], &["systemctl restart NetworkManager && nmcli -w 20 connection up own"]);
}
