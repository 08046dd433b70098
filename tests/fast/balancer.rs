//! The balancer's limits, and what a reload is worth, by a real HAProxy.

use crate::{inventories, wanted::Wanted};

/// Clients outside: more than all connections that HAProxy would hold of one service's.
const MANY: usize = 4500;

/// Lets clients that say nothing come from the public side as many as they are, then asks from the VMs' side.
///
/// Every master has a server that greets; what greets went through.
const CLIENTS: &str = r#"
import resource, selectors, socket, sys, threading, time
public, bridge, many, *masters = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
def greet(listener):
    held = []
    while True:
        held.append(listener.accept()[0])
        held[-1].sendall(b"hello")
for master in masters:
    listener = socket.create_server((master, 6443), backlog=4096)
    threading.Thread(target=greet, args=(listener,), daemon=True).start()
clients = []
def greeted(address, number):
    """Connects so often at once; returns how many are greeted, when 1.5 s bring no more."""
    waiting = selectors.DefaultSelector()
    for _ in range(number):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex((address, 6443))
        clients.append(client)
        waiting.register(client, selectors.EVENT_READ)
    count = 0
    while count < number and (ready := waiting.select(1.5)):
        for key, _ in ready:
            waiting.unregister(key.fileobj)
            count += key.fileobj.recv(5) == b"hello"
    return count
for _ in range(100):
    try:
        socket.create_connection((bridge, 6443), 1).close()
        break
    except OSError:
        time.sleep(0.1)
print(greeted(public, int(many)), greeted(bridge, 20))
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
    // As rendered, but for who runs it; the servers are not asked for their health.
    let adapt =
        format!("sed '/^    server /s/ check.*//; /^    \\(user\\|group\\) /d' {config} > /etc/adapted");
    let sums = format!(
        "awk '/^frontend/ {{ at = 1 }} $1 == \"maxconn\" {{ if (at) sum += $2; else all = $2 }} END {{ print all, sum }}' {config}"
    );
    let done = wanted
        .machine_with_files()
        .step("addresses", &format!("ip link set lo up\n{}", addresses.join("\n")))
        .step("sums", &sums)
        .step("adapt", &adapt)
        .step("haproxy", "mkdir -p /run/ocp2-ocp; haproxy -D -q -f /etc/adapted -p /run/haproxy.pid")
        .step(
            "clients",
            &format!("cat > /etc/clients.py <<'END'{CLIENTS}END\npython3 /etc/clients.py {public} {bridge} {MANY} {}", masters.join(" ")),
        )
        .step("end", "kill \"$(cat /run/haproxy.pid)\"")
        .run();
    assert_eq!(done.outcome("haproxy").quiet("haproxy"), "");
    let counts = done.outcome("clients").quiet("the clients").trim().to_owned();
    let (outside, inside) = counts.split_once(' ').unwrap();
    assert_eq!(inside, "20", "of 20 from the bridge, while {outside} of {MANY} from outside are held");
    // Or it would say nothing: not all of them fit.
    assert!((1..MANY).contains(&outside.parse().unwrap()), "{outside}");
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
start() { >/run/log; haproxy -Ws -f "$config" >/run/log 2>&1 & main=$!; until grep -q success /run/log; do sleep 0.1; done; run ExecStartPost; }
stamp() { if sha256sum --status -c /run/ocp2-ocp/balancer.loaded; then echo this one; else echo an older one; fi; }
reload() { if run ExecReload 2>/run/said; then echo loaded; else echo refused; fi; cat /run/said; stamp; }
api() { python3 -c 'import socket, sys; print(socket.create_connection((sys.argv[1], 6443), 2).recv(20).decode())' "$1"; }
answers() { for address in "$@"; do until api "$address" >/dev/null 2>&1; do sleep 0.1; done; done; }
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
        .line(&format!("python3 /run/greeters.py{greeters} & masters=$!\nanswers {}", masters.join(" ")))
        .line(&format!("start; answers {public}"))
        .step("changed", &format!("echo '# more' >> {config}; stamp; reload; api {public}"))
        .line("python3 /run/greeters.py in-the-way 127.0.0.9 & other=$!\nanswers 127.0.0.9")
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
