#!/usr/bin/env python3
"""A stand-in for a host that means harm: sshd runs it in place of every command (ForceCommand).

usage: hostile.py KIND

It reads the script it is sent, runs nothing of it, and answers as KIND says. A kind that it does not know
ends it with status 99.
"""

import base64
import json
import os
import re
import signal
import struct
import sys
import time

# Sets the terminal's clipboard and title, clears the screen, hides what follows; C1 as well as ESC.
ESCAPES = "\x1b]52;c;ZXZpbA==\x07\x1b]0;evil\x07\x1b[2J\x1b[8m\x9b2J\u202e"
EVIL_NAMES = ["../../evil", "..", "/tmp/ocp2-evil", ".evil", "-rf", "a/../../../evil"]
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "admin",
    "clusters": [{"name": "ocp", "cluster": {
        "server": "https://api.ocp.example.com:6443", "certificate-authority-data": "eA=="}}],
    "contexts": [{"name": "admin", "context": {"cluster": "ocp", "user": "admin"}}],
    "users": [],
}


def say(text):
    data = text if isinstance(text, bytes) else text.encode()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def domain(name, node, inside=""):
    return (
        f"<domain type='kvm'><name>{name}</name><uuid>11111111-1111-1111-1111-111111111111</uuid><metadata>"
        f"<ocp2:machine xmlns:ocp2='urn:ocp2:machine' cluster='ocp' node='{node}' role='worker'/></metadata>"
        f"{inside}</domain>"
    )


def libvirt(mark, xmls):
    """Returns what virsh would tell of these domains."""
    uuids = [f"00000000-0000-0000-0000-{at:012}" for at in range(len(xmls))]
    heads = ["status: 0", "domain:", *uuids, "autostart:", "pool:", "active:", "pool-autostart:", "listed:"]
    lines = [head if head in uuids else f"={mark}{head}" for head in heads]
    for uuid, xml in zip(uuids, xmls):
        lines += [f"={mark}state {uuid}:", "running", f"={mark}xml:", xml, f"={mark}live:", xml]
    lines.append(f"={mark}told:")
    return "".join(f" {line}\n" for line in lines)


def parts(kind, mark):
    """Returns the parts of a plausible answer, spoilt as the kind says."""
    spice = ESCAPES if kind == "escapes" else ""
    link = {
        "ifname": "ens34f0", "address": "52:54:00:00:00:01", "mtu": 1500, "flags": ["UP"], "ifalias": spice,
        "addr_info": [{"local": "192.0.2.11", "prefixlen": 24, "scope": "global"}],
    }
    domains = []
    if kind.startswith("libvirt-"):
        domains = [domain("ocp-worker0", "worker0"), domain("ocp-master0", "master0")]
    if kind == "names":
        domains = [domain(name, name) for name in EVIL_NAMES]
    if kind == "escapes":
        domains = [domain("ocp-" + ESCAPES.replace("\x1b", "").replace("\x07", ""), "x")]
    told = {
        "system": (
            f"id=debian\nname=Debian {spice}\nmanager=apt-get\nkernel=6.1\narchitecture=x86_64\ncpus=64\n"
            f"memory=640000000\nnow={int(time.time())}\nsystemd=252\noverlay=yes\nnmstatectl=yes\n"
            "space=900000000 900000000 /var/lib/libvirt/images/ocp\n"
        ),
        "links": json.dumps([link]) + "\n",
        "routes": '[{"dst":"default","gateway":"192.0.2.1","dev":"ens34f0"}]\n',
        "fdb": "[]\n",
        "sockets": f'tcp LISTEN 0 1 0.0.0.0:22 0.0.0.0:* users:(("sshd{spice}",pid=1,fd=3))\n',
        "settings": "net.ipv4.ip_forward=1\n",
        "libvirt": libvirt(mark, domains),
    }
    if kind == "escapes":
        table = f"evil{ESCAPES}".replace(" ", "_")
        chain = {"family": "inet", "table": table, "name": "f", "type": "filter", "hook": "forward", "policy": "drop"}
        told["ruleset"] = json.dumps({"nftables": [{"chain": chain}]}) + "\n"
    if kind == "nested":
        told["links"] = "[" * 3_000_000 + "\n"
        told["routes"] = '[{"dst":' * 200_000 + "\n"
        told["ruleset"] = '{"nftables":[' * 200_000 + "\n"
        told["libvirt"] = libvirt(mark, [domain("ocp-deep", "deep", "<a>" * 300_000)])
    if kind == "wide":
        # Short as text and large in memory, within the longest part that is read.
        many = ",".join(['{"":0}'] * 590_000)
        told["links"] = json.dumps([link])[:-1] + ',{"ifname":"evil","linkinfo":{"info_data":[' + many + "]}}]\n"
        told["ruleset"] = '{"nftables":[{"rule":{"expr":[' + many + "]}}]}\n"
    return told


def probe(kind, script):
    mark = re.search(r"^mark='?([0-9a-z-]*)'?$", script, re.M).group(1)
    told = parts(kind, mark)
    names = re.findall(r'echo "@@\$\{mark-\}([a-z]+)"', script)
    answer = "".join(f"@@{mark}{name}\n{told.get(name, '')}" for name in names)
    if kind == "cut":
        answer = answer[: len(answer) // 2]
    if kind == "after-the-end":
        answer += f"@@{mark}links\n[]\n"
    if kind == "drop":
        say(answer[: len(answer) // 2])
        os.kill(os.getppid(), signal.SIGKILL)
    say(answer)


def libvirtd(kind):
    """Speaks to libvirt's library in its own protocol, wrongly: each message has its length and six words."""
    receive, noise = sys.stdin.buffer, os.urandom(4096)
    if kind == "libvirt-silent":
        time.sleep(600)
    while kind == "libvirt-noise":
        say(noise)
    if kind == "libvirt-endless":
        say(struct.pack(">I", 0xFFFFFFFF))
        while True:
            say(noise)
    # Every call succeeds, with results of a length that they do not have.
    while head := receive.read(4):
        call = receive.read(struct.unpack(">I", head)[0] - 4)
        program, version, procedure, _, serial, _ = struct.unpack(">6I", call[:24])
        body = {"libvirt-lengths": b"\xff" * 64, "libvirt-empty": b"", "libvirt-zeros": b"\0" * 4096}[kind]
        say(struct.pack(">7I", 28 + len(body), program, version, procedure, 1, serial, 0) + body)


def other(kind, script):
    """Answers everything that is no probe."""
    if "virt-ssh-helper" in script:
        libvirtd(kind)
        return
    if "kubeconfig" in script or "kubeadmin-password" in script:
        evil = {"name": "admin", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "touch",
            "args": [os.environ["OCP2_CANARY"]], "interactiveMode": "Never"}}}
        say(json.dumps({**KUBECONFIG, "users": [evil]}))
    elif "keep system.txt" in script:
        for name in EVIL_NAMES:
            say(f"@@{name} 4\nevil")
        # One of our own names, and the name of another file while it is written.
        say("@@file-2.txt 4\nmine@@fine.txt.new 4\nevil")
        say(f"@@fine.txt {10**18}\n{ESCAPES}")
    elif 'echo "locked' in script:
        say("locked 1\n")
        sys.stdin.buffer.read()
    elif kind == "escapes":
        say(ESCAPES + "\n")
        sys.stderr.write(ESCAPES + "\n")
        sys.exit(1)


def main():
    kind = sys.argv[1]
    if kind not in ("endless", "silent", "cut", "drop", "nested", "wide", "escapes", "names", "after-the-end", "liar",
                    "libvirt-silent", "libvirt-noise", "libvirt-endless", "libvirt-lengths", "libvirt-empty",
                    "libvirt-zeros"):
        sys.exit(99)
    command = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    say("\nocp2:user:0\nocp2:begin\n")
    whole = "base64 -d" not in command
    sent = sys.stdin.buffer.read() if whole else base64.b64decode(sys.stdin.buffer.readline())
    script = sent.decode(errors="replace")
    if kind == "silent":
        time.sleep(600)
    while kind == "endless":
        say(b"x" * 65536)
    if "unknown()" in script:
        probe(kind, script)
    else:
        other(kind, script)


main()
