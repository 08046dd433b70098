//! Names, as the VMs see them.

use crate::stage::stage;

/// A VM on each host, and its host's bridge address.
const VMS: [(&str, &str, &str); 2] =
    [("bm1", "192.168.139.10", "192.168.139.1"), ("bm2", "192.168.139.11", "192.168.139.2")];

#[test]
fn vms_resolve_the_clusters_names_at_their_own_host() {
    let stage = stage();
    let inventory = stage.cluster();
    let config = stage.ocp2(&["render", "agent-config", "-i", &inventory]).succeeds().stdout;
    let domain = domain(&config);
    for (host, vm, gateway) in VMS {
        let ask = |name: &str, kind: &str| stage.inside(host, vm, &format!("standin-dig {name} {kind}"));
        for name in ["api", "api-int", "console-openshift-console.apps", "any.thing.apps"] {
            let answer = ask(&format!("{name}.{domain}"), "A").succeeds();
            assert!(answer.stdout.contains(&format!("server={gateway}")), "{}", answer.stdout);
            answer.shows(&format!("\n{gateway}\n"));
        }
        ask(&format!("worker2.{domain}"), "A").succeeds().shows("\n192.168.139.15\n");
        ask("15.139.168.192.in-addr.arpa", "PTR").succeeds().shows(&format!("worker2.{domain}"));
        let unknown = ask(&format!("nobody.{domain}"), "A");
        assert!(unknown.stdout.contains("status=NXDOMAIN"), "{unknown:?}");
    }
}

#[test]
fn aaaa_is_no_data_at_once_with_the_upstream_dead() {
    let stage = stage();
    let inventory = stage.cluster();
    let domain = domain(&stage.ocp2(&["render", "agent-config", "-i", &inventory]).succeeds().stdout);
    for (host, ..) in VMS {
        stage.at(host, "nft add table inet deaf; nft add chain inet deaf out '{ type filter hook output priority 0; }'; \
                        nft add rule inet deaf out oifname ens34f0 udp dport 53 drop").succeeds();
    }
    let mut answers = Vec::new();
    for (host, vm, _) in VMS {
        for name in ["api", "api-int", "x.apps", "master0"] {
            answers.push(stage.inside(host, vm, &format!("standin-dig {name}.{domain} AAAA")));
        }
        let outside = stage.inside(host, vm, "standin-dig example.net A");
        assert_ne!(outside.status, 0, "the upstream is not dead: {outside:?}");
    }
    for (host, ..) in VMS {
        stage.at(host, "nft delete table inet deaf").succeeds();
    }
    for answer in answers {
        assert!(answer.stdout.contains("status=NOERROR answers=0"), "{answer:?}");
        let took: u64 =
            answer.stdout.split("ms=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        // An upstream that is asked and silent costs seconds; the order of magnitude is the point.
        assert!(took < 1000, "{answer:?}");
    }
}

fn domain(agent_config: &str) -> String {
    let hostname =
        agent_config.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix("hostname:"));
    let hostname = hostname.unwrap().trim().trim_matches('"');
    hostname.split_once('.').unwrap().1.to_owned()
}
