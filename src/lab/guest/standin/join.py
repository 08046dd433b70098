"""How a node of a disk image gets into the cluster: as a kubelet does, by certificates somebody approves."""
import base64
import subprocess
import time

from . import faults, say, web, write

API, GROUP = 6443, "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CLIENT, SERVING = "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"
CONFIG = "[req]\ndistinguished_name=dn\n[dn]\n"


def join(node, everyone, state):
    """Registers this node, with what it needs for that; returns once the API knows it."""
    if node.role == "master":
        # The bootstrap machine approves the masters' requests itself, as the real one does.
        register(node, everyone, token=node.payload["bootstrapToken"])
        return
    if faults.has_stranger():
        ask(node, CLIENT, f"stranger.{node.domain}", [], token=node.payload["bootstrapToken"])
    if "client" not in state:
        state["client"] = certificate(node, CLIENT, token=node.payload["bootstrapToken"])
        node.medium.store("state", state)
    register(node, everyone, pair=state["client"])
    if "serving" not in state:
        state["serving"] = certificate(node, SERVING, pair=state["client"])
        node.medium.store("state", state)


def certificate(node, signer, **identity):
    """Asks for a certificate and waits until somebody has approved it."""
    names = [] if signer == CLIENT else ["-addext", f"subjectAltName=DNS:{node.name},IP:{node.ip}"]
    made, key = ask(node, signer, node.name, names, **identity)
    name = made["metadata"]["name"]
    say(f"{name} waits for its approval ({signer})")
    while not (made.get("status") or {}).get("certificate"):
        time.sleep(1)
        made = call(node, "GET", f"{GROUP}/{name}", None, **identity)
    say(f"{name} is issued")
    return {"certificate": base64.b64decode(made["status"]["certificate"]).decode(), "key": key}


def ask(node, signer, name, names, **identity):
    """Asks for a certificate; returns the request as the API has it, and its key."""
    key = openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout")
    write("/run/request.key", key)
    write("/run/openssl.cnf", CONFIG)
    request = openssl("req", "-new", "-config", "/run/openssl.cnf", "-key", "/run/request.key",
                      "-subj", f"/O=system:nodes/CN=system:node:{name}", *names)
    usage = "client auth" if signer == CLIENT else "server auth"
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
            "metadata": {"generateName": "csr-"},
            "spec": {"request": base64.b64encode(request.encode()).decode(), "signerName": signer,
                     "usages": ["digital signature", usage]}}
    return call(node, "POST", GROUP, body, **identity), key


def register(node, everyone, **identity):
    """Makes this machine a node, and learns who else is one."""
    me = everyone.me()
    answer = call(node, "POST", "/api/v1/nodes", {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name}, "standin": me}, **identity)
    everyone.learn(answer["standin"])


def call(node, method, path, body, token=None, pair=None):
    """Asks the API, for as long as it takes to get an answer."""
    name = f"api-int.{node.domain}"
    tls = web.client_tls(node.payload["pki"]["rootCA"])
    if pair:
        tls.load_cert_chain(web.kept(pair["certificate"]), web.kept(pair["key"]))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    what = f"{method} https://{name}:{API}{path}"
    return web.insist(what, say, (200, 201), name, API, path, body=body, tls=tls, method=method, headers=headers)[1]


def openssl(*words):
    return subprocess.run(["/usr/bin/openssl", *words], check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True).stdout
