"""The UPI workflow: `create manifests`, `create ignition-configs` and `coreos print-stream-json`.

Manifests are made of install-config.yaml and eat it; ignition is made of the manifests and eats them,
so that what was edited in between counts.
"""
import base64
import json
import os
import re
import secrets
import shutil
import uuid

import yaml

import faults
import image
import install_config
import log
import pki
from problems import Refused

VERSION = "@VERSION@"
DISK = {"location": "@DISK_URL@", "sha256": "@DISK_SHA256@", "uncompressed-sha256": "@DISK_PLAIN_SHA256@"}
SCHEDULER = "manifests/cluster-scheduler-02-config.yml"
CONFIG = "manifests/cluster-config.yaml"
VERSION_OF_IGNITION = "3.2.0"
SCHEDULER_TEXT = """apiVersion: config.openshift.io/v1
kind: Scheduler
metadata:
  creationTimestamp: null
  name: cluster
spec:
  mastersSchedulable: {schedulable}
  policy:
    name: ""
status: {{}}
"""


def manifests(folder):
    """Makes FOLDER/manifests and FOLDER/openshift."""
    path = os.path.join(folder, "install-config.yaml")
    install = install_config.load(path, "Master Machines")
    masters, workers = install_config.replicas(install)
    log.info("Consuming Install Config from target directory")
    if not workers:
        log.warning("Making control-plane schedulable by setting MastersSchedulable to true for Scheduler cluster settings")
    for name in ("manifests", "openshift"):
        os.makedirs(os.path.join(folder, name), mode=0o750, exist_ok=True)
    image.write(folder, SCHEDULER, SCHEDULER_TEXT.format(schedulable="false" if workers else "true"), 0o640)
    text = json.dumps(install)
    image.write(folder, CONFIG, yaml.safe_dump({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cluster-config-v1", "namespace": "kube-system"},
        "data": {"install-config": text}}), 0o640)
    image.write(folder, ".openshift_install_state.json", json.dumps({"standin": VERSION}), 0o640)
    os.remove(path)
    log.info(f"Manifests created in: {folder}, {folder}/manifests and {folder}/openshift")
    return 0


def ignition_configs(folder):
    """Makes bootstrap.ign, master.ign, worker.ign and the keys to the cluster."""
    if os.path.exists(os.path.join(folder, "install-config.yaml")):
        manifests(folder)
    try:
        with open(os.path.join(folder, CONFIG), encoding="utf-8") as file:
            install = json.loads(yaml.safe_load(file)["data"]["install-config"])
        with open(os.path.join(folder, SCHEDULER), encoding="utf-8") as file:
            schedulable = yaml.safe_load(file)["spec"]["mastersSchedulable"]
    except FileNotFoundError as error:
        raise Refused("failed to fetch Bootstrap Ignition Config: failed to fetch dependency of \"Bootstrap Ignition "
                      f"Config\": failed to load asset \"Install Config\": open {error.filename}: no such file or "
                      "directory") from None
    masters, workers = install_config.replicas(install)
    name = install["metadata"]["name"]
    domain = f"{name}.{install['baseDomain']}"
    for consumed in ("Common Manifests", "Openshift Manifests", "OpenShift Install (Manifests)", "Master Machines",
                     "Worker Machines"):
        log.info(f"Consuming {consumed} from target directory")
    asked = faults.asked()
    if asked:
        log.warning(f"this stand-in plays failures, for {faults.PATH} asks for them")
    nodes, admin = pki.make(domain)
    payload = {
        "clusterId": str(uuid.uuid4()), "infraEnvId": "", "name": name, "baseDomain": install["baseDomain"],
        "version": VERSION, "masters": masters, "workers": workers, "rendezvousIP": "", "hosts": [], "pki": nodes,
        "bootstrapToken": secrets.token_urlsafe(24), "mastersSchedulable": schedulable, "faults": asked}
    users = [{"name": "core", "sshAuthorizedKeys": (install.get("sshKey") or "").splitlines()}]
    ignition(folder, "bootstrap", {
        "passwd": {"users": users},
        "storage": {"files": [{"path": "/opt/openshift/standin.json", "mode": 0o600, "overwrite": True,
                               "contents": {"source": data_url(json.dumps(payload))}}]},
        "systemd": {"units": [{"name": "bootkube.service", "contents": "[Unit]\nDescription=a stand-in\n"}]}})
    for role in ("master", "worker"):
        ignition(folder, role, {"ignition": {
            "config": {"merge": [{"source": f"https://api-int.{domain}:22623/config/{role}"}]},
            "security": {"tls": {"certificateAuthorities": [{"source": data_url(nodes["rootCA"])}]}},
            "version": VERSION_OF_IGNITION}})
    image.keys(folder, name, domain, admin)
    image.write(folder, "metadata.json", json.dumps({
        "clusterName": name, "clusterID": payload["clusterId"], "infraID": f"{name}-{secrets.token_hex(3)[:5]}"}), 0o640)
    for consumed in ("manifests", "openshift"):
        shutil.rmtree(os.path.join(folder, consumed))
    log.info(f"Ignition-Configs created in: {folder} and {folder}/auth")
    return 0


def ignition(folder, role, config):
    whole = {"ignition": {"version": VERSION_OF_IGNITION}, **config}
    image.write(folder, f"{role}.ign", json.dumps(whole, separators=(",", ":")), 0o640)


def data_url(text):
    return f"data:text/plain;charset=utf-8;base64,{base64.b64encode(text.encode()).decode()}"


def stream(_folder):
    """Prints where the release's disk images are."""
    release = re.sub(r"[^0-9.]", "", VERSION)
    print(json.dumps({
        "stream": f"rhcos-{'.'.join(release.split('.')[:2])}", "metadata": {"generator": "the ocp2 lab's stand-in"},
        "architectures": {"x86_64": {"artifacts": {"qemu": {
            "release": release, "formats": {"qcow2.gz": {"disk": DISK}}}}}}}, indent=4))
    return 0
