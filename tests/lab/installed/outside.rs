//! What the Internet reaches, and what not.

use crate::stage::stage;

#[test]
fn machine_config_and_the_bridge_are_closed_to_the_outside() {
    let stage = stage();
    stage.cluster();
    for (public, bridge) in [("192.0.2.11", "192.168.139.1"), ("192.0.2.12", "192.168.139.2")] {
        let open = |address: &str, port: u16| {
            stage.at("internet", &format!("timeout 3 bash -c 'exec 3<>/dev/tcp/{address}/{port}'")).status
                == 0
        };
        assert!(open(public, 6443), "6443 of {public} should be open");
        assert!(open(public, 443), "443 of {public} should be open");
        assert!(!open(public, 22623), "22623 of {public} is open");
        // An attacker on the same wire may route the machine network through the host.
        stage.at("internet", &format!("ip route replace 192.168.139.0/24 via {public}")).succeeds();
        for port in [22623, 6443, 53] {
            assert!(!open(bridge, port), "{port} of {bridge} is open from outside");
        }
        assert!(!open("192.168.139.10", 6443), "a VM is open from outside");
        stage.at("internet", "ip route del 192.168.139.0/24").succeeds();
    }
}

/// Sends one VXLAN packet with a broadcast ARP request inside, from any source address.
const FORGE: &str = r"
import socket, struct, sys
source, target, vni = sys.argv[1], sys.argv[2], int(sys.argv[3])
inner = b'\xff'*6 + b'\x02\x00\x00\x00\x00\x99' + b'\x08\x06'
inner += struct.pack('!HHBBH', 1, 0x0800, 6, 4, 1) + b'\x02\x00\x00\x00\x00\x99' + socket.inet_aton('192.168.139.99')
inner += b'\0'*6 + socket.inet_aton('192.168.139.98')
vxlan = struct.pack('!II', 0x08000000, vni << 8) + inner
udp = struct.pack('!HHHH', 40000, 4789, 8 + len(vxlan), 0) + vxlan
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(target))
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
for _ in range(3): s.sendto(ip + udp, (target, 0))
";

#[test]
fn tunnel_packets_from_anyone_but_a_peer_are_dropped() {
    let stage = stage();
    stage.cluster();
    std::fs::write(stage.folder.join("forge.py"), FORGE).unwrap();
    let script = stage.folder.join("forge.py");
    // Counts forged requests that reach the bridge.
    let arrived = |source: &str| {
        stage.at("bm1", "nft add table bridge count 2>/dev/null; nft delete table bridge count; nft add table bridge count; \
            nft add chain bridge count in '{ type filter hook prerouting priority 0; }'; \
            nft add rule bridge count in ether saddr 02:00:00:00:00:99 counter").succeeds();
        stage.at("internet", &format!("python3 {} {source} 192.0.2.11 39", script.display())).succeeds();
        std::thread::sleep(std::time::Duration::from_millis(300));
        let listing =
            stage.at("bm1", "nft list table bridge count; nft delete table bridge count").succeeds().stdout;
        let packets = listing.split("packets ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        packets.parse::<u32>().unwrap()
    };
    assert_eq!(arrived("192.0.2.1"), 0, "a stranger's frames reach the bridge");
    // The same packet with the peer's address does arrive: the filter is what stopped it.
    assert_eq!(arrived("192.0.2.12"), 3);
}

#[test]
fn vms_reach_the_outside_behind_their_own_hosts_address() {
    let stage = stage();
    stage.cluster();
    for (host, vm, public) in
        [("bm1", "192.168.139.10", "192.0.2.11"), ("bm2", "192.168.139.11", "192.0.2.12")]
    {
        let listen = "timeout 20 python3 -c 'import socket; s=socket.create_server((\"192.0.2.1\", 7777)); \
                      c, a = s.accept(); print(a[0])'";
        let server = std::thread::scope(|scope| {
            let server = scope.spawn(|| stage.at("internet", listen));
            std::thread::sleep(std::time::Duration::from_millis(700));
            stage
                .inside(
                    host,
                    vm,
                    "python3 -S -s -c 'import socket; socket.create_connection((\"192.0.2.1\", 7777), 5)'",
                )
                .succeeds();
            server.join().unwrap()
        });
        server.succeeds().shows(public);
    }
}
