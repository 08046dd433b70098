"""The node's own network settings, from agent-config or by DHCP."""
import glob
import os
import socket
import struct
import time

from . import read, resolver, run, say, write

# The name a VM's only NIC has on RHCOS (q35: first PCI Express root port).
USUAL_NAME = "enp1s0"


def cards():
    """Waits for the network cards; returns {MAC: name}."""
    while True:
        found = {}
        for path in sorted(glob.glob("/sys/class/net/*/device")):
            name = path.split("/")[4]
            found[read(f"/sys/class/net/{name}/address").lower()] = name
        if found:
            return found
        time.sleep(0.2)


def myself(hosts):
    """Returns this machine's entry in agent-config and its card: (host, MAC, name)."""
    found = cards()
    for host in hosts:
        for interface in host.get("interfaces") or []:
            mac = interface["macAddress"].lower()
            if mac in found:
                return host, mac, found[mac]
    mac, name = next(iter(found.items()))
    return None, mac, name


def configure(host, mac, card):
    """Brings the network up and returns the card's name."""
    settings = (host or {}).get("networkConfig")
    if not settings:
        return by_dhcp(rename(card, USUAL_NAME))
    # nmstate knows interfaces by name, agent-config maps names to MACs: both must agree.
    names = [i["name"] for i in host["interfaces"] if i["macAddress"].lower() == mac]
    wanted = [i for i in settings.get("interfaces") or []
              if i.get("name") in names and i.get("type") == "ethernet" and i.get("state") == "up"]
    if not wanted:
        say(f"networkConfig has no ethernet interface named {names}: no network")
        return card
    nic = rename(card, wanted[0]["name"])
    return static(nic, wanted[0], settings)


def rename(card, name):
    run("ip", "link", "set", card, "name", name)
    run("ip", "link", "set", name, "up")
    return name


def static(nic, interface, settings):
    if interface.get("mtu"):
        if run("ip", "link", "set", nic, "mtu", interface["mtu"]):
            say(f"{nic} refuses MTU {interface['mtu']}")
    ipv4 = interface.get("ipv4") or {}
    resolvers = ((settings.get("dns-resolver") or {}).get("config") or {}).get("server") or []
    write("/etc/resolv.conf", "".join(f"nameserver {server}\n" for server in resolvers))
    if ipv4.get("enabled") and ipv4.get("dhcp"):
        return by_dhcp(nic)
    for address in ipv4.get("address") or []:
        run("ip", "address", "add", f"{address['ip']}/{address['prefix-length']}", "broadcast", "+", "dev", nic)
    for route in ((settings.get("routes") or {}).get("config")) or []:
        destination = route["destination"]
        destination = "default" if destination == "0.0.0.0/0" else destination
        run("ip", "route", "add", destination, "via", route["next-hop-address"],
            "dev", route["next-hop-interface"])
    return nic


def by_dhcp(nic):
    say(f"{nic} asks for an address")
    # In the foreground of a child of its own: it stays to renew the lease.
    os.spawnv(os.P_NOWAIT, "/bin/busybox", [
        "udhcpc", "-f", "-S", "-i", nic, "-t", "5", "-T", "2", "-A", "2",
        "-O", "12", "-O", "26", "-s", "/etc/udhcpc.sh"])
    while not os.path.exists("/run/lease"):
        time.sleep(0.2)
    say(f"{nic} has a lease: {read('/run/lease').split()}")
    return nic


def address(nic):
    """Returns a card's IPv4 address, empty if it has none."""
    import fcntl
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), 0x8915, struct.pack("256s", nic.encode()))
        except OSError:
            return ""
    return socket.inet_ntoa(answer[20:24])


def name_of(host, ip):
    """Returns the host name: agent-config's, else the lease's, else the PTR record's."""
    lease = dict(line.split("=", 1) for line in read("/run/lease").splitlines())
    if host and host.get("hostname"):
        return host["hostname"]
    if lease.get("hostname"):
        return lease["hostname"]
    answer = resolver.ask(resolver.reverse(ip), "PTR")
    return answer.values[0] if answer.values else "localhost"


def mtu(nic):
    """Returns a card's MTU."""
    return int(read(f"/sys/class/net/{nic}/mtu", "0") or 0)
