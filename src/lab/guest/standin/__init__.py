"""A stand-in for an OpenShift node under the agent installer.

It behaves like RHCOS as far as ocp2 can see: it configures its own network,
registers with the rendezvous node, installs itself to disk, reboots, and
answers on a node's ports. It runs no container and no Kubernetes.
"""
import os
import sys
import time

BUSYBOX = "/bin/busybox"


def say(text):
    """Writes a line to the serial console."""
    name = os.uname().nodename
    sys.stdout.write(f"[{time.strftime('%H:%M:%S', time.gmtime())} {name}] {text}\r\n")
    sys.stdout.flush()


def run(*words):
    """Runs a busybox applet and returns its exit status."""
    return os.spawnv(os.P_WAIT, BUSYBOX, [str(word) for word in words])


def read(path, otherwise=""):
    """Reads a small text file, stripped."""
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return otherwise


def write(path, text):
    """Writes a small text file."""
    with open(path, "w") as file:
        file.write(text)
