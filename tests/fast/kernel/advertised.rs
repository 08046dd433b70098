//! A VM that calls itself a router: the host takes no route from it.

use crate::{inventories, wanted::Wanted};

/// Sends a router advertisement, as a VM on the bridge may: type 134, a lifetime of 1800 s.
const ADVERTISE: &str = r#"ip netns exec vm python3 -c '
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
s.sendto(advertisement, ("ff02::1", 0, 0, socket.if_nametoindex("eth0")))
'
sleep 1
ip -6 route show default"#;

#[test]
fn a_router_advertisement_from_a_vm_changes_no_route() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let script = wanted.path("/overlay.sh");
    let plug = "mkdir -p /run/netns\nip netns add vm\n\
                ip link add tap0 type veth peer name eth0 netns vm\n\
                ip netns exec vm sh -c 'echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad; ip link set eth0 up'\n\
                ip link set tap0 master br-vm up\nsleep 2";
    let advertised = |loosened: &str| {
        let done = wanted
            .machine_with_files()
            .step("boot", &format!("/bin/bash {script}"))
            .step("loosened", loosened)
            .step("plug", plug)
            .step("advertised", ADVERTISE)
            .run();
        for step in ["boot", "loosened", "plug"] {
            assert_eq!(done.outcome(step).status, 0, "{:?}", done.outcome(step));
        }
        done.outcome("advertised").quiet("the advertisement").to_owned()
    };
    let (table, ipv6) = (wanted.place().nft_table(), "echo 0 > /proc/sys/net/ipv6/conf/br-vm/disable_ipv6");
    assert_eq!(advertised("true"), "");
    // Each of the two holds alone.
    assert_eq!(advertised(&format!("nft delete table inet {table}")), "");
    assert_eq!(advertised(ipv6), "");
    // Without both the advertisement is taken: it is a real one.
    let taken = advertised(&format!("{ipv6}\nnft delete table inet {table}"));
    assert!(taken.contains("dev br-vm proto ra"), "{taken:?}");
}
