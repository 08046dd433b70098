"""Failures that this stand-in plays when the lab asks for them; no product has any of this.

The stand-in installer puts what is asked for into the boot image, for nodes by their short name:
`{"nodes": {"worker1": ["silent"]}}`. What a node plays lies in files below FOLDER, so that a test
can begin or end a failure later, through the hook on port 9999.
"""
import json
import os
import time

from . import read, run, say, write

FOLDER = "/run/standin-faults"
# TEST-NET-2: nothing of the lab answers DNS there.
NOBODY = "198.51.100.53"


def play(node):
    """Begins what is asked of this node."""
    os.makedirs(FOLDER, exist_ok=True)
    asked = node.payload.get("faults") or {}
    if asked.get("operators"):
        write(f"{FOLDER}/operators", json.dumps(asked["operators"]))
    if node.installed and not node.payload.get("bootstrapToken"):
        # What keeps a node from being installed is over by then; one of a disk image is never live.
        return
    for name in (asked.get("nodes") or {}).get(node.name.partition(".")[0], []):
        say(f"plays a failure it was asked for: {name}")
        BEGIN[name]()


def silent():
    """The node boots, and never registers."""
    write(f"{FOLDER}/silent", "")


def resolver():
    """The node asks a DNS server that is not there."""
    write("/etc/resolv.conf", f"nameserver {NOBODY}\n")


def clock():
    """The node's clock is an hour ahead."""
    run("date", "-s", f"@{int(time.time()) + 3600}")


def stranger():
    """A kubelet that is none of the cluster's asks for a certificate with this node's token."""
    write(f"{FOLDER}/stranger", "")


BEGIN = {"silent": silent, "dns": resolver, "clock": clock, "stranger": stranger}


def has_stranger():
    return os.path.exists(f"{FOLDER}/stranger")


def is_silent():
    return os.path.exists(f"{FOLDER}/silent")


def operators():
    """Returns the operators that are degraded, and what they say."""
    return json.loads(read(f"{FOLDER}/operators") or "{}")
