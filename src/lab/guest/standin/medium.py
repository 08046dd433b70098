"""The boot medium: where the ISO keeps its payload, and how it becomes a disk.

The real base ISO has a reserved area that openshift-install fills without
rebuilding the image. So has this one: an index in the ISO's system area says
where the payload, the node's own state and the boot mode lie.
"""
import glob
import json
import os
import struct
import time
import zlib

INDEX_AT = 0x7000
INDEX_SIZE = 1024
MAGIC = b"OCP2-STANDIN\n"
LIVE, DISK, QEMU = b"standin.boot=live", b"standin.boot=disk", b"standin.boot=qemu"


class Medium:
    """An image of the stand-in, on a device or in a file."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as device:
            device.seek(INDEX_AT)
            head = device.read(INDEX_SIZE)
        if not head.startswith(MAGIC):
            raise ValueError(f"{path} is no stand-in image")
        self.index = json.loads(head[len(MAGIC):].rstrip(b"\0"))

    def load(self, region):
        """Returns what a region holds, None if nothing was stored yet."""
        offset, _ = self.index[region]
        with open(self.path, "rb") as device:
            device.seek(offset)
            (length,) = struct.unpack(">I", device.read(4))
            return json.loads(zlib.decompress(device.read(length))) if length else None

    def store(self, region, value):
        """Stores a value in a region."""
        offset, size = self.index[region]
        packed = zlib.compress(json.dumps(value).encode())
        if len(packed) + 4 > size:
            raise ValueError(f"{region} has no room for {len(packed)} bytes")
        with open(self.path, "r+b") as device:
            device.seek(offset)
            device.write(struct.pack(">I", len(packed)) + packed)
            device.flush()
            os.fsync(device.fileno())

    def install(self, target, state, progress):
        """Copies the image to a disk that boots by itself, with the node's state."""
        left = self.index["size"]
        with open(self.path, "rb") as source, open(target, "r+b") as disk:
            while left:
                chunk = source.read(min(left, 1 << 20))
                if not chunk:
                    raise OSError(f"{self.path} ends {left} bytes early")
                disk.write(chunk)
                left -= len(chunk)
                progress(100 - 100 * left // self.index["size"])
            offset, _ = self.index["mode"]
            disk.seek(offset)
            disk.write(DISK)
            disk.flush()
            os.fsync(disk.fileno())
        Medium(target).store("state", state)


def find(installed):
    """Waits for the medium this system was booted from."""
    names = "/dev/[vs]d?" if installed else "/dev/sr?"
    while True:
        for path in sorted(glob.glob(names)):
            try:
                return Medium(path)
            except (OSError, ValueError):
                pass
        time.sleep(0.2)


def installation_disk(hints):
    """Returns the disk to install to, None if the hints fit none."""
    wanted = (hints or {}).get("deviceName")
    disks = sorted(glob.glob("/dev/[vs]d[a-z]"))
    if wanted:
        real = os.path.realpath(wanted)
        return real if real in disks else None
    return disks[0] if disks else None


def size_of(disk):
    """Returns the size of a disk, bytes."""
    with open(f"/sys/block/{os.path.basename(disk)}/size") as file:
        return int(file.read()) * 512
