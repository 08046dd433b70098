"""Nodes, out of what the masters see of each other."""
import time


def listed(api):
    return [kube_node(api, peer) for peer in api.peers.joined()]


def kube_node(api, peer):
    alive = api.peers.alive(peer)
    status = "Unknown" if not alive else "True" if peer["ready"] else "False"
    reason = {"Unknown": "NodeStatusUnknown", "True": "KubeletReady", "False": "KubeletNotReady"}[status]
    message = {"Unknown": "Kubelet stopped posting node status.", "True": "kubelet is posting ready status",
               "False": "the node does not reach the API"}[status]
    roles = [peer["role"]] + (["control-plane"] if peer["role"] == "master" else [])
    if peer["role"] == "master" and not api.node.payload["workers"]:
        roles.append("worker")
    labels = {f"node-role.kubernetes.io/{role}": "" for role in roles}
    return {
        "metadata": api.meta(peer["name"], peer["id"], labels={
            "kubernetes.io/hostname": peer["name"], "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64", **labels}),
        "spec": {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": peer["ip"]},
                          {"type": "Hostname", "address": peer["name"]}],
            "conditions": [{"type": "Ready", "status": status, "reason": reason, "message": message,
                            "lastHeartbeatTime": stamp(peer["seen"]),
                            "lastTransitionTime": stamp(peer["since"])}],
            "nodeInfo": {
                "architecture": "amd64", "bootID": peer["id"], "containerRuntimeVersion": "none://0",
                "kernelVersion": "stand-in", "kubeProxyVersion": "", "kubeletVersion": "stand-in",
                "machineID": peer["id"].replace("-", ""), "operatingSystem": "linux",
                "osImage": f"ocp2 stand-in {api.node.payload['version']}", "systemUUID": peer["id"]},
        },
    }


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else None


KINDS = {"/api/v1/nodes": ("v1", "Node", listed)}
