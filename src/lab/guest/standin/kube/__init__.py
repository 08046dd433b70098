"""As much of the Kubernetes and OpenShift API as a bring-up asks for, one module per kind of thing.

A resource is a module with `KINDS`: the path of a collection -> (version, kind, function of the API
that lists it).
"""
import time

from .. import web
from . import csrs, nodes, operators, registration

RESOURCES = (csrs, nodes, operators)
OPEN = {"/healthz": "ok", "/livez": "ok", "/readyz": "ok"}
# Of what a real one names with `?verbose`.
CHECKS = ("ping", "log", "etcd", "etcd-readiness", "informer-sync", "shutdown")
ADMIN = "system:admin"


class Api:
    """The API of one master, out of its own view of the nodes."""

    def __init__(self, node, peers, state):
        self.node, self.peers = node, peers
        self.created = state["installedAt"].split(".")[0].rstrip("Z") + "Z"
        self.kinds = {path: kind for module in RESOURCES for path, kind in module.KINDS.items()}

    def handle(self, request):
        path = request.path.rstrip("/")
        if path in OPEN and "verbose" in request.query:
            lines = "".join(f"[+]{check} ok\n" for check in CHECKS)
            return web.Response(200, f"{lines}{path[1:]} check passed\n")
        if path in OPEN:
            return web.Response(200, OPEN[path])
        if path == "/version":
            return web.Response(200, self.version())
        user = registration.user_of(self, request)
        for module in (csrs, registration):
            if (response := module.handle(self, request, user)) is not None:
                return response
        if "authorization" in request.headers and request.user != ADMIN:
            return failure(401, "Unauthorized", "Unauthorized")
        if request.user != ADMIN:
            return failure(403, "Forbidden", f'forbidden: User "system:anonymous" cannot get path "{path}"')
        if request.method != "GET":
            return failure(405, "MethodNotAllowed", "the stand-in's API is read only")
        return self.answer(path, request.query)

    def answer(self, path, query):
        parent, _, name = path.rpartition("/")
        if path in self.kinds:
            version, kind, items = self.kinds[path]
            if query.get("watch") in ("1", "true"):
                response = web.Response(200, "", {"Content-Type": "application/json"})
                response.hold = float(query.get("timeoutSeconds") or 3600)
                return response
            return web.Response(200, {"apiVersion": version, "kind": f"{kind}List",
                                      "metadata": {"resourceVersion": revision()}, "items": items(self)})
        if parent in self.kinds:
            version, kind, items = self.kinds[parent]
            for item in items(self):
                if item["metadata"]["name"] == name:
                    return web.Response(200, {"apiVersion": version, "kind": kind, **item})
            return failure(404, "NotFound", f'{parent.rpartition("/")[2]} "{name}" not found')
        return failure(404, "NotFound", "the server could not find the requested resource")

    def version(self):
        return {"major": "1", "minor": "31", "gitVersion": f"v1.31.0+standin-{self.node.payload['version']}",
                "gitCommit": "standin", "gitTreeState": "clean", "buildDate": self.created,
                "goVersion": "none", "compiler": "none", "platform": "linux/amd64"}

    def meta(self, name, uid="00000000-0000-0000-0000-000000000000", **more):
        return {"name": name, "uid": uid, "resourceVersion": revision(),
                "creationTimestamp": self.created, **more}


def revision():
    return str(int(time.time()))


def failure(code, reason, message):
    return web.Response(code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                               "message": message, "reason": reason, "code": code})
