"""The power button: an ACPI shutdown request powers the machine off."""
import glob
import os
import struct
import threading

from . import run, say

EVENT = struct.Struct("llHHi")
KEY, POWER = 1, 116


def watch():
    """Listens on every input device in the background."""
    for path in glob.glob("/dev/input/event*"):
        threading.Thread(target=listen, args=(path,), daemon=True).start()


def listen(path):
    with open(path, "rb", buffering=0) as device:
        while event := device.read(EVENT.size):
            _, _, kind, code, value = EVENT.unpack(event)
            if (kind, code, value) == (KEY, POWER, 1):
                say("power button: shutting down")
                run("sync")
                os.spawnv(os.P_WAIT, "/bin/busybox", ["poweroff", "-f"])
