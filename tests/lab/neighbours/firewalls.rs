//! Firewalls: of Docker, firewalld and ufw, and rules of the owner's own.

use std::time::Duration;

use super::{ENTRIES, HOSTS, all_flows, get_on, install, probes, with};
use crate::{
    drift::Drift,
    stage::{apart, eventually},
};

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
