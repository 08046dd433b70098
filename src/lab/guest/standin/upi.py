"""A machine made from the disk image: ignited on its first boot, then bootstrap, master or worker."""
import json
import threading
import time

from . import connection, faults, hook, ignition, join, machine, network, peers, ports, power, read, run, say, web

# What bootstrap.ign carries beside its own files.
BOOTSTRAP = "/opt/openshift/standin.json"


class Node:
    """This machine and the cluster it belongs to."""

    def __init__(self, medium, payload, role):
        self.medium, self.payload, self.role = medium, payload, role
        self.installed, self.rendezvous, self.host = True, False, None
        self.domain = f"{payload['name']}.{payload['baseDomain']}"
        self.id = read("/sys/class/dmi/id/product_uuid").lower()

    def configure(self, card, mac):
        """Brings the network up as the installed system does."""
        self.mac, self.nic = mac, connection.configure(card, mac)
        self.ip = network.address(self.nic)
        self.name = read("/etc/hostname") or network.name_of(None, self.ip)
        run("hostname", self.name)


def main(medium):
    power.watch()
    (mac, card), = list(network.cards().items())[:1]
    card = network.rename(card, network.USUAL_NAME)
    state = medium.load("state")
    if not state:
        state = first_boot(medium, card)
    ignition.write(state["files"])
    node = Node(medium, medium.load("payload"), state["role"])
    node.configure(card, mac)
    say(f"ocp2 stand-in, not OpenShift: {node.name} {node.ip} {node.nic} mtu {network.mtu(node.nic)}, "
        f"{node.role} from a disk image")
    faults.play(node)
    hook.serve(node)
    if node.role == "bootstrap":
        return bootstrap(node, state)
    return work(node, state)


def first_boot(medium, card):
    """Ignites the machine; a node then boots once more, as RHCOS does into the release's own system."""
    try:
        wanted = ignition.files(ignition.from_firmware(), card)
        role, payload = what(wanted)
    except ignition.Invalid as error:
        say(f"Ignition failed: {error}")
        # The emergency shell: nothing happens any more.
        while True:
            time.sleep(3600)
    medium.store("payload", payload)
    state = {"role": role, "files": wanted, "installedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    medium.store("state", state)
    if role != "bootstrap":
        say(f"ignited as {role}: rebooting")
        run("sync")
        run("reboot", "-f")
        time.sleep(60)
    return state


def what(wanted):
    """Takes out of the files what this machine is, and returns it with the cluster it belongs to."""
    if BOOTSTRAP in wanted:
        return "bootstrap", json.loads(wanted.pop(BOOTSTRAP)[1])
    if ports.NODE not in wanted:
        raise ignition.Invalid(f"neither {BOOTSTRAP} nor {ports.NODE} is in the config")
    node = json.loads(wanted.pop(ports.NODE)[1])
    return node["role"], node["payload"]


def bootstrap(node, state):
    """Plays the control plane until there is one; it stays until somebody takes it away."""
    everyone = peers.Peers(node, [], live=True)
    everyone.start()
    ports.control_plane(node, everyone, state)
    say("waiting for the masters")
    while not everyone.control_plane_ready():
        time.sleep(0.5)
    everyone.bootstrapped = True
    say("bootstrap is complete")
    while True:
        time.sleep(3600)


def work(node, state):
    """Runs until the machine goes down."""
    everyone = peers.Peers(node, state.get("peers", []), live=False)
    everyone.bootstrapped, everyone.available = bool(state.get("bootstrapped")), bool(state.get("available"))
    if "peers" not in state:
        join.join(node, everyone, state)
        state["peers"] = everyone.listed()
        node.medium.store("state", state)
    everyone.start()
    if node.role == "master":
        ports.control_plane(node, everyone, state)
    if node.role == "worker" or node.payload["mastersSchedulable"]:
        ports.ingress(node)
    threading.Thread(target=machine.remember, args=(node, everyone, state), daemon=True).start()
    machine.heed_the_api(node, everyone)
