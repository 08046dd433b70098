//! Hosts of other kinds: reached in other ways, and tunnels over other networks than the public one.

use crate::{
    fleet::{host_by, inventory, nodes, one_network, peers},
    footprint::{footprint, same},
    stage::{Run, Stage, apart_with, ocp2},
};

const HOSTS: [u8; 2] = [1, 2];

/// Runs ocp2 on the workstation as a user whose ~/.ssh/config is this.
///
/// OpenSSH takes the home from the user database, so that is what the run sees another of.
fn configured(stage: &Stage, config: &str, arguments: &str) -> Run {
    let home = stage.folder.join("home");
    std::fs::create_dir_all(home.join(".ssh")).unwrap();
    std::fs::write(home.join(".ssh/config"), config).unwrap();
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let rehoused = users.lines().map(|line| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if fields[2] == "0" {
            fields[5] = home.to_str().unwrap();
        }
        fields.join(":") + "\n"
    });
    let passwd = stage.folder.join("passwd");
    std::fs::write(&passwd, rehoused.collect::<String>()).unwrap();
    let source = format!(
        "unshare --mount --propagation private sh -c 'mount --bind {} /etc/passwd && HOME={} exec {} {arguments}'",
        passwd.display(),
        home.display(),
        ocp2()
    );
    stage.at("workstation", &source)
}

#[test]
fn hosts_behind_a_jump_host_and_nat_then_over_ipv6_then_on_a_private_nic() {
    let stage = apart_with("ways", &["--private-nic", "--nat"]);
    let before = footprint(&stage, false);
    let keys = format!("IdentityFile {0}/id_ed25519\nUserKnownHostsFile {0}/known_hosts\n", stage.lab());

    // bm1: another user, another port, 1:1 NAT. bm2 is reached through bm1 only, by its private address.
    let nat = |n: u8| format!("nic: ens34f0, underlay: {{peerAddress: 192.0.2.1{n}}}");
    let gate = "ops@192.0.2.11:2222";
    let hosts = [
        host_by(&stage, 1, "address: 192.0.2.11, port: 2222, user: ops", &nat(1)),
        host_by(&stage, 2, &format!("address: 10.20.0.12, user: ops, proxyJump: \"{gate}\""), &nat(2)),
    ];
    let jumping = inventory(&stage, "ocp", &hosts, &nodes(3, 0));
    let for_gate = format!("Host 192.0.2.11\n{keys}");
    configured(&stage, &for_gate, &format!("up --until balancer {jumping}")).succeeds();
    one_network(&stage, &HOSTS, ("br-vm", "192.168.139"), 1400);
    assert_eq!(peers(&stage, 1, "vxlan0"), ["192.0.2.12"]);
    let answers = "timeout 5 bash -c 'exec 3<>/dev/tcp/192.0.2.12/6443'";
    stage.at("workstation", answers).succeeds();

    // The same hosts by names of ~/.ssh/config, which knows all the rest.
    let hosts = [1, 2].map(|n| format!("  - {{name: bm{n}, ssh: lab{n}, {}}}\n", nat(n)));
    let named = inventory(&stage, "ocp", &hosts, &nodes(3, 0));
    let all = format!(
        "Host lab1\nHostName 192.0.2.11\nPort 2222\nHost lab2\nHostName 10.20.0.12\nProxyJump lab1\nHost lab*\nUser ops\n{keys}"
    );
    configured(&stage, &all, &format!("plan --check --until balancer {named}"))
        .succeeds()
        .shows("Nothing to change");

    // From here on by the public addresses, as root. A tunnel of the other family is a new link.
    let by_public = |rest: &dyn Fn(u8) -> String| {
        let hosts =
            HOSTS.map(|n| host_by(&stage, n, &format!("address: 192.0.2.1{n}, user: root"), &rest(n)));
        inventory(&stage, "ocp", &hosts, &nodes(3, 0))
    };
    let converge = |inventory: &str| {
        stage.ocp2(&["up", "--until", "balancer", inventory]).succeeds();
        stage.ocp2(&["plan", "--check", "--until", "balancer", inventory]).succeeds();
    };
    // Somebody's ip6tables drops what it does not know.
    let closed = "ip6tables -A INPUT -i lo -j ACCEPT; ip6tables -A INPUT -p icmpv6 -j ACCEPT; \
        ip6tables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; ip6tables -P INPUT DROP";
    for host in ["bm1", "bm2"] {
        stage.at(host, closed).succeeds();
    }
    let six = by_public(&|n| format!("underlay: {{address: \"2001:db8::1{n}\"}}"));
    converge(&six);
    assert_eq!(peers(&stage, 1, "vxlan0"), ["2001:db8::12"]);
    one_network(&stage, &HOSTS, ("br-vm", "192.168.139"), 1400);

    // Jumbo frames pass between the private NICs, and nowhere else.
    let private = by_public(&|_| "nic: ens35f0".to_owned());
    converge(&private);
    assert_eq!(peers(&stage, 1, "vxlan0"), ["10.20.0.12"]);
    one_network(&stage, &HOSTS, ("br-vm", "192.168.139"), 8900);

    stage.ocp2(&["down", "--yes", &private]).succeeds();
    for host in ["bm1", "bm2"] {
        let rules = stage.at(host, "ip6tables-save; nft delete table ip6 filter").succeeds().stdout;
        assert!(rules.contains(":INPUT DROP") && !rules.contains("ocp2"), "{rules}");
    }
    same(&before, &footprint(&stage, false), "after down");
}
