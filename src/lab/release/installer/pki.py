"""The cluster's certificates, made with the openssl program: small keys, long chain."""
import base64
import os
import subprocess
import tempfile

# The API's chain must not fit into a few packets: that is what breaks first where
# an MTU is wrong, and the real cluster's chain with its many names is as large.
CHAIN_BYTES = 6500


class Maker:
    """Makes keys and certificates in a folder that is gone afterwards."""

    def __init__(self, folder):
        self.folder = folder

    def certificate(self, name, subject, extensions, issuer=None, days=3650):
        """Makes a key and its certificate; without an issuer it signs itself."""
        self.openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", self.path(name, "key"))
        self.openssl("req", "-new", "-key", self.path(name, "key"), "-subj", subject, "-out", self.path(name, "csr"))
        with open(self.path(name, "ext"), "w", encoding="ascii") as file:
            file.write("\n".join(extensions) + "\n")
        signer = (["-signkey", self.path(name, "key")] if issuer is None else
                  ["-CA", self.path(issuer, "crt"), "-CAkey", self.path(issuer, "key"), "-CAcreateserial"])
        self.openssl("x509", "-req", "-in", self.path(name, "csr"), "-days", str(days), *signer,
                     "-extfile", self.path(name, "ext"), "-out", self.path(name, "crt"))
        return self.read(name, "crt")

    def authority(self, name, issuer=None):
        return self.certificate(name, f"/OU=openshift/CN={name}", [
            "basicConstraints=critical,CA:TRUE", "keyUsage=critical,digitalSignature,keyCertSign"], issuer)

    def server(self, name, subject, names, ips, issuer):
        listed = [f"DNS:{entry}" for entry in names] + [f"IP:{entry}" for entry in ips]
        return self.certificate(name, subject, [
            "keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth",
            f"subjectAltName={','.join(listed)}"], issuer)

    def path(self, name, kind):
        return os.path.join(self.folder, f"{name}.{kind}")

    def read(self, name, kind):
        with open(self.path(name, kind), encoding="ascii") as file:
            return file.read()

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.folder)


def make(domain, rendezvous_ip=None):
    """Returns (what the nodes need, what the kubeconfig needs); without a rendezvous host kubelets ask for their own."""
    known = [rendezvous_ip] if rendezvous_ip else []
    with tempfile.TemporaryDirectory(prefix="standin-pki-") as folder:
        maker = Maker(folder)
        root = maker.authority("kube-apiserver-lb-signer")
        between = [maker.authority("standin-intermediate-1", "kube-apiserver-lb-signer"),
                   maker.authority("standin-intermediate-2", "standin-intermediate-1")]
        names = [f"api.{domain}", f"api-int.{domain}", "kubernetes", "kubernetes.default",
                 "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"]
        # Two intermediates and a bare leaf come to some 1500 bytes.
        names += [f"standin-{n:03}.{domain}" for n in range((CHAIN_BYTES - 1500) // (len(domain) + 14) + 1)]
        api = maker.server("api", "/O=kube-master/CN=system:kube-apiserver", names,
                           ["172.30.0.1", "127.0.0.1", *known], "standin-intermediate-2")
        config = maker.server("machine-config", "/CN=system:machine-config-server", [f"api-int.{domain}"],
                              known, "kube-apiserver-lb-signer")
        ingress_ca = maker.authority("ingress-operator")
        ingress = maker.server("ingress", f"/CN=*.apps.{domain}", [f"*.apps.{domain}"], [], "ingress-operator")
        clients = maker.authority("admin-kubeconfig-signer")
        admin = maker.certificate("admin", "/O=system:masters/CN=system:admin", [
            "keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth"], "admin-kubeconfig-signer")
        nodes = {
            "rootCA": root, "clientCA": clients, "ingressCA": ingress_ca,
            "api": {"chain": api + "".join(reversed(between)), "key": maker.read("api", "key")},
            "machineConfig": {"chain": config, "key": maker.read("machine-config", "key")},
            "ingress": {"chain": ingress + ingress_ca, "key": maker.read("ingress", "key")},
        }
        if rendezvous_ip is None:
            signer = maker.authority("kubelet-signer")
            nodes["kubelet"] = {"certificate": signer, "key": maker.read("kubelet-signer", "key")}
            nodes["clientCA"] += signer
        # The real one adds the ingress' authority to the kubeconfig once that runs.
        return nodes, {"ca": root + ingress_ca, "certificate": admin, "key": maker.read("admin", "key")}


def kubeconfig(name, domain, admin):
    """Returns the kubeconfig of the cluster's administrator."""
    def data(pem):
        return base64.b64encode(pem.encode()).decode()
    return f"""clusters:
- cluster:
    certificate-authority-data: {data(admin['ca'])}
    server: https://api.{domain}:6443
  name: {name}
contexts:
- context:
    cluster: {name}
    user: admin
  name: admin
current-context: admin
kind: Config
apiVersion: v1
preferences: {{}}
users:
- name: admin
  user:
    client-certificate-data: {data(admin['certificate'])}
    client-key-data: {data(admin['key'])}
"""
