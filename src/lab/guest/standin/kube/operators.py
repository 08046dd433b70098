"""ClusterVersion, ClusterOperators, and what tells that the cluster is there."""
import time

from .. import faults
from .nodes import stamp

OPERATORS = (
    "authentication", "console", "dns", "etcd", "image-registry", "ingress", "kube-apiserver",
    "kube-controller-manager", "kube-scheduler", "machine-config", "network", "openshift-apiserver",
)


def configmaps(api):
    if not api.peers.bootstrapped:
        return []
    return [{"metadata": api.meta("bootstrap", namespace="kube-system"), "data": {"status": "complete"}}]


def clusterversions(api):
    there, total = api.peers.ready_count(), api.peers.expected()
    degraded = sorted(faults.operators())
    done, version = api.peers.available and not degraded, api.node.payload["version"]
    working = f"Working towards {version}: {there} of {total} nodes ({100 * there // total}% complete)"
    failing = f"Cluster operator {degraded[0]} is degraded" if degraded else ""
    image = f"quay.io/openshift-release-dev/ocp-release:{version}-x86_64"
    return [{
        "metadata": api.meta("version"),
        "spec": {"clusterID": api.node.payload["clusterId"], "channel": "stable-4.18"},
        "status": {
            "desired": {"version": version, "image": image}, "observedGeneration": 1,
            "versionHash": "standin", "availableUpdates": None,
            "history": [{"state": "Completed" if done else "Partial", "version": version, "image": image,
                         "startedTime": api.created, "completionTime": stamp(time.time()) if done else None,
                         "verified": False}],
            "conditions": conditions(api, {
                "Available": (done, f"Done applying {version}" if done else ""),
                "Failing": (bool(degraded), failing),
                "Progressing": (not done, f"Cluster version is {version}" if done else failing or working)}),
        },
    }]


def clusteroperators(api):
    return [operator(api, name) for name in OPERATORS]


def operator(api, name):
    done, fault = api.peers.available, faults.operators().get(name)
    return {
        "metadata": api.meta(name), "spec": {},
        "status": {
            "versions": [{"name": "operator", "version": api.node.payload["version"]}],
            "conditions": conditions(api, {
                "Available": (done and not fault, fault or ("" if done else "waiting for all nodes")),
                "Degraded": (bool(fault), fault or ""),
                "Progressing": (not done, ""), "Upgradeable": (True, "")}),
        },
    }


def routes(api):
    if not api.peers.available:
        return []
    return [{"metadata": api.meta("console", namespace="openshift-console"),
             "spec": {"host": f"console-openshift-console.apps.{api.node.domain}"}}]


def conditions(api, wanted):
    return [{"type": kind, "status": str(bool(value)), "message": message, "reason": "StandIn",
             "lastTransitionTime": api.created} for kind, (value, message) in wanted.items()]


KINDS = {
    "/api/v1/namespaces/kube-system/configmaps": ("v1", "ConfigMap", configmaps),
    "/apis/config.openshift.io/v1/clusterversions": ("config.openshift.io/v1", "ClusterVersion", clusterversions),
    "/apis/config.openshift.io/v1/clusteroperators":
        ("config.openshift.io/v1", "ClusterOperator", clusteroperators),
    "/apis/route.openshift.io/v1/namespaces/openshift-console/routes":
        ("route.openshift.io/v1", "Route", routes),
}
