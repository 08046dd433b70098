"""The inventory of a cluster to measure: guests so small that they cost next to nothing."""


def text(cluster, lab, hosts, workers, machines="", install="{method: agent}"):
    """Returns an inventory; `hosts` is a list of what is said of each, in YAML's flow style."""
    listed = "".join(f"\n  - {{{host}}}" for host in hosts)
    return f"""apiVersion: ocp2/v1
cluster:
  name: {cluster}
  baseDomain: lab.test
  version: 4.18.30
  pullSecretFile: {lab}/pull-secret.json
  sshKeyFile: {lab}/id_ed25519.pub
hosts:{listed}
nodes:
  masters: {{count: 3, vcpus: 1, memory: 64MiB, disk: 1GiB}}
  workers: {{count: {workers}, vcpus: 1, memory: 64MiB, disk: 1GiB}}
machines: {{virtType: qemu, belowMinimum: allow{machines}}}
install: {install}
"""


def ssh(address, lab, known_hosts):
    """Returns how a host is reached, in YAML's flow style."""
    return f"{{address: {address}, user: root, identityFile: {lab}/id_ed25519, knownHostsFile: {known_hosts}}}"
