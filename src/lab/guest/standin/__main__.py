"""Starts a stand-in guest: find the medium, find itself, then live or installed life."""
import time

from . import agent, faults, hook, machine, medium, network, power, read, run, say


class Node:
    """This machine and the cluster it belongs to."""

    def __init__(self, found, payload, state, installed):
        self.medium, self.payload, self.installed = found, payload, installed
        self.domain = f"{payload['name']}.{payload['baseDomain']}"
        self.id = read("/sys/class/dmi/id/product_uuid").lower()
        self.host, self.mac, card = network.myself(payload["hosts"])
        if payload["hosts"] and self.host is None:
            forever(f"no host of agent-config has the MAC {self.mac}: waiting to be configured")
        self.nic = network.configure(self.host, self.mac, card)
        self.ip = network.address(self.nic)
        if not self.ip:
            forever(f"{self.nic} has no address")
        mine = next((p for p in state.get("peers", []) if p["id"] == self.id), {})
        self.name = mine.get("name") or network.name_of(self.host, self.ip)
        self.role = mine.get("role") or (self.host or {}).get("role")
        self.rendezvous = self.ip == payload["rendezvousIP"]
        run("hostname", self.name)


def forever(text):
    say(text)
    while True:
        time.sleep(3600)


def main():
    if "standin.boot=qemu" in read("/proc/cmdline"):
        # Only these machines take the time to load it.
        from . import upi
        return upi.main(medium.find(True))
    installed = "standin.boot=disk" in read("/proc/cmdline")
    power.watch()
    found = medium.find(installed)
    payload, state = found.load("payload"), found.load("state") or {}
    if payload is None:
        forever("this image carries no cluster: openshift-install has not been at it")
    node = Node(found, payload, state, installed)
    say(f"ocp2 stand-in, not OpenShift: {node.name} {node.ip} {node.nic} mtu {network.mtu(node.nic)}, "
        f"booted from {'disk' if installed else 'the ISO'}")
    faults.play(node)
    hook.serve(node)
    if installed:
        machine.work(node, state)
    else:
        agent.Agent(node).work()


main()
