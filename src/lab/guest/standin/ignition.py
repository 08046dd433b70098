"""Ignition on the first boot of a disk image, as far as OpenShift's own configs go.

The config comes from the firmware (fw_cfg), what it merges comes over the network, which the
initramfs has by DHCP. What is not known here is refused: the real one would do something with it.
"""
import base64
import json

from . import network, run, say, web

FIRMWARE = "/sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config/raw"
VERSIONS = ("3.0.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.5.0")
RESOURCE = {"source": None, "verification": {}}
KNOWN = {
    "ignition": {"version": None, "config": {"merge": [RESOURCE]}, "timeouts": {},
                 "security": {"tls": {"certificateAuthorities": [RESOURCE]}}},
    "passwd": {"users": [{"name": None, "sshAuthorizedKeys": None}]},
    "storage": {"files": [{"path": None, "mode": None, "overwrite": None, "contents": RESOURCE}]},
    "systemd": {"units": [{"name": None, "enabled": None, "contents": None}]},
}


class Invalid(Exception):
    """Ignition stops the boot at such a config."""


def from_firmware():
    """Returns the config that the machine was given."""
    try:
        with open(FIRMWARE, "rb") as file:
            return json.loads(file.read())
    except FileNotFoundError:
        raise Invalid("no config at opt/com.coreos/config in fw_cfg: no domain gave one") from None
    except ValueError as error:
        raise Invalid(f"the config in fw_cfg is no JSON: {error}") from None


def files(config, card):
    """Returns all files a config asks for, {path: (mode, content)}, with those of what it merges."""
    check(config, KNOWN, "")
    version = config.get("ignition", {}).get("version")
    if version not in VERSIONS:
        raise Invalid(f"ignition.version {version!r} is not supported")
    found = {}
    tls = config["ignition"].get("security", {}).get("tls", {})
    authorities = [data(ca["source"]).decode() for ca in tls.get("certificateAuthorities", [])]
    for merged in config["ignition"].get("config", {}).get("merge", []):
        found.update(files(fetched(merged["source"], authorities, card), card))
    seen = set()
    for file in config.get("storage", {}).get("files", []):
        if file["path"] in seen:
            raise Invalid(f"storage.files: path {file['path']} is there twice")
        seen.add(file["path"])
        found[file["path"]] = (file.get("mode", 0o644), data(file["contents"]["source"]).decode())
    return found


def check(value, known, place):
    """Refuses what is not known."""
    if isinstance(known, list):
        for index, item in enumerate(value):
            check(item, known[0], f"{place}[{index}]")
    elif isinstance(known, dict):
        for key, inner in value.items():
            if key not in known:
                raise Invalid(f"{place}.{key}: the stand-in's Ignition does not know it")
            check(inner, known[key], f"{place}.{key}")


def data(source):
    """Returns what a data URL holds."""
    if not source.startswith("data:"):
        raise Invalid(f"a source that is no data URL: {source[:40]}")
    head, comma, body = source[5:].partition(",")
    if not comma:
        raise Invalid("a data URL without a comma")
    if head.endswith(";base64"):
        return base64.b64decode(body)
    first, *rest = body.split("%")
    return first.encode() + b"".join(bytes([int(part[:2], 16)]) + part[2:].encode() for part in rest)


def fetched(source, authorities, card):
    """Fetches a config, for as long as it takes."""
    scheme, _, rest = source.partition("://")
    place, slash, path = rest.partition("/")
    host, _, port = place.partition(":")
    if scheme != "https" or not slash:
        raise Invalid(f"ignition.config.merge: {source} is no HTTPS URL")
    tls = web.client_tls("".join(authorities))
    network.by_dhcp(card)
    headers, config = web.insist(f"GET {source}", say, (200,), host, int(port or 443), slash + path, tls=tls)
    say(f"GET {source}: from {headers.get('x-standin-node')}")
    return config


def write(wanted):
    """Writes the files to this system."""
    for path, (mode, content) in sorted(wanted.items()):
        run("mkdir", "-p", path.rpartition("/")[0])
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        run("chmod", f"{mode:o}", path)
