//! A host that did not forward before: its VMs and other people's containers go on, strangers do not.

use ocp2::{
    bringup::{self, Phase},
    cluster::Cluster,
    resource::{Change, Facts, Resource, Scope},
};

use super::needs_only_a_kernel;
use crate::{
    inventories,
    programs::{Finished, Machine},
    wanted::{Wanted, source},
};

/// A neighbour on the public side, a server on a private NIC, a container behind a bridge like Docker's,
/// and a VM's place in a bridge that comes later. `PUBLIC` is the host's public address. The private NIC
/// is a macvlan, which counts as one, where a veth would not; what carries it answers nobody.
const NEIGHBOURHOOD: &str = r"mkdir -p /run/netns
for name in neighbour server container vm; do ip netns add $name; ip -n $name link set lo up; done
ip link set other netns neighbour
ip -n neighbour address add 192.168.0.77/24 dev other
ip -n neighbour link set other up
ip -n neighbour route add default via PUBLIC
ip route add default via 192.168.0.77
ip link add name wire type veth peer name eth0 netns server
ip link set wire up
echo 8 > /proc/sys/net/ipv4/conf/wire/arp_ignore
ip link add link wire name eno2 type macvlan mode bridge
ip address add 10.9.0.1/24 dev eno2
ip link set eno2 up
ip -n server address add 10.9.0.2/24 dev eth0
ip -n server link set eth0 up
ip -n server route add default via 10.9.0.1
ip link add name docker0 type bridge
ip address add 172.17.0.1/16 dev docker0
ip link set docker0 up
ip link add name port type veth peer name eth0 netns container
ip link set port master docker0 up
ip -n container address add 172.17.0.2/16 dev eth0
ip -n container link set eth0 up
ip -n container route add default via 172.17.0.1
nft -f - <<'RULES'
table ip published {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ip daddr PUBLIC icmp type echo-request iifname ens34f0 dnat to 172.17.0.2
  }
}
RULES";

/// Puts the VM onto the bridge, and asks who reaches whom: a line `FROM TO yes` or `no` each.
const REACH: &str = r#"ping() {
ip netns exec "$1" python3 - "$2" <<'PING'
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.settimeout(1)
s.sendto(struct.pack("!BBHHH", 8, 0, 0xf7f7, 7, 1), (sys.argv[1], 0))
try:
    while s.recv(2000)[20] != 0:
        pass
    print("yes")
except TimeoutError:
    print("no")
PING
}
if [ ! -e /sys/class/net/tap0 ]; then
ip link add name tap0 type veth peer name eth0 netns vm
ip link set tap0 master BRIDGE up
ip -n vm address add VM dev eth0
ip -n vm link set eth0 up
ip -n vm route add default via GATEWAY
fi
echo "neighbour server $(ping neighbour 10.9.0.2)"
echo "server neighbour $(ping server 192.168.0.77)"
echo "vm neighbour $(ping vm 192.168.0.77)"
echo "vm server $(ping vm 10.9.0.2)"
echo "container neighbour $(ping container 192.168.0.77)"
echo "neighbour container $(ping neighbour 172.17.0.2)"
echo "neighbour published $(ping neighbour PUBLIC)""#;

struct Host {
    cluster: Cluster,
    wanted: Wanted,
    formerly: &'static str,
}

impl Host {
    fn new(formerly: &'static str) -> Self {
        let cluster = inventories::cluster(&inventories::path("two-hosts"));
        Self { wanted: Wanted::new(&cluster, 0), cluster, formerly }
    }

    fn source(&self, text: &str) -> String {
        let (network, this) = (&self.cluster.network, self.wanted.this());
        let vm = &self.cluster.nodes[0].address;
        text.replace("PUBLIC", &this.underlay.address.to_string())
            .replace("BRIDGE", &network.bridge)
            .replace("VM", &format!("{vm}/{}", network.machine.prefix_len()))
            .replace("GATEWAY", &this.address.to_string())
    }

    fn machine(&self) -> Machine {
        self.wanted
            .machine()
            .line(&self.source(NEIGHBOURHOOD))
            .line(&format!("echo {} > /proc/sys/net/ipv4/ip_forward", self.formerly))
    }

    fn probe(&self) -> String {
        bringup::questions(&self.cluster, 0).unwrap().script(Scope::Whole).source().to_owned()
    }

    /// Returns what overlay and nat change on a host that has told `facts`.
    fn changes(&self, facts: &Facts) -> Vec<Change> {
        let phases = [Phase::Overlay, Phase::Nat].into_iter();
        let wanted: Vec<Resource> =
            phases.flat_map(|phase| phase.wanted(&self.cluster, 0, facts).unwrap()).collect();
        let chosen = wanted.iter().filter(|resource| needs_only_a_kernel(resource));
        chosen.flat_map(|resource| resource.changes(facts).unwrap()).collect()
    }

    fn facts(done: &Finished, step: &str) -> Facts {
        Facts::read(&done.outcome(step).stdout).unwrap()
    }

    fn reach(&self) -> String {
        self.source(REACH)
    }
}

/// What is reached, as [`REACH`] says it.
fn reached(done: &Finished, step: &str) -> Vec<String> {
    let told = done.outcome(step);
    let yes = told.quiet(step).lines().filter_map(|line| line.strip_suffix(" yes"));
    yes.map(str::to_owned).collect()
}

const WITHOUT_STRANGERS: [&str; 5] =
    ["vm neighbour", "vm server", "container neighbour", "neighbour container", "neighbour published"];

#[test]
fn a_host_that_did_not_forward_forwards_for_no_stranger() {
    let host = Host::new("0");
    let before = Host::facts(&host.machine().step("before", &host.probe()).run(), "before");
    let made = host.changes(&before);
    let up: String = made.iter().map(source).collect();
    let table = host.wanted.place().nft_table();
    let boot = format!("/bin/bash {}", host.wanted.path("/overlay.sh"));
    let done = host
        .machine()
        .step("up", &up)
        .step("up_reach", &host.reach())
        .step("after", &host.probe())
        // As after a reboot: the links are there yet, forwarding and rules are gone.
        .line(&format!(
            "nft delete table inet {table}\necho 0 > /proc/sys/net/ipv4/ip_forward\nrm -r /run/sysctl.d"
        ))
        .step("boot", &boot)
        .step("boot_reach", &host.reach())
        .step("again", &host.probe())
        .line(&format!("nft delete table inet {table}"))
        .step("open_reach", &host.reach())
        .run();
    assert_eq!(done.outcome("up").status, 0, "{:#?}", done.outcome("up"));
    assert_eq!(done.outcome("boot").quiet("boot"), "");
    for step in ["up_reach", "boot_reach"] {
        assert_eq!(reached(&done, step), WITHOUT_STRANGERS, "{step}");
    }
    // Without the rules the neighbour does reach the server: the test proves something.
    let open = reached(&done, "open_reach");
    assert!(open.contains(&"neighbour server".to_owned()), "{open:?}");
    for step in ["after", "again"] {
        let left = host.changes(&Host::facts(&done, step));
        assert!(left.is_empty(), "{step}: {left:#?}");
    }
    // The plan says why.
    let shown = made.iter().find(|change| change.resource.ends_with("nftables.nft")).unwrap();
    assert!(format!("{:?}", shown.details).contains("net.ipv4.ip_forward was 0 here"), "{shown:?}");
}

#[test]
fn a_host_that_forwarded_before_goes_on_as_it_was() {
    let host = Host::new("1");
    let before = Host::facts(&host.machine().step("before", &host.probe()).run(), "before");
    let up: String = host.changes(&before).iter().map(source).collect();
    let done = host.machine().step("up", &up).step("reach", &host.reach()).step("after", &host.probe()).run();
    let reached = reached(&done, "reach");
    assert_eq!(reached, [["neighbour server", "server neighbour"].as_slice(), &WITHOUT_STRANGERS].concat());
    let left = host.changes(&Host::facts(&done, "after"));
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn nothing_of_ours_turns_on_forwarding_of_ipv6() {
    let host = Host::new("0");
    let show = "cd /proc/sys/net/ipv6/conf; for f in */forwarding; do echo $f $(cat $f); done | grep -v '/forwarding 0$' || true";
    let before = Host::facts(&host.machine().step("before", &host.probe()).run(), "before");
    let up: String = host.changes(&before).iter().map(source).collect();
    let boot = format!("/bin/bash {}", host.wanted.path("/overlay.sh"));
    let done =
        host.machine().step("before", show).step("up", &up).step("boot", &boot).step("after", show).run();
    assert_eq!(done.outcome("boot").quiet("boot"), "");
    assert_eq!(done.outcome("before").quiet("before"), done.outcome("after").quiet("after"));
}
