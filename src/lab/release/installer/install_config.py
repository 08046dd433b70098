"""install-config.yaml: what the installer knows, requires and refuses."""
import base64
import ipaddress
import json
import re
import urllib.parse

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
CAPABILITIES = {
    "v4.11": ["MachineAPI", "baremetal", "marketplace", "openshift-samples"],
    "v4.12": ["CSISnapshot", "Console", "Insights", "Storage"], "v4.13": ["NodeTuning"],
    "v4.14": ["Build", "DeploymentConfig", "ImageRegistry"],
    "v4.15": ["CloudCredential", "OperatorLifecycleManager"], "v4.16": ["CloudControllerManager", "Ingress"],
    "v4.17": [], "v4.18": ["OperatorLifecycleManagerV1"],
}
SETS = ["None", *CAPABILITIES, "vCurrent"]
FIPS = "/proc/sys/crypto/fips_enabled"
# "yes" in the installer that can make a FIPS cluster, which is a program of its own.
CAPABLE = "@FIPS@"
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
    for check in (names, pools, networks, platform, pull_secret, ssh_key, fips, capabilities, trust_and_mirrors, proxy):
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
        control = (config.get("controlPlane") or {}).get("architecture", "amd64")
        if pool.get("architecture", "amd64") != control:
            problems.invalid(f"compute[{index}].architecture", pool.get("architecture", "amd64"), (
                "heteregeneous multi-arch is not supported; compute pool architecture must match control plane"))
        if pool.get("name") != "worker":
            problems.unsupported(f"compute[{index}].name", pool.get("name", ""), ["worker", "edge"])
        if not isinstance(pool.get("replicas", 3), int) or pool.get("replicas", 3) < 0:
            problems.invalid(f"compute[{index}].replicas", pool["replicas"], "number of replicas must not be negative")
    architecture = (config.get("controlPlane") or {}).get("architecture", "amd64")
    if architecture != "amd64":
        problems.invalid("controlPlane.architecture", architecture, (
            f"cannot create {architecture} controlPlane node from a single architecture amd64 release payload"))
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
    publish = config.get("publish", "External")
    if publish not in ("External", "Internal", "Mixed"):
        problems.unsupported("publish", publish, ["External", "Internal", "Mixed"])
    if "none" in given:
        if publish == "Internal":
            problems.invalid("publish", publish, 'Internal publish strategy is not supported on "none" platform')
        if publish == "Mixed":
            problems.invalid("publish", publish, 'mixed publish strategy is not supported on "none" platform')
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
        elif config.get("fips") and not re.match(r"ecdsa-sha2-nistp\d{3}$|ssh-rsa$", words[0]):
            problems.invalid("sshKey", line, (
                f"SSH key type {words[0]} unavailable when FIPS is enabled. Please use rsa or ecdsa."))


def fips(config, problems):
    if not config.get("fips"):
        return
    try:
        with open(FIPS, encoding="ascii") as file:
            enabled = file.read().strip() == "1"
    except OSError:
        enabled = False
    if enabled and CAPABLE == "yes":
        return
    where = "" if enabled else " on a host with FIPS enabled"
    problems.forbidden("fips", (
        f"use the FIPS-capable installer binary for RHEL 9{where}.\nTo obtain a suitable binary, download the "
        "openshift-install-rhel9 archive from the client mirror, or extract the openshift-install-fips command "
        "from the release payload."))


def capabilities(config, problems):
    given = config.get("capabilities")
    if given is None:
        return
    baseline, added = given.get("baselineCapabilitySet", "vCurrent"), given.get("additionalEnabledCapabilities") or []
    known = sorted(name for names in CAPABILITIES.values() for name in names)
    if baseline not in SETS:
        problems.unsupported("capabilities.baselineCapabilitySet", baseline, SETS)
    for index, name in enumerate(added):
        if name not in known:
            problems.unsupported(f"capabilities.additionalEnabledCapabilities[{index}]", name, known)
    upto = SETS.index(baseline) if baseline in SETS else 0
    enabled = {*added, *(name for names in list(CAPABILITIES.values())[:upto] for name in names)}
    if "marketplace" in enabled and "OperatorLifecycleManager" not in enabled:
        problems.found.append(f"additionalEnabledCapabilities: Invalid value: {json.dumps(added)}: "
                              "the marketplace capability requires the OperatorLifecycleManager capability")
    if "Ingress" not in enabled:
        problems.invalid("capabilities", given, "the Ingress capability is required")


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


def proxy(config, problems):
    given = config.get("proxy")
    if given is None:
        return
    if not given.get("httpProxy") and not given.get("httpsProxy"):
        problems.required("proxy", "must include httpProxy or httpsProxy")
    for key, schemes in (("httpProxy", ["http"]), ("httpsProxy", ["http", "https"])):
        if not (url := str(given.get(key) or "")):
            continue
        parsed = urllib.parse.urlsplit(url)
        if parsed.scheme not in schemes:
            problems.unsupported(f"proxy.{key}", parsed.scheme, schemes)
        taken_by(f"proxy.{key}", url, parsed.hostname, config.get("networking") or {}, problems)
    without = str(given.get("noProxy") or "")
    if without in ("", "*"):
        return
    if " " in without:
        problems.invalid("proxy.noProxy", without, "noProxy must not have spaces")
    for index, element in enumerate(map(str.strip, without.split(","))):
        if not destination(element):
            problems.invalid("proxy.noProxy", without, (
                "each element of noProxy must be a IP, CIDR or domain without wildcard characters, which is violated "
                f'by element {index} "{element}"'))


def taken_by(field, url, host, networking, problems):
    """Refuses a proxy with an address that is the cluster's own."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return
    pods = [entry.get("cidr") for entry in networking.get("clusterNetwork") or [{"cidr": "10.128.0.0/14"}]]
    for kind, nets in (("cluster", pods), ("service", networking.get("serviceNetwork") or ["172.30.0.0/16"])):
        if any(address in ipaddress.ip_network(net, strict=False) for net in nets):
            problems.invalid(field, url, f"proxy value is part of the {kind} networks")


def destination(element):
    try:
        ipaddress.ip_network(element, strict=False)
        return True
    except ValueError:
        return bool(SUBDOMAIN.match(element.removeprefix(".")))
