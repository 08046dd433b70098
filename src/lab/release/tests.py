"""What the stand-in openshift-install takes and refuses: python3 src/lab/release/tests.py

Needs Python 3.11 and PyYAML. The words are the real installer's.
"""
import base64
import copy
import json
import os
import stat
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "installer"))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest", "standin"))
import agent_config  # noqa: E402
import install_config  # noqa: E402
import log  # noqa: E402
import upi  # noqa: E402
from problems import Refused  # noqa: E402

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMJ/eD4CRZqHgiZlGdyXzrLwa4GcG3HGa1kj8Otz93mg somebody"
INSTALL = {
    "apiVersion": "v1", "baseDomain": "lab.test", "metadata": {"name": "ocp"},
    "controlPlane": {"name": "master", "replicas": 3}, "compute": [{"name": "worker", "replicas": 2}],
    "networking": {"networkType": "OVNKubernetes", "machineNetwork": [{"cidr": "192.168.139.0/24"}],
                   "clusterNetwork": [{"cidr": "10.128.0.0/14", "hostPrefix": 23}],
                   "serviceNetwork": ["172.30.0.0/16"]},
    "platform": {"none": {}}, "pullSecret": '{"auths": {"quay.io": {"auth": "eA=="}}}', "sshKey": KEY,
}


def host(number, role, **more):
    return {"hostname": f"node{number}", "role": role,
            "interfaces": [{"name": "enp1s0", "macAddress": f"52:54:00:00:00:{number:02x}"}], **more}


def static(ip):
    return {"interfaces": [{"name": "enp1s0", "type": "ethernet", "state": "up", "ipv4": {
        "enabled": True, "address": [{"ip": ip, "prefix-length": 24}]}}]}


AGENT = {
    "apiVersion": "v1beta1", "kind": "AgentConfig", "metadata": {"name": "ocp"}, "rendezvousIP": "192.168.139.10",
    "hosts": [host(0, "master"), host(1, "master"), host(2, "master"), host(3, "worker"), host(4, "worker")],
}


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        # A stand-in of nmstatectl that agrees to everything; whether it is called is agent_config's business.
        self.program("#!/bin/sh\n")
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{self.folder.name}:{before}"
        self.addCleanup(os.environ.__setitem__, "PATH", before)

    def program(self, text):
        path = os.path.join(self.folder.name, "nmstatectl")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, stat.S_IRWXU)

    def load(self, read, config, *more):
        path = os.path.join(self.folder.name, "config.yaml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        return read(path, *more)

    def refuses(self, words, read, config, *more):
        with self.assertRaises(Refused) as caught:
            self.load(read, config, *more)
        self.assertIn(words, str(caught.exception))


def changed(config, path, value):
    config = copy.deepcopy(config)
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return config


class InstallConfig(Case):
    def test_it_takes_what_the_real_one_takes(self):
        for path, value in [
            (("metadata", "name"), "dotted.name"), (("networking", "networkType"), "Calico"),
            (("platform",), {"none": {}, "external": {"platformName": "x"}}), (("sshKey",), ""),
            (("controlPlane", "replicas"), 5), (("compute",), [{"name": "worker", "replicas": 0}]),
            (("publish",), "External"), (("proxy",), {"httpProxy": "http://a:1", "noProxy": "*"}),
            (("proxy",), {"httpsProxy": "https://10.0.0.1:1", "noProxy": ".a.b,10.0.0.0/8,10.1.1.1"}),
            (("capabilities",), {"baselineCapabilitySet": "vCurrent"}),
            (("capabilities",), {"baselineCapabilitySet": "None", "additionalEnabledCapabilities": ["Ingress"]}),
            (("imageDigestSources",), [{"source": "quay.io/a/b", "mirrors": ["registry.test:5000/a"]}]),
        ]:
            with self.subTest(path=path):
                self.load(install_config.load, changed(INSTALL, path, value))

    def test_it_refuses_in_the_real_ones_words(self):
        for path, value, words in [
            (("controlPlane", "replicas"), 2, "controlPlane.fencing.credentials: Forbidden: there should be exactly two"),
            (("controlPlane", "replicas"), 6, 'controlPlane.replicas: Unsupported value: 6: supported values: "3", "1"'),
            (("controlPlane", "replicas"), 1, "Compute.Replicas must be 0"),
            (("pullSecret",), "not json", "invalid character 'o' in literal null"),
            (("pullSecret",), "{}", "auths required"),
            (("pullSecret",), '{"auths": {"quay.io": {}}}', '"quay.io" requires either auth or credsStore'),
            (("networking", "clusterNetwork", 0, "cidr"), "172.30.0.0/15", "must not overlap with service network 0"),
            (("networking", "machineNetwork", 0, "cidr"), "192.168.139.5/24", "expecting 192.168.139.0/24"),
            (("networking", "machineNetwork", 0, "cidr"), "100.64.1.0/24", "must not overlap"),
            (("metadata", "name"), "Big", "a lowercase RFC 1123 subdomain must consist of"),
            (("metadata", "name"), "x" * 55, "must be no more than 54 characters"),
            (("metadata", "colour"), "red", 'unknown field "colour"'),
            (("replicas",), 3, 'unknown field "replicas"'),
            (("sshKey",), "ssh-ed25519 nonsense", "ssh: no key found"),
            (("publish",), "Internal", 'Internal publish strategy is not supported on "none" platform'),
            (("publish",), "Mixed", 'mixed publish strategy is not supported on "none" platform'),
            (("publish",), "Public", 'publish: Unsupported value: "Public"'),
            (("credentialsMode",), "Manual", 'cannot be set when using the "none" platform'),
            (("compute", 0, "architecture"), "arm64", "compute pool architecture must match control plane"),
            (("controlPlane", "architecture"), "arm64", "from a single architecture amd64 release payload"),
            (("fips",), True, "fips: Forbidden: use the FIPS-capable installer binary"),
            (("fips",), True, "SSH key type ssh-ed25519 unavailable when FIPS is enabled. Please use rsa or ecdsa."),
            (("capabilities",), {"baselineCapabilitySet": ""}, 'baselineCapabilitySet: Unsupported value: "": supported'),
            (("capabilities",), {"baselineCapabilitySet": "v4.99"}, 'Unsupported value: "v4.99": supported values: "None"'),
            (("capabilities",), {"baselineCapabilitySet": "None"}, "the Ingress capability is required"),
            (("capabilities",), {"baselineCapabilitySet": "v4.14", "additionalEnabledCapabilities": ["Ingress"]},
             'Invalid value: ["Ingress"]: the marketplace capability requires the OperatorLifecycleManager capability'),
            (("capabilities",), {"baselineCapabilitySet": "None", "additionalEnabledCapabilities": ["Ingres"]},
             'capabilities.additionalEnabledCapabilities[0]: Unsupported value: "Ingres"'),
            (("proxy",), {"noProxy": "a.b"}, "proxy: Required value: must include httpProxy or httpsProxy"),
            (("proxy",), {"httpProxy": "https://a:1"}, 'proxy.httpProxy: Unsupported value: "https": supported values: "http"'),
            (("proxy",), {"httpProxy": "http://10.128.0.9:1"}, "proxy value is part of the cluster networks"),
            (("proxy",), {"httpsProxy": "http://172.30.0.9:1"}, "proxy value is part of the service networks"),
            (("proxy",), {"httpProxy": "http://a:1", "noProxy": "a.b, c.d"}, "noProxy must not have spaces"),
            (("proxy",), {"httpProxy": "http://a:1", "noProxy": "a.b,*.c"}, 'which is violated by element 1 "*.c"'),
            (("imageDigestSources",), [{"source": "quay.io/a/b:latest"}], "must be repository--not reference"),
            (("additionalTrustBundlePolicy",), "Never", 'supported values "Proxyonly", "Always"'),
        ]:
            with self.subTest(path=path, value=value):
                self.refuses(words, install_config.load, changed(INSTALL, path, value))


class AgentConfig(Case):
    def test_it_takes_what_the_real_one_takes(self):
        for path, value in [
            (("kind",), "Agent"), (("rendezvousIP",), "10.0.0.1"), (("hosts",), []),
            (("hosts", 1, "hostname"), "node0"), (("hosts", 4, "role"), "master"),
            (("hosts", 1, "interfaces", 0, "macAddress"), "52:54:00:00:00:0A"),
            (("hosts", 0, "networkConfig"), static("10.9.9.9")),
        ]:
            with self.subTest(path=path):
                masters = 4 if value == "master" else 3
                self.load(agent_config.load, changed(AGENT, path, value), masters, 2)

    def test_it_refuses_in_the_real_ones_words(self):
        mac = ("hosts", 1, "interfaces", 0, "macAddress")
        for path, value, words in [
            (mac, "52:54:00:00:00", "invalid MAC address"), (mac, "52:54:00:00:00:00", "duplicate MAC address found"),
            (mac, "53:54:00:00:00:09", "expected unicast mac address, found multicast"),
            (("hosts", 1, "interfaces"), [], "at least one interface must be defined"),
            (("hosts", 0, "colour"), "red", 'unknown field "colour"'),
            (("hosts", 0, "role"), "boss", "Role must either be"),
            (("hosts", 0, "role"), "worker",
             "the number of worker hosts defined (3) exceeds the configured Compute replicas (2)"),
            (("hosts", 0, "rootDeviceHints"), {"wwnWithExtension": "x"}, "Forbidden"),
            (("rendezvousIP",), "nowhere", "is not a valid IP"),
        ]:
            with self.subTest(path=path, value=value):
                self.refuses(words, agent_config.load, changed(AGENT, path, value), 3, 2)

    def test_the_rendezvous_host_is_no_worker(self):
        config = changed(AGENT, ("hosts", 3, "networkConfig"), static("192.168.139.10"))
        self.refuses("hosts[3].role: Forbidden: ", agent_config.load, config, 3, 2)

    def test_without_rendezvous_ip_the_first_masters_address_is_it(self):
        config = changed(AGENT, ("hosts", 1, "networkConfig"), static("192.168.139.11"))
        del config["rendezvousIP"]
        loaded, _ = self.load(agent_config.load, config, 3, 2)
        self.assertEqual(loaded["rendezvousIP"], "192.168.139.11")

    def test_fewer_hosts_than_replicas_is_only_a_warning(self):
        _, warnings = self.load(agent_config.load, changed(AGENT, ("hosts",), AGENT["hosts"][:4]), 3, 2)
        self.assertEqual(len(warnings), 1)

    def test_nmstatectl_has_the_last_word(self):
        config = changed(AGENT, ("hosts", 0, "networkConfig"), static("300.0.0.1"))
        self.program("#!/bin/sh\necho 'InvalidArgument: invalid IP address syntax' >&2; exit 1\n")
        self.refuses("failed to execute 'nmstatectl gc', error: InvalidArgument", agent_config.load, config, 3, 2)
        os.environ["PATH"] = "/nonexistent"
        self.refuses('"nmstatectl": executable file not found in $PATH', agent_config.load, config, 3, 2)


class Upi(Case):
    """Manifests from the install-config, ignition from the manifests; each eats what it is made of."""

    def place(self, config):
        folder = os.path.join(self.folder.name, "assets")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "install-config.yaml"), "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        log.open_in(folder, "fatal")
        self.addCleanup(log._file.close)
        return folder

    def scheduler(self, folder):
        with open(os.path.join(folder, upi.SCHEDULER), encoding="utf-8") as file:
            return file.read()

    def ignition(self, folder, role):
        with open(os.path.join(folder, f"{role}.ign"), encoding="utf-8") as file:
            return json.load(file)

    def test_what_is_edited_between_manifests_and_ignition_counts(self):
        folder = self.place(INSTALL)
        upi.manifests(folder)
        self.assertNotIn("install-config.yaml", os.listdir(folder))
        text = self.scheduler(folder)
        self.assertIn("\n  mastersSchedulable: false\n", text)
        with open(os.path.join(folder, upi.SCHEDULER), "w", encoding="utf-8") as file:
            file.write(text.replace("mastersSchedulable: false", "mastersSchedulable: true"))
        upi.ignition_configs(folder)
        self.assertFalse({"manifests", "openshift"} & set(os.listdir(folder)))
        source = self.ignition(folder, "bootstrap")["storage"]["files"][0]["contents"]["source"]
        payload = json.loads(base64.b64decode(source.partition(",")[2]))
        self.assertTrue(payload["mastersSchedulable"])
        merge = self.ignition(folder, "worker")["ignition"]["config"]["merge"]
        self.assertEqual(merge, [{"source": "https://api-int.ocp.lab.test:22623/config/worker"}])

    def test_masters_are_schedulable_where_there_is_nothing_else(self):
        folder = self.place(changed(INSTALL, ("compute", 0, "replicas"), 0))
        upi.manifests(folder)
        self.assertIn("\n  mastersSchedulable: true\n", self.scheduler(folder))

    def test_it_refuses_in_the_real_ones_words(self):
        folder = self.place(changed(INSTALL, ("pullSecret",), "{}"))
        with self.assertRaises(Refused) as caught:
            upi.manifests(folder)
        self.assertIn('failed to fetch Master Machines: failed to load asset "Install Config"', str(caught.exception))
        self.assertIn("auths required", str(caught.exception))
        os.remove(os.path.join(folder, "install-config.yaml"))
        with self.assertRaises(Refused) as caught:
            upi.ignition_configs(folder)
        self.assertIn("failed to fetch Bootstrap Ignition Config", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
