"""`agent create image`: checks the two files, eats them, and leaves an ISO and the keys to it."""
import hashlib
import json
import os
import secrets
import shutil
import string
import urllib.error
import urllib.request
import uuid

import agent_config
import faults
import install_config
import log
import pki
from medium import Medium
from problems import Refused

VERSION = "@VERSION@"
# The real one carries the place of its base image in the same way.
BASE_URL = "@ISO_URL@"
BASE_SHA256 = "@ISO_SHA256@"


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
    log.info("Extracting base ISO from release payload")
    base = base_image()
    log.info(f"Base ISO obtained from release and cached at [{base}]")
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
        "watcherToken": token, "faults": asked})
    os.replace(iso + ".new", iso)
    keys(folder, name, domain, admin)
    write(folder, "rendezvousIP", agent["rendezvousIP"], 0o644)
    write(folder, ".openshift_install_state.json", json.dumps(
        {"standin": VERSION, **ids, "*gencrypto.AuthConfig": {"WatcherAuthToken": token}}, indent=1), 0o640)
    for path in inputs:
        os.remove(path)
    log.info(f"Generated ISO at {iso}.")
    return 0


def keys(folder, name, domain, admin):
    os.makedirs(os.path.join(folder, "auth"), mode=0o750, exist_ok=True)
    letters = string.ascii_letters + string.digits
    password = "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))
    write(folder, "auth/kubeconfig", pki.kubeconfig(name, domain, admin), 0o600)
    write(folder, "auth/kubeadmin-password", password, 0o600)


def base_image():
    """Returns the cached base image, fetched from the mirror the first time."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(cache, "agent", "image_cache")
    path = os.path.join(folder, "coreos-x86_64.iso")
    if not os.path.exists(path) or digest(path) != BASE_SHA256:
        os.makedirs(folder, exist_ok=True)
        try:
            with urllib.request.urlopen(BASE_URL, timeout=30) as source, open(path + ".part", "wb") as file:
                shutil.copyfileobj(source, file)
        except (urllib.error.URLError, OSError) as error:
            raise Refused("failed to fetch Agent Installer ISO: failed to generate asset \"BaseIso Image\": failed to "
                          f"get base ISO image {BASE_URL}: {error}") from None
        if digest(path + ".part") != BASE_SHA256:
            raise Refused(f"failed to fetch Agent Installer ISO: checksum mismatch for {BASE_URL}")
        os.replace(path + ".part", path)
    return path


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder, name, text, mode):
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
