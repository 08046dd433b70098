//! The balancer's limits, held by a real HAProxy.

use crate::{inventories, wanted::Wanted};

/// Connections that the outside is left in the test, for each service.
const FEW: usize = 5;

/// Fills the API's public side with clients that say nothing, then asks from the VMs' side.
///
/// Every master has a server that greets; what greets went through.
const CLIENTS: &str = r#"
import socket, sys, threading, time
public, bridge, few, *masters = sys.argv[1:]
def greet(listener):
    held = []
    while True:
        held.append(listener.accept()[0])
        held[-1].sendall(b"hello")
for master in masters:
    listener = socket.create_server((master, 6443), backlog=512)
    threading.Thread(target=greet, args=(listener,), daemon=True).start()
def greeted(address, seconds):
    client = socket.create_connection((address, 6443), 10)
    client.settimeout(seconds)
    clients.append(client)
    try:
        return client.recv(5) == b"hello"
    except TimeoutError:
        return False
clients = []
for _ in range(100):
    try:
        socket.create_connection((bridge, 6443), 1).close()
        break
    except OSError:
        time.sleep(0.1)
print("public", [greeted(public, 10) for _ in range(int(few))].count(True))
print("one more", greeted(public, 1))
print("bridge", [greeted(bridge, 10) for _ in range(20)].count(True))
"#;

#[test]
fn clients_outside_cannot_take_the_clusters_own_way_to_its_api() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let config = wanted.path("/haproxy.cfg");
    let bridge = wanted.this().address.to_string();
    let public = wanted.this().underlay.public.unwrap().to_string();
    let masters: Vec<String> = cluster.nodes.iter().take(3).map(|node| node.address.to_string()).collect();
    let all = [vec![bridge.clone(), public.clone()], masters.clone()].concat();
    let addresses: Vec<String> =
        all.iter().map(|address| format!("ip address add {address}/32 dev lo")).collect();
    // The public limits are made small, and the whole with them; the servers are not asked for their health.
    let small = format!(
        "awk '/^frontend/ {{ outside = /-public$/ }} $1 == \"maxconn\" && outside {{ $2 = {FEW} }} {{ print }}' {config} \
         | sed '/^    server /s/ check.*//; /^    \\(user\\|group\\) /d; s/^maxconn/    maxconn/' > /etc/small\n\
         sum=$(awk '/^frontend/ {{ inside = 1 }} $1 == \"maxconn\" && inside {{ sum += $2 }} END {{ print sum }}' /etc/small)\n\
         awk -v sum=$sum '/^frontend/ {{ done = 1 }} $1 == \"maxconn\" && !done {{ $2 = sum }} {{ print }}' /etc/small > /etc/smaller"
    );
    let sums = format!(
        "awk '/^frontend/ {{ at = 1 }} $1 == \"maxconn\" {{ if (at) sum += $2; else all = $2 }} END {{ print all, sum }}' {config}"
    );
    let done = wanted
        .machine_with_files()
        .step("addresses", &format!("ip link set lo up\n{}", addresses.join("\n")))
        .step("sums", &sums)
        .step("small", &small)
        .step("haproxy", "mkdir -p /run/ocp2-ocp; haproxy -D -q -f /etc/smaller -p /run/haproxy.pid")
        .step(
            "clients",
            &format!("cat > /etc/clients.py <<'END'{CLIENTS}END\npython3 /etc/clients.py {public} {bridge} {FEW} {}", masters.join(" ")),
        )
        .step("end", "kill \"$(cat /run/haproxy.pid)\"")
        .run();
    assert_eq!(done.outcome("haproxy").quiet("haproxy"), "");
    assert_eq!(
        done.outcome("clients").quiet("the clients"),
        format!("public {FEW}\none more False\nbridge 20\n")
    );
    // The whole is the sum of its parts: none takes from another.
    let sums = done.outcome("sums").quiet("awk").trim().to_owned();
    let (all, sum) = sums.split_once(' ').unwrap();
    assert_eq!(all, sum);
}
