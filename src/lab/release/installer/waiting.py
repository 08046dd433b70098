"""`agent wait-for`: asks the rendezvous host and the API, as the real one does, and says what it sees."""
import base64
import http.client
import json
import os
import ssl
import tempfile
import time
import urllib.parse

import yaml

import faults
import log
from problems import Refused

ROOT = "/api/assisted-install/v2"
EVERY = 2.0
BOOTSTRAP_LIMIT, INSTALL_LIMIT = 60 * 60, 90 * 60
BOOTSTRAP_FAILED, INSTALL_FAILED = 5, 6
STATUS = {
    "insufficient": "Cluster is not ready for install. Check validations",
    "ready": "Cluster is ready for install",
    "preparing-for-installation": "Preparing cluster for installation",
    "installing": "Cluster installation in progress",
    "finalizing": "Finalizing cluster installation",
}


class Api:
    """The API of a cluster, as its assets lead to it."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        try:
            with open(os.path.join(folder, "auth", "kubeconfig"), encoding="ascii") as file:
                self.kubeconfig = yaml.safe_load(file)
        except OSError as error:
            raise Refused(f"failed to use asset directory {folder}: {error}") from None
        self.server = urllib.parse.urlsplit(self.kubeconfig["clusters"][0]["cluster"]["server"])
        self.tls = self.settings()
        self.event = None

    def settings(self):
        user = self.kubeconfig["users"][0]["user"]
        tls = ssl.create_default_context(cadata=decoded(
            self.kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w") as pair:
            pair.write(decoded(user["client-certificate-data"]) + decoded(user["client-key-data"]))
            pair.flush()
            tls.load_cert_chain(pair.name)
        return tls

    def kube(self, path):
        """Returns what the API answers, None if it does not."""
        return answer(http.client.HTTPSConnection(
            self.server.hostname, self.server.port, timeout=5, context=self.tls), path)

    def installed(self):
        """Looks once; returns the console's address when all is there."""
        version = self.kube("/apis/config.openshift.io/v1/clusterversions/version") or {}
        conditions = (version.get("status") or {}).get("conditions") or []
        by_type = {condition["type"]: condition for condition in conditions}
        if by_type.get("Available", {}).get("status") != "True":
            progress = by_type.get("Progressing", {}).get("message")
            if progress and progress != self.event:
                self.event = progress
                log.info(progress)
            return None
        route = self.kube("/apis/route.openshift.io/v1/namespaces/openshift-console/routes/console") or {}
        return (route.get("spec") or {}).get("host")


class Cluster(Api):
    """What is known of a cluster with a rendezvous host, and what was said of it already."""

    def __init__(self, folder):
        super().__init__(folder)
        try:
            with open(os.path.join(folder, "rendezvousIP"), encoding="ascii") as file:
                self.rendezvous = file.read().strip()
            with open(os.path.join(folder, ".openshift_install_state.json"), encoding="ascii") as file:
                self.token = json.load(file)["*gencrypto.AuthConfig"]["WatcherAuthToken"]
        except OSError as error:
            raise Refused(f"failed to use asset directory {folder}: {error}") from None
        self.rest_seen = self.kube_seen = False
        self.status, self.validations = None, {}

    def rest(self, path):
        """Returns what the rendezvous host answers, None if it does not."""
        return answer(http.client.HTTPConnection(self.rendezvous, 8090, timeout=5), ROOT + path,
                      {"Watcher-Authorization": self.token})

    def bootstrapped(self):
        """Looks once; tells whether the bootstrap is complete."""
        kube, clusters = self.kube("/version"), self.rest("/clusters")
        if kube is None and clusters is None:
            if not self.rest_seen and not self.kube_seen:
                # Thirty seconds in the real one, which has an hour before it.
                log.info("Waiting for cluster install to initialize. Sleeping for 5 seconds")
                time.sleep(5)
            return False
        if kube is not None:
            if not self.kube_seen:
                log.info("Bootstrap Kube API Initialized")
            self.kube_seen = True
            config = self.kube("/api/v1/namespaces/kube-system/configmaps/bootstrap") or {}
            if (config.get("data") or {}).get("status") == "complete":
                log.info("Bootstrap configMap status is complete")
                return True
        if clusters:
            self.rest_seen = True
            # Only there have hosts names.
            if cluster := self.rest(f"/clusters/{clusters[0]['id']}"):
                self.tell(cluster)
        return False

    def tell(self, cluster):
        if cluster["status"] != self.status:
            log.info(STATUS.get(cluster["status"], cluster["status"]))
            self.status = cluster["status"]
        self.judge("Cluster validation: ", cluster["validations_info"])
        for host in cluster["hosts"]:
            self.judge(f"Host {host['requested_hostname']} validation: ", host["validations_info"])
        events = self.rest("/events") or []
        if events and events[-1]["message"] != self.event:
            self.event = events[-1]["message"]
            (log.info if events[-1]["severity"] == "info" else log.warning)(self.event)

    def judge(self, prefix, packed):
        for check in (check for group in json.loads(packed).values() for check in group):
            key = prefix + check["id"]
            before = self.validations.get(key)
            now = self.validations[key] = (check["status"], check["message"])
            if now == before:
                continue
            if check["status"] != "success":
                log.warning(prefix + check["message"])
            elif before and before[0] != "success":
                log.info(prefix + check["message"])
            else:
                log.debug(prefix + check["message"])


def bootstrap_complete(folder):
    """Waits until the control plane runs without the bootstrap."""
    return wait_for_bootstrap(Cluster(folder))


def install_complete(folder):
    """Waits until all of it is there, and says how to get in."""
    cluster = Cluster(folder)
    if (status := wait_for_bootstrap(cluster)) != 0:
        return status
    begin = time.monotonic()
    while not (console := cluster.installed()):
        if is_over(begin, INSTALL_LIMIT):
            log.error("Cluster installation timed out: context deadline exceeded")
            return INSTALL_FAILED
        time.sleep(EVERY)
    log.info("Cluster is installed")
    tell_the_way_in(cluster.folder, console)
    return 0


def tell_the_way_in(folder, console):
    auth = os.path.join(folder, "auth")
    with open(os.path.join(auth, "kubeadmin-password"), encoding="ascii") as file:
        password = file.read()
    log.info("Install complete!")
    log.info("To access the cluster as the system:admin user when using 'oc', run\n"
             f"    export KUBECONFIG={os.path.join(auth, 'kubeconfig')}")
    log.info(f"Access the OpenShift web-console here: https://{console}")
    log.info(f'Login to the console with user: "kubeadmin", and password: "{password}"')


def wait_for_bootstrap(cluster):
    begin = time.monotonic()
    while not cluster.bootstrapped():
        if is_over(begin, BOOTSTRAP_LIMIT):
            log.info("Use the following commands to gather logs from the cluster")
            log.info("openshift-install gather bootstrap --help")
            log.error("Bootstrap failed to complete: : bootstrap process timed out: context deadline exceeded")
            return BOOTSTRAP_FAILED
        time.sleep(EVERY)
    log.info("cluster bootstrap is complete")
    return 0


def is_over(begin, limit):
    # A rehearsal of a failure need not last an hour.
    return time.monotonic() - begin > limit or faults.asked().get("giveUp")


def answer(connection, path, headers=()):
    try:
        connection.request("GET", path, headers={"Accept": "application/json", **dict(headers)})
        response = connection.getresponse()
        body = response.read()
        return json.loads(body) if response.status == 200 else {} if response.status == 404 else None
    except (OSError, http.client.HTTPException, ValueError) as error:
        log.debug(f"GET {connection.host}:{connection.port}{path}: {error}")
        return None
    finally:
        connection.close()


def decoded(data):
    return base64.b64decode(data).decode()
