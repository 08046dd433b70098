"""The ports of a node: 6443 and 22623 on masters, 80, 443 and 1936 where the ingress runs."""
import json
import os

from . import kube, web


def control_plane(node, peers, state):
    """Serves the API and the machine configuration."""
    pki = node.payload["pki"]
    api = kube.Api(node, peers, state)
    web.serve(6443, api.handle, web.server_tls(pki["api"], pki["clientCA"]))
    web.serve(22623, machine_config(node), web.server_tls(pki["machineConfig"]))


def machine_config(node):
    def handle(request):
        if request.path == "/healthz":
            return web.Response(200)
        role = request.path.removeprefix("/config/")
        if role not in ("master", "worker"):
            return web.Response(404)
        config = {"ignition": {"version": "3.4.0"}, "storage": {"files": [
            {"path": "/etc/standin", "contents": {"source": f"data:,{role}%20of%20{node.payload['name']}"}}]}}
        return web.Response(200, json.dumps(config), {"Content-Type": "application/json"})
    return handle


def ingress(node):
    """Serves pages for every host name, and the router's own health."""
    web.serve(80, page)
    web.serve(443, page, web.server_tls(node.payload["pki"]["ingress"]))
    web.serve(1936, health)


def page(request):
    name = request.headers.get("host", "no host")
    return web.Response(200, f"stand-in ingress on {os.uname().nodename} for {name}\n")


def health(request):
    if request.path.rstrip("/") in ("/healthz", "/healthz/ready"):
        return web.Response(200, "[+]backend-http ok\n[+]has-synced ok\nhealthz check passed\n")
    return web.Response(404)
