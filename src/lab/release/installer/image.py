"""`agent create image`: checks the two files, eats them, and leaves an ISO and the keys to it."""
import json
import os
import secrets
import shutil
import string
import uuid

import agent_config
import base_image
import faults
import install_config
import log
import pki
from medium import Medium

VERSION = "@VERSION@"


def create(folder):
    """Makes FOLDER/agent.x86_64.iso."""
    inputs = [os.path.join(folder, name) for name in ("install-config.yaml", "agent-config.yaml")]
    install = install_config.load(inputs[0])
    masters, workers = install_config.replicas(install)
    agent, warnings = agent_config.load(inputs[1], masters, workers)
    for warning in warnings:
        log.warning(warning)
    name = install["metadata"]["name"]
    domain = f"{name}.{install['baseDomain']}"
    log.info(f"Configuration has {masters} master replicas, 0 arbiter replicas, and {workers} worker replicas")
    log.info(f"The rendezvous host IP (node0 IP) is {agent['rendezvousIP']}")
    base = base_image.get(install)
    log.info("Consuming Install Config from target directory")
    log.info("Consuming Agent Config from target directory")
    asked = faults.asked()
    if asked:
        log.warning(f"this stand-in plays failures, for {faults.PATH} asks for them")
    nodes, admin = pki.make(domain, agent["rendezvousIP"])
    ids = {"clusterId": str(uuid.uuid4()), "infraEnvId": str(uuid.uuid4())}
    token = secrets.token_urlsafe(24)
    iso = os.path.join(folder, "agent.x86_64.iso")
    shutil.copyfile(base, iso + ".new")
    Medium(iso + ".new").store("payload", {
        **ids, "name": name, "baseDomain": install["baseDomain"], "version": VERSION, "masters": masters,
        "workers": workers, "rendezvousIP": agent["rendezvousIP"], "hosts": agent["hosts"], "pki": nodes,
        "watcherToken": token, "fips": bool(install.get("fips")), "images": images(install), "faults": asked})
    os.replace(iso + ".new", iso)
    keys(folder, name, domain, admin)
    write(folder, "rendezvousIP", agent["rendezvousIP"], 0o644)
    write(folder, ".openshift_install_state.json", json.dumps(
        {"standin": VERSION, **ids, "*gencrypto.AuthConfig": {"WatcherAuthToken": token}}, indent=1), 0o640)
    for path in inputs:
        os.remove(path)
    log.info(f"Generated ISO at {iso}.")
    return 0


def images(install):
    """Returns what nodes have to know to pull the release, None where they are left to pull nothing."""
    sources = install.get("imageDigestSources")
    if not sources:
        return None
    release = base_image.release()
    name, _, digest = release.partition("@sha256:")
    mirrors = [mirror for entry in sources if entry["source"] == name for mirror in entry["mirrors"]]
    return {"release": release, "mirrors": mirrors, "digest": digest, "trust": install.get("additionalTrustBundle")}


def keys(folder, name, domain, admin):
    os.makedirs(os.path.join(folder, "auth"), mode=0o750, exist_ok=True)
    letters = string.ascii_letters + string.digits
    password = "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))
    write(folder, "auth/kubeconfig", pki.kubeconfig(name, domain, admin), 0o600)
    write(folder, "auth/kubeadmin-password", password, 0o600)


def write(folder, name, text, mode):
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
