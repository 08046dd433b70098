"""The rendezvous node's API on port 8090, in the words of the Assisted Service."""
import json
import threading
import time

from . import web

ROOT = "/api/assisted-install/v2"
PORT = 8090


class Service:
    """Gathers the hosts; lets the installation start when all are there and well."""

    def __init__(self, node):
        self.payload = node.payload
        self.cluster_id = node.payload["clusterId"]
        self.infra_env_id = node.payload["infraEnvId"]
        self.rendezvous_ip = node.payload["rendezvousIP"]
        self.watcher_token = node.payload["watcherToken"]
        self.hosts, self.events = {}, []
        self.installing = False
        self.lock = threading.Lock()
        self.event("info", "Successfully registered cluster")

    def event(self, severity, message, host=None):
        event = {"cluster_id": self.cluster_id, "infra_env_id": self.infra_env_id, "severity": severity,
                 "event_time": now(), "message": message, "name": "standin", "category": "user"}
        if host:
            event["host_id"] = host["id"]
        self.events.append(event)

    def handle(self, request):
        path, ids = request.path, (self.cluster_id, self.infra_env_id)
        with self.lock:
            if request.method == "POST" and path == f"{ROOT}/infra-envs/{ids[1]}/hosts":
                return web.Response(201, self.register(json.loads(request.body)))
            if request.headers.get("watcher-authorization") != self.watcher_token:
                return web.Response(401, {"code": 401, "message": "unauthenticated for invalid credentials"})
            answers = {
                f"{ROOT}/clusters": lambda: [self.listed(request.query.get("with_hosts") == "true")],
                f"{ROOT}/clusters/{ids[0]}": self.cluster,
                f"{ROOT}/infra-envs": lambda: [self.infra_env()],
                f"{ROOT}/events": lambda: list(self.events),
            }
            if path in answers:
                return web.Response(200, answers[path]())
            # As the real one: this is for the user's token.
            if path in (f"{ROOT}/infra-envs/{ids[1]}/hosts", f"{ROOT}/component-versions"):
                return web.Response(401, {"code": 401, "message": "unauthenticated for invalid credentials"})
        return web.Response(404, {"code": "404", "kind": "Error", "reason": f"{path} was not found"})

    def register(self, report):
        """Takes a host's report and returns what it is to do."""
        host = self.hosts.get(report["id"])
        if host is None:
            host = self.hosts[report["id"]] = {"stage": "", "created_at": now()}
            host.update(report)
            self.event("info", f"Host {report['name']}: Successfully registered", host)
        if report["stage"] != host["stage"]:
            self.event("info", f"Host: {report['name']}, reached installation stage {report['stage']}", host)
        host.update(report, updated_at=now())
        self.assign_roles()
        if not self.installing and self.ready():
            self.installing = True
            self.event("info", "Cluster is ready to be installed")
            self.event("info", "Starting cluster installation")
        return {"instruction": "install" if self.installing else "wait", "role": host["role"],
                "peers": self.peers(), "installedAt": now(), "now": time.time()}

    def peers(self):
        return [{key: host[key] for key in ("id", "name", "role", "ip", "mac")} for host in self.hosts.values()]

    def assign_roles(self):
        """Fills the masters first, as the service does with hosts that name no role."""
        free = self.payload["masters"] - sum(h["role"] == "master" for h in self.hosts.values())
        for host in sorted(self.hosts.values(), key=lambda h: h["ip"] != self.rendezvous_ip):
            if host["role"] == "auto-assign":
                host["role"] = "master" if free > 0 else "worker"
                free -= 1

    def expected(self):
        return self.payload["masters"] + self.payload["workers"]

    def ready(self):
        return len(self.hosts) >= self.expected() and all(self.well(host) for host in self.hosts.values())

    def well(self, host):
        return all(check["status"] == "success" for check in host["validations"])

    def listed(self, with_hosts):
        """As the real one: a list of clusters has no hosts unless they are asked for, and never their names."""
        cluster = self.cluster()
        hosts = cluster["hosts"] if with_hosts else []
        return {**cluster, "hosts": [
            {key: value for key, value in host.items() if key != "requested_hostname"} for host in hosts]}

    def cluster(self):
        status, info = self.status()
        return {
            "kind": "Cluster", "id": self.cluster_id, "name": self.payload["name"],
            "base_dns_domain": self.payload["baseDomain"], "openshift_version": self.payload["version"],
            "status": status, "status_info": info, "platform": {"type": "none"},
            "total_host_count": len(self.hosts), "enabled_host_count": len(self.hosts),
            "ready_host_count": sum(self.well(host) for host in self.hosts.values()),
            "hosts": list(map(self.shown, self.hosts.values())),
            "validations_info": json.dumps({"hosts-data": [{
                "id": "sufficient-masters-count",
                "status": "success" if len(self.hosts) >= self.expected() else "failure",
                "message": f"{len(self.hosts)} of {self.expected()} hosts have registered"}]}),
        }

    def status(self):
        if self.installing:
            return "installing", "Installation in progress"
        if self.ready():
            return "ready", "Cluster ready to be installed"
        return "insufficient", "Cluster is not ready for install"

    def shown(self, host):
        groups = {}
        for check in host["validations"]:
            group = "hardware" if "disk" in check["id"] else "network"
            groups.setdefault(group, []).append(check)
        status = ("installing-in-progress" if self.installing else
                  "known" if self.well(host) else "insufficient")
        if host["stage"] == "Rebooting":
            status = "installing-in-progress"
        return {
            "kind": "Host", "id": host["id"], "requested_hostname": host["name"], "role": host["role"],
            "bootstrap": host["ip"] == self.rendezvous_ip, "status": status,
            "status_info": "; ".join(c["message"] for c in host["validations"] if c["status"] != "success"),
            "cluster_id": self.cluster_id, "infra_env_id": self.infra_env_id,
            "created_at": host["created_at"], "checked_in_at": host.get("updated_at", ""),
            "progress": {"current_stage": host["stage"], "progress_info":
                         f"{host['percentage']}%" if host["percentage"] else ""},
            "inventory": json.dumps({"hostname": host["name"], "interfaces": [{
                "name": host["nic"], "mac_address": host["mac"], "mtu": host["mtu"],
                "ipv4_addresses": [host["ip"]]}]}),
            "connectivity": json.dumps({"remote_hosts": []}),
            "ntp_sources": "[]",
            "domain_name_resolutions": json.dumps({"resolutions": []}),
            "validations_info": json.dumps(groups),
        }

    def infra_env(self):
        return {"kind": "InfraEnv", "id": self.infra_env_id, "cluster_id": self.cluster_id,
                "name": self.payload["name"], "openshift_version": self.payload["version"]}


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
