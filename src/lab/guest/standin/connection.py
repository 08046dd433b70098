"""NetworkManager's connections of an installed system: its keyfiles, as far as a static address goes."""
import glob
import os

from . import network, run, say, write

FOLDER = "/etc/NetworkManager/system-connections"
KNOWN = {
    "connection": {"id", "type", "autoconnect-priority"},
    "ethernet": {"mac-address", "mtu"},
    "ipv4": {"method", "address1", "dns", "dns-search"},
    "ipv6": {"method"},
}


def configure(card, mac):
    """Brings a card up as its connection says, by DHCP where it has none."""
    for path in sorted(glob.glob(f"{FOLDER}/*.nmconnection")):
        if os.stat(path).st_mode & 0o077:
            say(f"{path} is left out, for others than root can read it")
            continue
        settings = keyfile(path)
        if settings["ethernet"].get("mac-address", mac).lower() == mac:
            return static(card, settings)
    return network.by_dhcp(card)


def keyfile(path):
    """Reads a keyfile: {section: {key: value}}."""
    sections, section = {name: {} for name in KNOWN}, None
    with open(path, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    for line in lines:
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            if section not in KNOWN:
                raise ValueError(f"{path}: the stand-in does not know the section {section}")
            continue
        key, equals, value = line.partition("=")
        if not equals or section is None or key not in KNOWN[section]:
            raise ValueError(f"{path}: the stand-in does not know {key} in {section}")
        sections[section][key] = value
    if sections["connection"].get("type") != "ethernet" or sections["ipv4"].get("method") != "manual":
        raise ValueError(f"{path}: the stand-in knows only ethernet with a static address")
    return sections


def static(card, settings):
    ipv4 = settings["ipv4"]
    address, _, gateway = ipv4["address1"].partition(",")
    if settings["ethernet"].get("mtu"):
        run("ip", "link", "set", card, "mtu", settings["ethernet"]["mtu"])
    run("ip", "address", "add", address, "broadcast", "+", "dev", card)
    if gateway:
        run("ip", "route", "add", "default", "via", gateway, "dev", card)
    servers = [server for server in ipv4.get("dns", "").split(";") if server]
    write("/etc/resolv.conf", "".join(f"nameserver {server}\n" for server in servers))
    return card
