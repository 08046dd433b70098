"""Reserves regions on the ISO and writes down where they are: regions.py reserve DIR | index ISO | disk IMAGE."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from standin.medium import INDEX_AT, INDEX_SIZE, LIVE, MAGIC, QEMU, Medium  # noqa: E402

SIZES = {"payload": 512 * 1024, "state": 64 * 1024}
MARK = b"\0\0\0\0ocp2 stand-in region: "


def reserve(folder):
    for name, size in SIZES.items():
        with open(f"{folder}/{name}.img", "wb") as file:
            file.write((MARK + name.encode() + b"\n").ljust(size, b"\0"))


def index(path):
    with open(path, "r+b") as iso:
        image = iso.read()
        found = {"size": len(image), "mode": [once(image, LIVE), len(LIVE)]}
        for name, size in SIZES.items():
            found[name] = [once(image, MARK + name.encode() + b"\n"), size]
        assert not image[INDEX_AT:INDEX_AT + INDEX_SIZE].strip(b"\0"), "the system area is in use"
        iso.seek(INDEX_AT)
        iso.write((MAGIC + json.dumps(found).encode()).ljust(INDEX_SIZE, b"\0"))


def disk(path):
    """Makes a copy of the ISO boot as the disk image does: without a cluster, which its ignition brings."""
    offset, _ = Medium(path).index["mode"]
    with open(path, "r+b") as image:
        image.seek(offset)
        image.write(QEMU)


def once(image, mark):
    at = image.find(mark)
    assert at >= 0 and image.find(mark, at + 1) < 0, mark
    return at


{"reserve": reserve, "index": index, "disk": disk}[sys.argv[1]](sys.argv[2])
