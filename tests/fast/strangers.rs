//! Between which links a host must not forward.

use ocp2::{
    bringup::Phase,
    resource::{Facts, Resource},
};

use crate::inventories;

/// Links of every sort: those on a wire, and those of other forwarders.
const LINKS: &str = r#"[{"ifname":"lo"},
{"ifname":"ens34f0","addr_info":[{"family":"inet","local":"192.168.0.23","prefixlen":24,"scope":"global"}]},
{"ifname":"eno2","master":"br0"},{"ifname":"br0","linkinfo":{"info_kind":"bridge"}},
{"ifname":"eno3","master":"bond0"},{"ifname":"bond0","linkinfo":{"info_kind":"bond"}},
{"ifname":"bond0.7","linkinfo":{"info_kind":"vlan"}},{"ifname":"team0","linkinfo":{"info_kind":"team"}},
{"ifname":"ppp0","linkinfo":{"info_kind":"ppp"}},{"ifname":"a\"b"},{"ifname":"eth*"},
{"ifname":"docker0","linkinfo":{"info_kind":"bridge"}},{"ifname":"veth1","master":"docker0","linkinfo":{"info_kind":"veth"}},
{"ifname":"virbr0","linkinfo":{"info_kind":"bridge"}},{"ifname":"vnet0","master":"virbr0","linkinfo":{"info_kind":"tun"}},
{"ifname":"cni0","linkinfo":{"info_kind":"bridge"}},{"ifname":"cali1","linkinfo":{"info_kind":"veth"}},
{"ifname":"flannel.1","linkinfo":{"info_kind":"vxlan"}},{"ifname":"wg0","linkinfo":{"info_kind":"wireguard"}},
{"ifname":"br-two","ifalias":"ocp2:two","linkinfo":{"info_kind":"bridge"}},
{"ifname":"br-vm","ifalias":"ocp2:ocp","linkinfo":{"info_kind":"bridge"}},
{"ifname":"vxlan0","master":"br-vm","ifalias":"ocp2:ocp","linkinfo":{"info_kind":"vxlan"}}]"#;

/// Returns the rule between the host's NICs, in words.
fn rule(told: &str) -> Option<String> {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let answer =
        format!("@@links\n{LINKS}\n@@routes\n[{{\"dst\":\"default\",\"dev\":\"ppp0\"}}]\n{told}\n@@end\n");
    let facts = Facts::read(&answer).unwrap();
    let wanted = Phase::Nat.wanted(&cluster, 0, &facts).unwrap();
    let files = wanted.iter().filter_map(|resource| match resource {
        Resource::File(file) if file.path.ends_with("/nftables.nft") => Some(&file.content),
        _ => None,
    });
    let rules = files.flat_map(|content| content.lines()).find(|line| line.contains("new,invalid,untracked"));
    rules.map(|line| line.trim().to_owned())
}

#[test]
fn nics_and_what_stands_on_them_are_meant_and_nobody_elses_links() {
    let links = r#"{ "bond0", "bond0.7", "br0", "eno2", "eno3", "ens34f0", "ppp0", "team0" }"#;
    let expected =
        format!("iifname {links} oifname {links} meta nfproto ipv4 ct state new,invalid,untracked drop");
    assert_eq!(rule("@@settings\nnet.ipv4.ip_forward=0\n@@former"), Some(expected));
}

#[test]
fn what_counts_is_what_the_host_did_before_the_first_cluster() {
    for (now, former, closed) in [
        ("0", "", true),
        ("1", "", false),
        // The first cluster found it off, the second on.
        ("1", "net.ipv4.ip_forward=1\nnet.ipv4.ip_forward=0", true),
        ("1", "net.ipv4.ip_forward=0", true),
        ("0", "net.ipv4.ip_forward=1", false),
    ] {
        let told = format!("@@settings\nnet.ipv4.ip_forward={now}\n@@former\n{former}");
        assert_eq!(rule(&told).is_some(), closed, "{told}");
    }
    assert_eq!(rule(""), None, "a host that has told nothing");
}
