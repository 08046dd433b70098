"""The ports of a node: 6443 and 22623 on masters, 80, 443 and 1936 where the ingress runs."""
import base64
import json
import os

from . import kube, web

# What the machine configuration server hands out.
NODE = "/etc/standin/node.json"


def control_plane(node, peers, state):
    """Serves the API and the machine configuration."""
    pki = node.payload["pki"]
    api = kube.Api(node, peers, state)
    web.serve(6443, api.handle, web.server_tls(pki["api"], pki["clientCA"]))
    web.serve(22623, machine_config(node, peers), web.server_tls(pki["machineConfig"]))
    if node.role == "master":
        kube.csrs.serve(node)


def machine_config(node, peers):
    def handle(request):
        if request.path == "/healthz":
            return web.Response(200)
        role = request.path.removeprefix("/config/")
        # Workers get theirs from the cluster's own servers, as soon as there is a cluster.
        if role not in ("master", "worker") or (role == "worker" and peers.open and not worker_time(node, peers)):
            return web.Response(404)
        # A disk image knows nothing; what the boot ISO of the agent method carries comes with this.
        whole = json.dumps({"role": role, "payload": node.payload}).encode() if peers.open else role.encode()
        source = f"data:text/plain;charset=utf-8;base64,{base64.b64encode(whole).decode()}"
        config = {"ignition": {"version": "3.4.0"}, "storage": {"files": [
            {"path": NODE, "mode": 0o600, "overwrite": True, "contents": {"source": source}}]}}
        return web.Response(200, json.dumps(config), {"Content-Type": "application/json"})
    return handle


def worker_time(node, peers):
    return node.role == "master" and peers.bootstrapped


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
