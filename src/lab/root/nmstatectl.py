#!/usr/bin/python3
"""Stand-in for nmstatectl on lab hosts: `nmstatectl gc FILE` and nothing else.

openshift-install calls it to check each host's networkConfig. This one knows
as much of the schema as ocp2 uses, and refuses in nmstate's own words.
"""
import ipaddress
import sys

import yaml


class Invalid(Exception):
    pass


def address(text):
    try:
        return ipaddress.ip_address(str(text))
    except ValueError:
        raise Invalid(f"Invalid IP address {text}: invalid IP address syntax") from None


def known(mapping, where, fields):
    if not isinstance(mapping, dict):
        raise Invalid(f"{where}: invalid type: expected a map")
    for key in mapping:
        if key not in fields:
            raise Invalid(f"{where}: unknown field `{key}`, expected one of `{'`, `'.join(sorted(fields))}`")
    return mapping


def check_ip(ip, where, bits):
    known(ip, where, {"enabled", "dhcp", "address", "autoconf", "auto-dns", "auto-gateway", "auto-routes"})
    for entry in ip.get("address") or []:
        known(entry, f"{where}.address", {"ip", "prefix-length"})
        address(entry.get("ip"))
        length = entry.get("prefix-length")
        if not isinstance(length, int) or not 0 <= length <= bits:
            raise Invalid(f"Invalid IP network prefix length: {length}")


def check(state):
    known(state, "network state", {"interfaces", "dns-resolver", "routes"})
    for nic in state.get("interfaces") or []:
        known(nic, "interfaces", {"name", "type", "state", "mac-address", "mtu", "ipv4", "ipv6", "identifier"})
        if not nic.get("name"):
            raise Invalid("interfaces: missing field `name`")
        check_ip(nic.get("ipv4") or {}, "ipv4", 32)
        check_ip(nic.get("ipv6") or {}, "ipv6", 128)
    dns = known(state.get("dns-resolver") or {}, "dns-resolver", {"config"})
    dns = known(dns.get("config") or {}, "dns-resolver.config", {"server", "search"})
    for server in dns.get("server") or []:
        address(server)
    routes = known(state.get("routes") or {}, "routes", {"config"})
    for route in routes.get("config") or []:
        known(route, "routes.config", {
            "destination", "next-hop-address", "next-hop-interface", "metric", "table-id", "state"})
        if route.get("next-hop-address"):
            address(route["next-hop-address"])
        try:
            ipaddress.ip_network(str(route.get("destination")), strict=False)
        except ValueError:
            raise Invalid(f"Invalid IP address {route.get('destination')}: invalid IP address syntax") from None


def main():
    if sys.argv[1:] == ["--version"]:
        print("nmstatectl 2.2.33 (stand-in of the ocp2 lab)")
        return 0
    if len(sys.argv) != 3 or sys.argv[1] != "gc":
        print("error: the lab's stand-in nmstatectl knows only `nmstatectl gc FILE`", file=sys.stderr)
        return 2
    try:
        with sys.stdin if sys.argv[2] == "-" else open(sys.argv[2]) as file:
            state = yaml.safe_load(file) or {}
        check(state)
    except (Invalid, yaml.YAMLError, OSError) as error:
        print(f"InvalidArgument: {error}", file=sys.stderr)
        return 1
    for nic in state.get("interfaces") or []:
        print(f"---\nNetworkManager:\n- - {nic['name']}.nmconnection\n  - |\n    [connection]\n    id={nic['name']}")
    return 0


sys.exit(main())
