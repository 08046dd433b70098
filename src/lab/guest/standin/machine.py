"""The installed system: fetches its configuration once, joins, and serves."""
import threading
import time

from . import peers, ports, say, web

API, MACHINE_CONFIG = 6443, 22623


def work(node, state):
    """Runs until the machine goes down."""
    everyone = peers.Peers(node, state["peers"], live=False)
    everyone.bootstrapped = bool(state.get("bootstrapped"))
    everyone.available = bool(state.get("available"))
    everyone.start()
    if not state.get("configured") and not node.rendezvous:
        await_configuration(node)
    state["configured"] = True
    node.medium.store("state", state)
    if node.role == "master":
        ports.control_plane(node, everyone, state)
    if node.role == "worker" or not node.payload["workers"]:
        ports.ingress(node)
    threading.Thread(target=remember, args=(node, everyone, state), daemon=True).start()
    heed_the_api(node, everyone)


def await_configuration(node):
    """Fetches the role's configuration as Ignition does: on the first boot, through api-int."""
    name = f"api-int.{node.domain}"
    tls = web.client_tls(node.payload["pki"]["rootCA"])
    path = f"/config/{node.role}"
    what = f"GET https://{name}:{MACHINE_CONFIG}{path}"
    headers, _ = web.insist(what, say, (200,), name, MACHINE_CONFIG, path, tls=tls)
    say(f"configured as {node.role} by {headers.get('x-standin-node')}")


def heed_the_api(node, everyone):
    """Is Ready as long as the API answers through the node's own balancer."""
    name = f"api-int.{node.domain}"
    tls = web.client_tls(node.payload["pki"]["rootCA"])
    failures = 0
    while True:
        try:
            good = web.fetch(name, API, "/readyz", tls=tls)[0] == 200
            error = "not ready"
        except OSError as caught:
            good, error = False, caught
        failures = 0 if good else failures + 1
        if good != everyone.ready and (good or failures >= 3 or not everyone.ready):
            if good:
                say("node is Ready")
            everyone.ready = good
        if failures and failures % 10 == 1:
            say(f"https://{name}:{API}/readyz: {error}")
        time.sleep(8 if everyone.ready else 1)


def remember(node, everyone, state):
    """Writes down what a reboot of the whole cluster must not make undone."""
    while not (everyone.available and everyone.bootstrapped):
        time.sleep(1)
    state.update(available=True, bootstrapped=True)
    node.medium.store("state", state)
