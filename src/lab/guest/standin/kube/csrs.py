"""Certificate signing requests: asked for by kubelets, approved by the administrator, issued here.

Under the agent method the installer's own controller approves them all and there are none to see.
There is no etcd: the first master keeps the requests, and the other masters ask it.
"""
import base64
import itertools
import json
import os
import subprocess
import threading
import time

from .. import web

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
BOOTSTRAPPER = "system:serviceaccount:openshift-machine-config-operator:node-bootstrapper"
NODE = "system:node:"
# Where the first master answers the others.
PORT = 9998
EXTENSIONS = {
    "kubernetes.io/kube-apiserver-client-kubelet": "extendedKeyUsage=clientAuth\n",
    "kubernetes.io/kubelet-serving": "extendedKeyUsage=serverAuth\n",
}
USAGES = {"digital signature", "key encipherment", "client auth", "server auth"}
GROUPS = {
    BOOTSTRAPPER: ["system:serviceaccounts", "system:serviceaccounts:openshift-machine-config-operator",
                   "system:authenticated"],
}

KINDS = {PATH: ("certificates.k8s.io/v1", "CertificateSigningRequest", lambda api: ask(api, "list", {}))}

_requests, _names, _lock = {}, itertools.count(), threading.Lock()


def handle(api, request, user):
    """Answers what is no plain reading; None where it is not about requests, or is plain reading."""
    path = request.path.rstrip("/")
    if not path.startswith(PATH):
        return None
    name, _, sub = path[len(PATH):].lstrip("/").partition("/")
    if request.method == "POST" and not name:
        return created(api, json.loads(request.body), user)
    if request.method in ("PUT", "PATCH") and sub == "approval":
        return approved(api, name, request, user)
    if request.method == "GET" and name and not sub and user.startswith((NODE, BOOTSTRAPPER)):
        found = ask(api, "get", {"name": name})
        return web.Response(200, found) if found else web.Response(404)
    return None


def created(api, body, user):
    spec = body["spec"]
    if set(spec) - {"request", "signerName", "usages", "expirationSeconds"}:
        return web.Response(422, {"message": f"the stand-in does not know all of {sorted(spec)}"})
    if spec["signerName"] not in EXTENSIONS or not set(spec["usages"]) <= USAGES:
        return web.Response(422, {"message": f"the stand-in does not sign for {spec['signerName']}"})
    groups = GROUPS.get(user) or ["system:nodes", "system:authenticated"]
    return web.Response(201, ask(api, "create", {"metadata": body["metadata"], "spec": {
        **spec, "username": user, "groups": groups}}))


def approved(api, name, request, user):
    if user != "system:admin":
        return web.Response(403, {"message": f"{user} cannot approve"})
    conditions = (json.loads(request.body).get("status") or {}).get("conditions") or []
    if not any(c["type"] == "Approved" and c["status"] == "True" for c in conditions):
        return web.Response(422, {"message": "no condition Approved"})
    found = ask(api, "approve", {"name": name, "conditions": conditions})
    return web.Response(200, found) if found else web.Response(404)


def ask(api, verb, what):
    """Has the first master do it: here, or over the network."""
    if not api.node.payload.get("bootstrapToken"):
        return []
    keeper = api.peers.first_master()
    if keeper is None or keeper["id"] == api.node.id:
        return keep(api.node.payload, verb, what)
    status, _, body = web.fetch(keeper["ip"], PORT, f"/{verb}", body=what)
    if status != 200:
        raise OSError(f"{keeper['name']} answers {status}")
    return json.loads(body)


def serve(node):
    """Answers the other masters."""
    web.serve(PORT, lambda request: web.Response(
        200, json.dumps(keep(node.payload, request.path.lstrip("/"), json.loads(request.body)))))


def keep(payload, verb, what):
    with _lock:
        if verb == "list":
            return list(_requests.values())
        if verb == "create":
            meta = what["metadata"]
            name = meta.get("name") or f"{meta['generateName']}{next(_names):05}"
            _requests[name] = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
                               "metadata": {"name": name, "uid": name, "resourceVersion": "1",
                                            "creationTimestamp": stamp()},
                               "spec": what["spec"], "status": {}}
            return _requests[name]
        found = _requests.get(what["name"])
        if verb == "approve" and found and not found["status"].get("certificate"):
            found["status"] = {"conditions": what["conditions"],
                               "certificate": issue(payload["pki"]["kubelet"], found["spec"])}
        return found


def issue(authority, spec):
    """Signs a request, SANs and all."""
    folder = "/run/signer"
    os.makedirs(folder, exist_ok=True)
    for name, text in (("ca.crt", authority["certificate"]), ("ca.key", authority["key"]),
                       ("csr", base64.b64decode(spec["request"]).decode()), ("ext", EXTENSIONS[spec["signerName"]])):
        with open(f"{folder}/{name}", "w", encoding="ascii") as file:
            file.write(text)
    made = subprocess.run(
        ["/usr/bin/openssl", "x509", "-req", "-in", f"{folder}/csr", "-CA", f"{folder}/ca.crt",
         "-CAkey", f"{folder}/ca.key", "-set_serial", str(time.time_ns()), "-days", "30",
         "-copy_extensions", "copy", "-extfile", f"{folder}/ext"],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
    return base64.b64encode(made.encode()).decode()


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
