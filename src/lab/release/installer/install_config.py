"""install-config.yaml: what the installer knows, requires and refuses."""
import base64
import ipaddress
import json
import re

import yaml

from problems import Problems, Refused, unknown_field

POOL = {"name": None, "replicas": None, "architecture": None, "hyperthreading": None, "platform": None,
        "fencing": None, "diskSetup": None}
SCHEMA = {
    "apiVersion": None, "kind": None, "baseDomain": None, "fips": None, "publish": None, "pullSecret": None,
    "sshKey": None, "featureSet": None, "featureGates": None, "credentialsMode": None, "capabilities": None,
    "additionalTrustBundle": None, "additionalTrustBundlePolicy": None, "bootstrapInPlace": None,
    "cpuPartitioningMode": None, "operatorPublishingStrategy": None,
    "metadata": {"name": None, "namespace": None, "labels": None, "annotations": None, "creationTimestamp": None},
    "controlPlane": POOL, "compute": [POOL], "arbiter": POOL,
    "networking": {"networkType": None, "machineNetwork": [{"cidr": None}], "serviceNetwork": None,
                   "clusterNetwork": [{"cidr": None, "hostPrefix": None}], "clusterNetworkMTU": None,
                   "ovnKubernetesConfig": None},
    "platform": {"none": {}, "baremetal": None, "external": None, "vsphere": None, "nutanix": None},
    "proxy": {"httpProxy": None, "httpsProxy": None, "noProxy": None},
    "imageContentSources": [{"source": None, "mirrors": None}],
    "imageDigestSources": [{"source": None, "mirrors": None, "sourcePolicy": None}],
}
OVN = ("100.64.0.0/16", "100.88.0.0/16", "169.254.0.0/17")
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = re.compile(rf"{LABEL}(\.{LABEL})*$")
RFC1123 = ("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
           "must start and end with an alphanumeric character")


def load(path, target="Agent Installer ISO"):
    """Reads and checks the file; returns it as it is. `target` is what the installer was asked to make."""
    prefix = f'failed to fetch {target}: failed to load asset "Install Config": '
    try:
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file)
    except FileNotFoundError:
        raise Refused(prefix + f"open {path}: no such file or directory") from None
    except yaml.YAMLError as error:
        raise Refused(prefix + "failed to unmarshal install-config.yaml: error converting YAML to JSON: "
                      f"yaml: {error}") from None
    if not isinstance(config, dict):
        raise Refused(prefix + "failed to unmarshal install-config.yaml: it is no mapping")
    if (key := unknown_field(config, SCHEMA)) is not None:
        raise Refused(prefix + "failed to create install config: failed to unmarshal install-config.yaml: error "
                      f'unmarshaling JSON: while decoding JSON: json: unknown field "{key}"')
    problems = Problems()
    for check in (names, pools, networks, platform, pull_secret, ssh_key, trust_and_mirrors):
        check(config, problems)
    problems.refuse(prefix + 'failed to create install config: invalid "install-config.yaml" file: ')
    return config


def replicas(config):
    """Returns the numbers of masters and workers."""
    masters = (config.get("controlPlane") or {}).get("replicas", 3)
    workers = sum(pool.get("replicas", 3) for pool in config.get("compute") or [{}])
    return masters, workers


def names(config, problems):
    if config.get("apiVersion") != "v1":
        problems.invalid("apiVersion", config.get("apiVersion", ""), 'install-config version must be "v1"')
    name, domain = (config.get("metadata") or {}).get("name"), config.get("baseDomain")
    if not name:
        problems.required("metadata.name", "cluster name required")
    elif not SUBDOMAIN.match(str(name)):
        problems.invalid("metadata.name", name, RFC1123)
    elif len(name) > 54:
        problems.invalid("metadata.name", name, "must be no more than 54 characters")
    if not domain:
        problems.required("baseDomain")
    elif not SUBDOMAIN.match(str(domain).rstrip(".")):
        problems.invalid("baseDomain", domain, RFC1123)


def pools(config, problems):
    masters, workers = replicas(config)
    if masters == 2:
        problems.forbidden("controlPlane.fencing.credentials", (
            "there should be exactly two fencing credentials to support the two node cluster, instead 0 "
            "credentials were found"))
    elif masters not in (1, 3, 4, 5):
        problems.unsupported("controlPlane.replicas", masters,
                             ["3", "1", "4", "5", "2 (with arbiter)", "2 (with fencing)"])
    if (config.get("controlPlane") or {}).get("name", "master") != "master":
        problems.unsupported("controlPlane.name", config["controlPlane"]["name"], ["master"])
    for index, pool in enumerate(config.get("compute") or []):
        if pool.get("name") != "worker":
            problems.unsupported(f"compute[{index}].name", pool.get("name", ""), ["worker", "edge"])
        if not isinstance(pool.get("replicas", 3), int) or pool.get("replicas", 3) < 0:
            problems.invalid(f"compute[{index}].replicas", pool["replicas"], "number of replicas must not be negative")
    if masters == 1 and workers:
        problems.invalid("compute.replicas", workers, (
            "Total number of Compute.Replicas must be 0 when ControlPlane.Replicas is 1 for platform none or "
            f"external. Found {workers}"))


def cidr(field, text, problems):
    try:
        interface = ipaddress.ip_interface(str(text))
    except ValueError:
        problems.invalid(field, text, f"invalid CIDR address: {text}")
        return None
    if "/" not in str(text):
        problems.invalid(field, text, f"invalid CIDR address: {text}")
        return None
    if interface.ip != interface.network.network_address:
        problems.invalid(field, text, f"invalid network address. got {text}, expecting {interface.network}")
        return None
    return interface.network


def networks(config, problems):
    networking = config.get("networking") or {}
    kind = networking.get("networkType", "OVNKubernetes")
    masters, workers = replicas(config)
    if masters == 1 and kind != "OVNKubernetes":
        problems.invalid("networking.networkType", kind,
                         "Only OVNKubernetes network type is allowed for Single Node OpenShift (SNO) cluster")
    machine = [cidr(f"networking.machineNetwork[{i}]", item.get("cidr"), problems)
               for i, item in enumerate(networking.get("machineNetwork") or [])]
    service = [cidr(f"networking.serviceNetwork[{i}]", item, problems)
               for i, item in enumerate(networking.get("serviceNetwork") or ["172.30.0.0/16"])]
    entries = networking.get("clusterNetwork") or [{"cidr": "10.128.0.0/14", "hostPrefix": 23}]
    cluster = [cidr(f"networking.clusterNetwork[{i}].cidr", item.get("cidr"), problems)
               for i, item in enumerate(entries)]
    if len([net for net in service if net and net.version == 4]) > 1:
        problems.invalid("networking.serviceNetwork", ", ".join(map(str, service)),
                         "only one service network can be specified")
    for index, net in enumerate(service):
        if net and net.version == 4 and net.prefixlen < 12:
            problems.invalid(f"networking.serviceNetwork[{index}]", net, "subnet size for IPv4 must be /12 or smaller")
    for i, net in enumerate(service):
        for j, other in enumerate(machine):
            if net and other and net.version == other.version and net.overlaps(other):
                problems.invalid(f"networking.serviceNetwork[{i}]", net,
                                 f"service network must not overlap with any of the machine networks: {other}")
    for i, (net, entry) in enumerate(zip(cluster, entries)):
        field = f"networking.clusterNetwork[{i}]"
        if not net:
            continue
        for j, other in enumerate(machine):
            if other and net.version == other.version and net.overlaps(other):
                problems.invalid(f"{field}.cidr", net,
                                 f"cluster network must not overlap with any of the machine networks: {other}")
        for j, other in enumerate(service):
            if other and net.version == other.version and net.overlaps(other):
                problems.invalid(f"{field}.cidr", net, f"cluster network must not overlap with service network {j}")
        prefix = entry.get("hostPrefix", 23)
        if prefix < net.prefixlen:
            problems.invalid(f"{field}.hostPrefix", prefix,
                             "cluster network host subnetwork prefix must not be larger size than CIDR " + str(net))
        elif prefix > 25:
            problems.invalid(f"{field}.hostPrefix", prefix, "cluster network host subnetwork prefix must be at most 25")
        elif 1 << (prefix - net.prefixlen) < masters + workers:
            problems.invalid(f"{field}.cidr", net, f"cluster network CIDR has no room for {masters + workers} hosts")
    for field, nets in (("machineNetwork", machine), ("serviceNetwork", service), ("clusterNetwork", cluster)):
        for i, net in enumerate(nets):
            for reserved in map(ipaddress.ip_network, OVN):
                if net and net.version == 4 and net.overlaps(reserved) and kind == "OVNKubernetes":
                    problems.invalid(f"networking.{field}[{i}]", net, f"must not overlap with OVN-Kubernetes' {reserved}")


def platform(config, problems):
    given = config.get("platform")
    if not isinstance(given, dict) or not given:
        problems.invalid("platform", "", "must specify one of the platforms (baremetal, external, none, nutanix, vsphere)")
        return
    if "none" in given:
        if config.get("publish") in ("Internal", "Mixed"):
            problems.invalid("publish", config["publish"], f'{config["publish"]} publish strategy is not supported on "none" platform')
        if config.get("credentialsMode"):
            problems.invalid("credentialsMode", config["credentialsMode"], "cannot be set when using the \"none\" platform")


def pull_secret(config, problems):
    text = config.get("pullSecret")
    if not text:
        problems.required("pullSecret")
        return
    try:
        secret = json.loads(text)
    except ValueError:
        problems.invalid("pullSecret", text, go_json_error(str(text)))
        return
    auths = secret.get("auths") if isinstance(secret, dict) else None
    if not auths:
        problems.invalid("pullSecret", text, "auths required")
        return
    for registry, entry in auths.items():
        if not isinstance(entry, dict) or not (entry.get("auth") or entry.get("credsStore")):
            problems.invalid("pullSecret", text, f'"{registry}" requires either auth or credsStore')


def go_json_error(text):
    """Says what encoding/json says of the first wrong character."""
    stripped = text.lstrip()
    for literal in ("null", "true", "false"):
        if stripped[:1] == literal[0]:
            for index, (have, want) in enumerate(zip(stripped, literal)):
                if have != want:
                    return f"invalid character '{have}' in literal {literal} (expecting '{literal[index]}')"
    if stripped[:1] in "{[\"":
        return "unexpected end of JSON input"
    return f"invalid character '{stripped[:1]}' looking for beginning of value"


def ssh_key(config, problems):
    for line in (config.get("sshKey") or "").splitlines():
        if not line.strip():
            continue
        words = line.split()
        try:
            blob = base64.b64decode(words[1], validate=True)
            good = blob[4:4 + int.from_bytes(blob[:4], "big")].decode() == words[0]
        except (IndexError, ValueError):
            good = False
        if not good:
            problems.invalid("sshKey", line, "ssh: no key found")
        elif config.get("fips") and words[0] == "ssh-ed25519":
            problems.invalid("sshKey", line, "SSH key type ssh-ed25519 unavailable when FIPS is enabled")


def trust_and_mirrors(config, problems):
    bundle = config.get("additionalTrustBundle")
    if bundle and "-----BEGIN CERTIFICATE-----" not in bundle:
        problems.invalid("additionalTrustBundle", bundle, "invalid block")
    policy = config.get("additionalTrustBundlePolicy")
    if policy not in (None, "", "Proxyonly", "Always"):
        problems.invalid("additionalTrustBundlePolicy", policy, 'supported values "Proxyonly", "Always"')
    if config.get("imageContentSources") and config.get("imageDigestSources"):
        problems.invalid("imageContentSources", "", "cannot set imageContentSources and imageDigestSources at the same time")
    for index, entry in enumerate(config.get("imageDigestSources") or []):
        for name in [entry.get("source", ""), *(entry.get("mirrors") or [])]:
            if "://" in name or re.search(r":[^/]*$", name.partition("/")[2]):
                problems.invalid(f"imageDigestSources[{index}].source", name, "must be repository--not reference")
    proxy = config.get("proxy") or {}
    if proxy.get("httpProxy") and not str(proxy["httpProxy"]).startswith("http://"):
        problems.unsupported("proxy.httpProxy", str(proxy["httpProxy"]).partition("://")[0], ["http"])
    if " " in str(proxy.get("noProxy") or ""):
        problems.invalid("proxy.noProxy", proxy["noProxy"], "noProxy must not have spaces")
