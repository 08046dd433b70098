#!/usr/bin/env python3
"""Fills fuzz/corpus/TARGET with what the tests read, so that fuzzing begins where they end."""
import base64
import hashlib
import json
import pathlib
import re
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
FAST = ROOT / "tests/fast"
CAPTURED = FAST / "changes/captured"
# As in fuzz_targets/parts.rs, links.rs and filters.rs: the first byte says which part it is.
PARTS = ["system", "sockets", "settings", "booleans", "labels", "listing", "folders", "units", "packages",
         "firewalls", "entries", "nft"]
LINKS = ["links", "routes", "fdb"]
FILTERS = ["iptables", "ruleset"]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHf0pf9vU5Yt6Y6yqX8yqU1H8nXPqUqC0gJrS5mqxw0b"


def seed(target, content):
    content = content.encode() if isinstance(content, str) else content
    folder = ROOT / "fuzz/corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)


def strings(path):
    """Returns the texts in quotes of a test: most of them are something that a parser reads."""
    source = path.read_text()
    raw = re.findall(r'r#"(.*?)"#', source, re.S)
    plain = re.findall(r'"((?:[^"\\]|\\.)*)"', source, re.S)
    return raw + [re.sub(r"\\\n\s*", "", text).replace("\\n", "\n").replace('\\"', '"') for text in plain]


def part(name, text):
    """One part of a probe's answer, for each target that reads it."""
    if name in PARTS:
        seed("parts", bytes([PARTS.index(name)]) + text.encode())
    elif name in LINKS:
        seed("links", bytes([LINKS.index(name)]) + text.encode())
    elif name in FILTERS:
        seed("filters", bytes([FILTERS.index(name)]) + text.encode())
    elif name in ("files", "libvirt"):
        seed(name, text)
    seed("answer", f"@@mark-{name}\n{text}\n@@mark-end\n")
    seed("story", f"@@{name}\n{text}\n")


def probe():
    whole = ""
    for case in sorted((FAST / "changes").glob("*/*.yaml")):
        for name, text in (yaml.safe_load(case.read_text()).get("seen") or {}).items():
            text = (CAPTURED / text[1:]).read_text() if text.startswith("<") else text
            part(name, text)
    for name, file in [("links", "links.json"), ("fdb", "fdb.json"), ("nft", "table.txt"), ("libvirt", "libvirt.txt")]:
        text = (CAPTURED / file).read_text()
        part(name, text)
        whole += f"@@{name}\n{text}\n"
    for text in strings(FAST / "facts.rs") + strings(ROOT / "src/resource/hypervisor_answer.rs"):
        for name, body in re.findall(r"@@([a-z]+)\n(.*?)(?=@@|\Z)", text, re.S):
            part(name, body)
        seed("libvirt", text)
    part("system", "id=debian\nmanager=apt-get\nkernel=6.1.0\narchitecture=x86_64\ncpus=8\nmemory=65842416\n"
                   "now=1795322707\nsystemd=yes\nresolver=9.9.9.9\noverlay=yes\nboot=b+kvm\nspace=102400000 51200000 /var")
    part("folders", "folder /var/lib/libvirt/images/ocp\n disk.img\n lost+found\n")
    part("sockets", 'tcp LISTEN 0 128 [fe80::1]%br-vm:53 [::]:* users:(("sshd",pid=49,fd=4))\n')
    for file in (FAST / "filters").iterdir():
        if file.suffix in (".txt", ".json"):
            part("iptables" if file.suffix == ".txt" else "ruleset", file.read_text())
    seed("story", whole)
    seed("answer", whole.replace("@@", "@@mark-") + "@@mark-end\n")
    for file in ["domain.xml", "pool.xml"]:
        seed("domain", (CAPTURED / file).read_text())


def others():
    for folder in ["inventories", "tests/inventory", "tests/fast/inventories", "tests/installer_inputs"]:
        for file in (ROOT / folder).glob("*.yaml"):
            seed("inventory", file.read_bytes())
    seed("inventory", (ROOT / "src/inventory/starter.yaml").read_bytes())
    for target, file in [
        ("redact", FAST / "redaction.rs"), ("untrusted", ROOT / "src/untrusted.rs"),
        ("known_hosts", ROOT / "src/host/known_hosts.rs"), ("ssh_config", ROOT / "src/host/configuration.rs"),
        ("ssh_config", ROOT / "src/host/jump.rs"), ("stream", ROOT / "src/host/preamble.rs"),
        ("stream", ROOT / "src/host/relay/said.rs"), ("gather", ROOT / "src/install/upi/disk_image.rs"),
        ("gather", ROOT / "src/bringup/readiness.rs"), ("gather", ROOT / "src/install/wait.rs"),
        ("ignition", FAST / "upi.rs"), ("kubeconfig", FAST / "kubeconfig.rs"), ("records", FAST / "story/boot_image.rs"),
    ]:
        for text in strings(file):
            seed(target, text)
    seed("redact", "hunter2-hunter2\nproxy http://me:hunter2-hunter2@proxy:3128/ token=hunter2-hunter2")
    seed("known_hosts", f"# mine\nh.example,*.other,!x {KEY}\n@revoked * {KEY}\n@cert-authority *.example {KEY}\n"
                        "|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AAAAAAAAAAAAAAAAAAAAAAAAAAA= ssh-rsa AAAA\n[h.example]:2222 x y")
    seed("stream", "Welcome\nocp2:user:0\nocp2:begin\nat 12\narrived 12 " + "0a" * 32 + "\n12 " + "0b" * 32 + "\nLS0tLS1CRUdJTg==\n")
    seed("gather", "@@links.txt 5\nabcd\n@@../x 3\nabc")
    seed("records", "ocp2-settled 1\nmtu 1400\naddressing static\nhost bm1 kvm 192.0.2.1\nhost bm2 qemu none\n")
    seed("records", "bm1 192.168.139.1\nmaster0 bm1 192.168.139.10\n")
    seed("records", json.dumps({"sha256": "0a" * 32, "size": 1000, "inputs": "0b" * 32, "ignited": 1}))
    seed("ignition", json.dumps({"ignition": {"version": "3.2.0"}, "storage": {"files": [{"path": "/etc/hostname"}]}}))
    checks = [{"id": "ntp-synced", "status": "failure", "message": "no"}]
    host = {"requested_hostname": "master0", "status": "insufficient", "status_info": None, "inventory": "",
            "progress": {"current_stage": "Rebooting", "progress_info": "3%"},
            "validations_info": json.dumps({"network": checks})}
    seed("assisted", json.dumps([{"status": "error", "status_info": "x", "validations_info": "{}", "hosts": [host]}]))
    conditions = [{"type": kind, "status": "True", "message": "m\nn"} for kind in ["Available", "Degraded", "Ready"]]
    seed("progress", json.dumps({name: {"status": {"conditions": conditions}} for name in ["etcd", "master0"]}))


def certificates():
    """A certificate and its keys, made by OpenSSL; and a kubeconfig of them."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["bash", "-ec", "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 "
             "-subj /O=system:masters/CN=system:admin -keyout pk8 -out crt 2>/dev/null; openssl ec -in pk8 -out key 2>/dev/null"],
            cwd=folder, check=True)
        certificate, pk8, key = ((pathlib.Path(folder) / name).read_text() for name in ["crt", "pk8", "key"])
    for text in [certificate, certificate * 2, pk8, key] + [file.read_text() for file in (FAST / "csrs").glob("*.pem")]:
        seed("pem", text)
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in [("crt", certificate), ("key", key)]}
    name = yaml.safe_load((ROOT / "inventories/two-hosts.yaml").read_text())["cluster"]
    seed("kubeconfig", f"""clusters:
- cluster:
    certificate-authority-data: {encoded['crt']}
    server: https://api.{name['name']}.{name['baseDomain']}:6443
  name: ocp
contexts:
- context: {{cluster: ocp, user: admin}}
  name: admin
current-context: admin
users:
- name: admin
  user:
    client-certificate-data: {encoded['crt']}
    client-key-data: {encoded['key']}
""")


probe()
others()
certificates()
