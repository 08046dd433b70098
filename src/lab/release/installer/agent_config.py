"""agent-config.yaml: the hosts, as the installer reads them."""
import ipaddress
import re
import shutil
import subprocess
import tempfile

import yaml

from problems import Problems, Refused, unknown_field

SCHEMA = {
    "apiVersion": None, "kind": None, "metadata": None, "rendezvousIP": None, "additionalNTPSources": None,
    "bootArtifactsBaseURL": None, "minimalISO": None,
    "hosts": [{"hostname": None, "role": None, "networkConfig": None, "fencing": None, "bmc": None,
               "interfaces": [{"name": None, "macAddress": None}],
               "rootDeviceHints": {key: None for key in (
                   "deviceName", "hctl", "model", "vendor", "serialNumber", "minSizeGigabytes", "wwn",
                   "wwnWithExtension", "wwnVendorExtension", "rotational")}}],
}
PREFIX = 'failed to fetch Agent Installer ISO: failed to load asset "Agent Config": '


def load(path, masters, workers):
    """Reads and checks the file; returns (config, warnings)."""
    try:
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file)
    except FileNotFoundError:
        raise Refused(PREFIX + f"open {path}: no such file or directory") from None
    except yaml.YAMLError as error:
        raise Refused(PREFIX + f"failed to unmarshal agent-config.yaml: yaml: {error}") from None
    if not isinstance(config, dict):
        raise Refused(PREFIX + "failed to unmarshal agent-config.yaml: it is no mapping")
    if (key := unknown_field(config, SCHEMA)) is not None:
        raise Refused(PREFIX + "failed to unmarshal agent-config.yaml: error unmarshaling JSON: while decoding "
                      f'JSON: json: unknown field "{key}"')
    hosts = config["hosts"] = config.get("hosts") or []
    problems = Problems()
    general(config, problems)
    seen = set()
    for index, host in enumerate(hosts):
        interfaces(f"hosts[{index}]", host, seen, problems)
        hints(f"hosts[{index}]", host.get("rootDeviceHints") or {}, problems)
        if host.get("role") not in (None, "", "master", "worker", "arbiter"):
            problems.forbidden(f"hosts[{index}].role", 'host role has incorrect value. Role must either be "master" or "worker"')
    rendezvous(config, problems)
    problems.refuse(PREFIX + "invalid Agent Config configuration: ")
    counts(hosts, masters, workers)
    networks(hosts)
    config["rendezvousIP"] = config.get("rendezvousIP") or first_address(hosts)
    return config, warnings(hosts, masters, workers)


def general(config, problems):
    if config.get("apiVersion") not in ("v1alpha1", "v1beta1"):
        problems.invalid("apiVersion", config.get("apiVersion", ""), 'agent-config version must be "v1beta1"')
    url = config.get("bootArtifactsBaseURL")
    if url and not re.match(r"[a-z]+://[^/]+", str(url)):
        problems.invalid("bootArtifactsBaseURL", url, f"invalid URI \"{url}\" (no scheme)")
    for index, source in enumerate(config.get("additionalNTPSources") or []):
        if not re.match(r"[A-Za-z0-9.:-]+$", str(source)):
            problems.invalid(f"AdditionalNTPSources[{index}]", source, "NTP source is not a valid domain name nor a valid IP")


def interfaces(field, host, seen, problems):
    listed = host.get("interfaces") or []
    if not listed:
        problems.required(f"{field}.interfaces", "at least one interface must be defined for each node")
    for index, interface in enumerate(listed):
        name = f"{field}.interfaces[{index}].macAddress"
        mac = str(interface.get("macAddress") or "")
        if not mac:
            problems.required(name, "each interface must have a MAC address defined")
        elif not re.match(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", mac):
            problems.invalid(name, mac, f"address {mac}: invalid MAC address")
        elif mac in seen:
            # Letter by letter, as the real one: another case is another MAC to it.
            problems.invalid(name, mac, "duplicate MAC address found")
        elif int(mac[:2], 16) & 1:
            problems.invalid(name, mac, "expected unicast mac address, found multicast")
        seen.add(mac)


def hints(field, given, problems):
    for name in ("wwnWithExtension", "wwnVendorExtension"):
        if given.get(name):
            problems.forbidden(f"{field}.rootDeviceHints.{name}", "WWN extensions are not supported in root device hints")
    device = given.get("deviceName")
    if device and not re.match(r"/dev/(disk/by-path/)?[^/]+$", device):
        problems.invalid(f"{field}.rootDeviceHints.deviceName", device,
                         'Device Name of root device hint must be path in "/dev/" or "/dev/disk/by-path/"')


def rendezvous(config, problems):
    ip = config.get("rendezvousIP")
    if not ip:
        return
    try:
        ipaddress.ip_address(str(ip))
    except ValueError:
        problems.invalid("rendezvousIP", ip, f'"{ip}" is not a valid IP')
        return
    for index, host in enumerate(config["hosts"]):
        if host.get("role") == "worker" and ip in addresses(host):
            problems.forbidden(f"hosts[{index}].role",
                               f"The host with rendezvousIP {ip} must be assigned to a control plane host")


def addresses(host):
    """Returns the static addresses of a host."""
    network = host.get("networkConfig") or {}
    return [address.get("ip") for interface in network.get("interfaces") or []
            for family in ("ipv4", "ipv6") for address in (interface.get(family) or {}).get("address") or []]


def first_address(hosts):
    for host in hosts:
        if host.get("role") != "worker" and (found := addresses(host)):
            return found[0]
    raise Refused("failed to fetch Agent Installer ISO: missing rendezvousIP in agent-config or at least one host "
                  "networkConfig manifest")


def counts(hosts, masters, workers):
    for role, kind, wanted in (("master", "master", masters), ("worker", "worker", workers)):
        pool = "ControlPlane" if role == "master" else "Compute"
        defined = sum(host.get("role") == role for host in hosts)
        if defined > wanted:
            raise Refused(PREFIX + f"invalid Agent Config configuration: the number of {kind} hosts defined "
                          f"({defined}) exceeds the configured {pool} replicas ({wanted})")


def warnings(hosts, masters, workers):
    if hosts and len(hosts) < masters + workers:
        return [f"The number of hosts defined ({len(hosts)}) is less than the configured replicas "
                f"({masters + workers}): the installation waits until the others are there"]
    return []


def networks(hosts):
    """Lets nmstatectl judge every networkConfig, as the real one does."""
    for index, host in enumerate(hosts):
        if not host.get("networkConfig"):
            continue
        if not shutil.which("nmstatectl"):
            raise Refused(f"failed to fetch Agent Installer ISO: failed to validate network yaml for host {index}, "
                          'install nmstate package, exec: "nmstatectl": executable file not found in $PATH')
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(host["networkConfig"], file)
            file.flush()
            done = subprocess.run(["nmstatectl", "gc", file.name], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused("failed to fetch Agent Installer ISO: staticNetwork configuration is not valid: failed to "
                          f"execute 'nmstatectl gc', error: {done.stderr.strip()}")
