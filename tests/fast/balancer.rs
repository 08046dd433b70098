//! The balancer's limits, and what a reload is worth, by a real HAProxy.

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

/// Does what systemd does with the unit: starts it, and reloads it by the commands that the unit names.
///
/// `reload` prints what the stamp says of the configuration; `api` asks who answers.
const SYSTEMD: &str = r#"
run() { sed -n "s/^$1=//p" "$unit" | sed "s|\$MAINPID|$main|g" | while read -r line; do eval "$line" </dev/null || exit 1; done; }
start() { haproxy -Ws -f "$config" >/run/log 2>&1 & main=$!; until grep -q success /run/log; do sleep 0.1; done; run ExecStartPost; }
stamp() { if sha256sum --status -c /run/ocp2-ocp/balancer.loaded; then echo this one; else echo an older one; fi; }
reload() { if run ExecReload 2>/run/said; then echo loaded; else echo refused; fi; cat /run/said; stamp; }
api() { python3 -c 'import socket, sys; print(socket.create_connection((sys.argv[1], 6443), 2).recv(20).decode())' "$1"; }
"#;

/// Listens as masters that greet, or as a program in the way.
const GREETERS: &str = r"
import socket, sys, threading
def greet(listener, word):
    while True:
        listener.accept()[0].sendall(word.encode())
for word, address in zip(sys.argv[1::2], sys.argv[2::2]):
    listener = socket.create_server((address, 6443))
    threading.Thread(target=greet, args=(listener, word)).start()
";

#[test]
fn a_reload_counts_only_once_the_new_haproxy_listens() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let (config, unit) = (wanted.path("/haproxy.cfg"), wanted.path("-balancer.service"));
    let bridge = wanted.this().address.to_string();
    let public = wanted.this().underlay.public.unwrap().to_string();
    let masters: Vec<String> = cluster.nodes.iter().take(3).map(|node| node.address.to_string()).collect();
    let added: String = std::iter::once(&bridge)
        .chain(&masters)
        .map(|address| format!("ip address add {address}/32 dev lo\n"))
        .collect();
    let more = format!("sed -i '/^    bind {public}:6443/a\\    bind 127.0.0.9:6443' {config}");
    let greeters: String = masters.iter().map(|address| format!(" master {address}")).collect();
    let done = wanted
        .machine_with_files()
        .line(&format!("unit={unit} config={config}{SYSTEMD}"))
        .line(&format!("cat > /run/greeters.py <<'END'{GREETERS}END\n{added}mkdir -p /run/ocp2-ocp"))
        // Servers are not asked for their health.
        .line(&format!("sed -i '/^    server /s/ check.*//; /^    \\(user\\|group\\) /d' {config}"))
        .line(&format!("python3 /run/greeters.py{greeters} & masters=$!"))
        .line("start; sleep 0.5")
        .step("changed", &format!("echo '# more' >> {config}; stamp; reload; api {public}"))
        .line("python3 /run/greeters.py in-the-way 127.0.0.9 & other=$!\nsleep 0.5")
        .step("refused", &format!("{more}; haproxy -c -q -f {config}; reload; api {public}; api 127.0.0.9"))
        .step("said", "cat /run/log")
        .line("kill $other; wait $other || true")
        .step("again", &format!("reload; api {public}; api 127.0.0.9"))
        .line("kill $main $masters; wait || true")
        .run();
    assert_eq!(done.outcome("changed").quiet("reload"), "an older one\nloaded\nthis one\nmaster\n");
    let refused = done.outcome("refused");
    let told = refused.quiet("reload");
    assert!(told.starts_with("refused\nocp2: after 10 s it does not listen anew on tcp/"), "{told}");
    let goes_on = "ocp2: HAProxy did not take the new configuration and goes on with the old one\n";
    assert!(told.ends_with(&format!("{goes_on}an older one\nmaster\nin-the-way\n")), "{told}");
    assert!(done.outcome("said").stdout.contains("cannot bind socket"), "{:#?}", done.outcome("said"));
    assert_eq!(done.outcome("again").quiet("reload"), "loaded\nthis one\nmaster\nmaster\n");
}
