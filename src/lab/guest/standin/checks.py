"""What a host checks before the install may start, under the Assisted Service's own names."""
from . import medium, network, ping, resolver, web

# The real service's limit is twenty minutes.
MOST_SKEW = 1200


def validate(node, peers, skew):
    """Returns the host's validations, each {id, status, message}; `skew` is None or seconds ahead of the service."""
    return [
        has_disk(node),
        has_hostname(node),
        has_time(skew),
        resolves(node, "api-domain-name-resolved-correctly", f"api.{node.domain}"),
        resolves(node, "api-int-domain-name-resolved-correctly", f"api-int.{node.domain}"),
        resolves(node, "apps-domain-name-resolved-correctly", f"console-openshift-console.apps.{node.domain}"),
        no_wildcard(node),
        *pulls(node),
        *reaches(node, peers),
    ]


def result(name, good, message):
    return {"id": name, "status": "success" if good else "failure", "message": message}


def has_disk(node):
    disk = medium.installation_disk((node.host or {}).get("rootDeviceHints"))
    if not disk:
        return result("has-min-valid-disks", False, "No eligible disks were found: /dev/not-found-by-hints")
    room = medium.size_of(disk) >= node.medium.index["size"]
    return result("has-min-valid-disks", room, "Sufficient disk capacity" if room else (
        f"No eligible disks were found, please check specific disks to see why they are not eligible: {disk} has "
        f"{medium.size_of(disk)} bytes"))


def has_hostname(node):
    """Stricter than the real one, which asks for no PTR record: a node without one boots as localhost later."""
    good = node.name not in ("", "localhost", "localhost.localdomain")
    if not good:
        return result("hostname-valid", False, f"The host name {node.name} is forbidden")
    answer = resolver.ask(resolver.reverse(node.ip), "PTR")
    return result("hostname-valid", node.name in answer.values, (
        f"Hostname {node.name} is allowed" if node.name in answer.values else
        f"The PTR record of {node.ip} is not {node.name}: {', '.join(answer.values) or answer.status}"))


def has_time(skew):
    if skew is None:
        return result("time-synced-between-host-and-service", True, "Not compared yet")
    return result("time-synced-between-host-and-service", abs(skew) < MOST_SKEW, (
        "Host clock is synchronized with service" if abs(skew) < MOST_SKEW else
        f"Host clock is not synchronized with service: it is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"))


def resolves(node, name, domain):
    answer = resolver.ask(domain)
    if answer.values:
        return result(name, True, f"Domain name resolution for the {domain} domain was successful")
    return result(name, False, (
        f"Couldn't resolve domain name {domain} on the host ({answer.status}). To continue installation, "
        "create the necessary DNS entries to resolve this domain name."))


def no_wildcard(node):
    domain = f"validateNoWildcardDNS.{node.domain}"
    answer = resolver.ask(domain)
    return result("dns-wildcard-not-configured", not answer.values, (
        f"DNS wildcard check {'failed: ' + domain + ' resolves' if answer.values else 'was successful'}"))


def pulls(node):
    """Asks the mirrors for the release, where the cluster has mirrors: everybody else pulls nothing here."""
    images = node.payload.get("images")
    if not images:
        return []
    reasons = []
    for mirror in images["mirrors"]:
        registry, _, repository = mirror.partition("/")
        try:
            tls = web.client_tls(images["trust"] or "")
            path = f"/registry/{repository}/sha256-{images['digest']}/machine-os-images"
            status, _, _ = web.fetch(registry, 443, path, tls=tls)
            if status == 200:
                return [result("container-images-available", True, "All required container images were pulled")]
            reasons.append(f"{mirror}: status {status}")
        except (OSError, ValueError) as error:
            reasons.append(f"{mirror}: {error}")
    return [result("container-images-available", False, (
        f"Failed to fetch container images needed for installation from {images['release']} "
        f"({'; '.join(reasons) or 'no mirror'}). This may be due to a network hiccup. Retry to install again. If this "
        "problem persists, check your network settings to make sure you're not blocked."))]


def reaches(node, peers):
    """Checks the way to every other host, at the NIC's whole MTU where that is not the usual one."""
    mtu = network.mtu(node.nic)
    lost, small = [], []
    for peer in peers:
        if peer["ip"] == node.ip:
            continue
        if reply(peer["ip"], 64) is None:
            lost.append(peer["name"])
        elif mtu != 1500 and reply(peer["ip"], mtu, df=True) is None:
            small.append(peer["name"])
    return [
        result("belongs-to-majority-group", not lost, f"No connectivity to {lost}" if lost else
               "Host has connectivity to the majority of hosts in the cluster"),
        result("mtu-valid", not small, f"MTU {mtu} does not reach {small}" if small else "MTU is ok"),
    ]


def reply(ip, size, df=False):
    try:
        # A second try: the first packet may have waited for ARP.
        return ping.ping(ip, size, df, 1.0) or ping.ping(ip, size, df, 1.0)
    except OSError:
        return None
