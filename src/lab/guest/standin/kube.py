"""As much of the Kubernetes and OpenShift API as a bring-up asks for, read only."""
import time

from . import web

OPERATORS = (
    "authentication", "console", "dns", "etcd", "image-registry", "ingress", "kube-apiserver",
    "kube-controller-manager", "kube-scheduler", "machine-config", "network", "openshift-apiserver",
)
OPEN = {"/healthz": "ok", "/livez": "ok", "/readyz": "ok"}
ADMIN = "system:admin"


class Api:
    """The API of one master, out of its own view of the nodes."""

    def __init__(self, node, peers, state):
        self.node, self.peers = node, peers
        self.created = state["installedAt"].split(".")[0].rstrip("Z") + "Z"

    def handle(self, request):
        path = request.path.rstrip("/")
        if path in OPEN:
            return web.Response(200, OPEN[path])
        if path == "/version":
            return web.Response(200, self.version())
        if "authorization" in request.headers and request.user != ADMIN:
            return failure(401, "Unauthorized", "Unauthorized")
        if request.user != ADMIN:
            return failure(403, "Forbidden", f'forbidden: User "system:anonymous" cannot get path "{path}"')
        if request.method != "GET":
            return failure(405, "MethodNotAllowed", "the stand-in's API is read only")
        return self.answer(path, request.query)

    def answer(self, path, query):
        parent, _, name = path.rpartition("/")
        kinds = {
            "/api/v1/nodes": ("v1", "Node", self.nodes),
            "/api/v1/namespaces/kube-system/configmaps": ("v1", "ConfigMap", self.configmaps),
            "/apis/config.openshift.io/v1/clusterversions":
                ("config.openshift.io/v1", "ClusterVersion", self.clusterversions),
            "/apis/config.openshift.io/v1/clusteroperators":
                ("config.openshift.io/v1", "ClusterOperator", self.clusteroperators),
            "/apis/route.openshift.io/v1/namespaces/openshift-console/routes":
                ("route.openshift.io/v1", "Route", self.routes),
            "/apis/certificates.k8s.io/v1/certificatesigningrequests":
                ("certificates.k8s.io/v1", "CertificateSigningRequest", list),
        }
        if path in kinds:
            version, kind, items = kinds[path]
            if query.get("watch") in ("1", "true"):
                response = web.Response(200, "", {"Content-Type": "application/json"})
                response.hold = float(query.get("timeoutSeconds") or 3600)
                return response
            return web.Response(200, {"apiVersion": version, "kind": f"{kind}List",
                                      "metadata": {"resourceVersion": self.revision()}, "items": items()})
        if parent in kinds:
            version, kind, items = kinds[parent]
            for item in items():
                if item["metadata"]["name"] == name:
                    return web.Response(200, {"apiVersion": version, "kind": kind, **item})
            return failure(404, "NotFound", f'{parent.rpartition("/")[2]} "{name}" not found')
        return failure(404, "NotFound", "the server could not find the requested resource")

    def version(self):
        return {"major": "1", "minor": "31", "gitVersion": f"v1.31.0+standin-{self.node.payload['version']}",
                "gitCommit": "standin", "gitTreeState": "clean", "buildDate": self.created,
                "goVersion": "none", "compiler": "none", "platform": "linux/amd64"}

    def nodes(self):
        return [self.kube_node(peer) for peer in self.peers.joined()]

    def kube_node(self, peer):
        alive = self.peers.alive(peer)
        status = "Unknown" if not alive else "True" if peer["ready"] else "False"
        reason = {"Unknown": "NodeStatusUnknown", "True": "KubeletReady", "False": "KubeletNotReady"}[status]
        message = {"Unknown": "Kubelet stopped posting node status.", "True": "kubelet is posting ready status",
                   "False": "the node does not reach the API"}[status]
        roles = [peer["role"]] + (["control-plane"] if peer["role"] == "master" else [])
        if peer["role"] == "master" and not self.node.payload["workers"]:
            roles.append("worker")
        labels = {f"node-role.kubernetes.io/{role}": "" for role in roles}
        return {
            "metadata": self.meta(peer["name"], peer["id"], labels={
                "kubernetes.io/hostname": peer["name"], "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64", **labels}),
            "spec": {},
            "status": {
                "addresses": [{"type": "InternalIP", "address": peer["ip"]},
                              {"type": "Hostname", "address": peer["name"]}],
                "conditions": [{"type": "Ready", "status": status, "reason": reason, "message": message,
                                "lastHeartbeatTime": stamp(peer["seen"]),
                                "lastTransitionTime": stamp(peer["since"])}],
                "nodeInfo": {
                    "architecture": "amd64", "bootID": peer["id"], "containerRuntimeVersion": "none://0",
                    "kernelVersion": "stand-in", "kubeProxyVersion": "", "kubeletVersion": "stand-in",
                    "machineID": peer["id"].replace("-", ""), "operatingSystem": "linux",
                    "osImage": f"ocp2 stand-in {self.node.payload['version']}", "systemUUID": peer["id"]},
            },
        }

    def configmaps(self):
        if not self.peers.bootstrapped:
            return []
        return [{"metadata": self.meta("bootstrap", namespace="kube-system"), "data": {"status": "complete"}}]

    def clusterversions(self):
        there, total = self.peers.ready_count(), len(self.peers.table)
        done, version = self.peers.available, self.node.payload["version"]
        working = f"Working towards {version}: {there} of {total} nodes ({100 * there // total}% complete)"
        image = f"quay.io/openshift-release-dev/ocp-release:{version}-x86_64"
        return [{
            "metadata": self.meta("version"),
            "spec": {"clusterID": self.node.payload["clusterId"], "channel": "stable-4.18"},
            "status": {
                "desired": {"version": version, "image": image}, "observedGeneration": 1,
                "versionHash": "standin", "availableUpdates": None,
                "history": [{"state": "Completed" if done else "Partial", "version": version, "image": image,
                             "startedTime": self.created, "completionTime": stamp(time.time()) if done else None,
                             "verified": False}],
                "conditions": self.conditions({
                    "Available": (done, f"Done applying {version}" if done else ""),
                    "Failing": (False, ""),
                    "Progressing": (not done, f"Cluster version is {version}" if done else working)}),
            },
        }]

    def clusteroperators(self):
        done, version = self.peers.available, self.node.payload["version"]
        return [{
            "metadata": self.meta(name), "spec": {},
            "status": {
                "versions": [{"name": "operator", "version": version}],
                "conditions": self.conditions({
                    "Available": (done, "" if done else "waiting for all nodes"), "Degraded": (False, ""),
                    "Progressing": (not done, ""), "Upgradeable": (True, "")}),
            },
        } for name in OPERATORS]

    def routes(self):
        if not self.peers.available:
            return []
        return [{"metadata": self.meta("console", namespace="openshift-console"),
                 "spec": {"host": f"console-openshift-console.apps.{self.node.domain}"}}]

    def conditions(self, wanted):
        return [{"type": kind, "status": str(bool(value)), "message": message, "reason": "StandIn",
                 "lastTransitionTime": self.created} for kind, (value, message) in wanted.items()]

    def meta(self, name, uid="00000000-0000-0000-0000-000000000000", **more):
        return {"name": name, "uid": uid, "resourceVersion": self.revision(),
                "creationTimestamp": self.created, **more}

    def revision(self):
        return str(int(time.time()))


def failure(code, reason, message):
    return web.Response(code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                               "message": message, "reason": reason, "code": code})


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else None
