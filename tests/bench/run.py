#!/usr/bin/env python3
"""Compares ocp2 with what one would otherwise use, in one run, on the same two lab hosts.

`make bench` runs this on the lab's workstation. All three tools keep the same
files, units, pool, volumes and domains on the hosts (Ansible's and pyinfra's are
those that ocp2 had put there), and are run in turns, near and through a delay.
The table is for reading; nothing here is a test.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import inventory
from lab import HERE, Lab

CLUSTER = "bench"
POOL_PATH = "/var/lib/libvirt/images/bench"
PACKAGES = "dnsmasq-base haproxy libvirt-clients libvirt-daemon-system nftables qemu-system-x86 qemu-utils".split()


class Bench:
    def __init__(self, lab):
        self.lab, self.work = lab, lab.work
        self.bin = Path(sys.executable).parent
        lab.env["ANSIBLE_CONFIG"] = str(self.work / "ansible.cfg")

    def inventory(self, delay):
        return str(self.work / f"ocp2-{delay}.yaml")

    def prepare(self):
        """Writes everybody's inventories."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.lab.prepare()
        # VMs that find nothing to boot rest in their firmware: they cost the same under every tool.
        (self.work / "empty.iso").write_bytes(bytes(1 << 20))
        (self.work / "ansible.cfg").write_text(
            "[defaults]\nforks = 20\nretry_files_enabled = false\ninterpreter_python = /usr/bin/python3\n"
            "[ssh_connection]\npipelining = true\n"
            f"ssh_args = -F {self.lab.ssh_config} -o ControlMaster=auto -o ControlPersist=60s\n"
            f"control_path_dir = {self.work}\ncontrol_path = %(directory)s/%%h.mux\n"
        )
        for delay in self.lab.delays:
            Path(self.inventory(delay)).write_text(self.described(delay))

    def described(self, delay):
        hosts = [
            f"name: {name}, ssh: {inventory.ssh(self.lab.near(name, delay), self.lab.folder, self.lab.known_hosts)}, "
            f"nic: ens34f0, underlay: {{address: {address}}}"
            for name, address in self.lab.hosts.items()
        ]
        image = f"{{iso: {self.work}/empty.iso}}"
        return inventory.text(CLUSTER, self.lab.folder, hosts, 3, machines=f", pool: {POOL_PATH}", install=image)

    def collect(self):
        """Takes from the hosts what ocp2 has put there, for the others to keep."""
        files = {}
        for name in self.lab.hosts:
            own = self.work / "files" / name
            own.mkdir(parents=True)
            paths = self.lab.at(
                name,
                f"cd / && find etc/ocp2/{CLUSTER} etc/sysctl.d/ocp2-{CLUSTER}.conf "
                f"etc/systemd/system/ocp2-{CLUSTER}-*.service -type f",
            ).split()
            for path in paths:
                (own / path).parent.mkdir(parents=True, exist_ok=True)
                (own / path).write_text(self.lab.at(name, f"cat /{path}"))
                (own / path).chmod(int(self.lab.at(name, f"stat -c %a /{path}"), 8))
            pool = f"ocp2-{CLUSTER}"
            (own / "pool.xml").write_text(self.lab.at(name, f"virsh pool-dumpxml --inactive {pool}"))
            domains = self.lab.at(name, "virsh list --all --name").split()
            for domain in domains:
                (own / f"{domain}.xml").write_text(self.lab.at(name, f"virsh dumpxml --inactive {domain}"))
            files[name] = {"files": sorted(paths), "domains": sorted(domains)}
        for delay in self.lab.delays:
            shared = {
                "packages": PACKAGES,
                "etc": f"/etc/ocp2/{CLUSTER}",
                "folder": str(self.work / "files"),
                "units": [f"ocp2-{CLUSTER}-{name}.service" for name in ("overlay", "dns", "balancer", "guests")],
                "settings": f"etc/sysctl.d/ocp2-{CLUSTER}.conf",
                "image": str(self.work / "empty.iso"),
                "image_path": f"{POOL_PATH}/{CLUSTER}-agent.iso",
                "pool": f"ocp2-{CLUSTER}",
                "pool_path": POOL_PATH,
                "disk_bytes": 1 << 30,
            }
            hosts = {
                name: files[name] | {"ansible_host": self.lab.near(name, delay)} for name in self.lab.hosts
            }
            everything = {"all": {"vars": shared, "hosts": hosts}}
            (self.work / f"ansible-{delay}.json").write_text(json.dumps(everything))
            ssh = {
                "ssh_user": "root",
                "ssh_key": f"{self.lab.folder}/id_ed25519",
                "ssh_known_hosts_file": str(self.lab.known_hosts),
                "ssh_strict_host_key_checking": "yes",
            }
            listed = [
                (name, shared | files[name] | ssh | {"ssh_hostname": self.lab.near(name, delay)})
                for name in self.lab.hosts
            ]
            (self.work / f"pyinfra_{delay}.py").write_text(f"hosts = {listed!r}\n")

    def command(self, tool, delay):
        ocp2 = self.lab.program
        return {
            "ssh host true": self.lab.ssh(self.lab.near("bm1", delay), "true"),
            "ocp2 plan --check": [ocp2, "plan", "--check", self.inventory(delay)],
            "ocp2 up": [ocp2, "up", "--yes", "--until", "machines", self.inventory(delay)],
            "pyinfra": [self.bin / "pyinfra", "-y", self.work / f"pyinfra_{delay}.py", HERE / "deploy.py"],
            "ansible": [self.bin / "ansible-playbook", "-i", self.work / f"ansible-{delay}.json", HERE / "site.yml"],
        }[tool]

    def run(self, tool, delay):
        return self.lab.timed(self.command(tool, delay))

    def forget_connections(self, delay):
        """Ends what Ansible's ssh left open: the next run is to begin as the first one does."""
        for name in self.lab.hosts:
            address = self.lab.near(name, delay)
            close = ["ssh", "-o", f"ControlPath={self.work}/{address}.mux", "-O", "exit", address]
            subprocess.run(close, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def down(self):
        self.lab.ocp2("down", "--yes", self.inventory(0))
        for name in self.lab.hosts:
            self.lab.at(name, f"rm -rf {POOL_PATH}")


def table(title, rows, floor):
    print(f"\n{title}\n")
    print("| | median s | min – max s | × ssh | × ocp2 up | CPU s | MiB |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    medians = {tool: statistics.median(run[0] for run in runs) for tool, runs in rows.items()}
    for tool, runs in rows.items():
        seconds = [run[0] for run in runs]
        ratio = f"{medians[tool] / medians[floor]:.1f}" if floor in medians else ""
        print(
            f"| {tool} | {medians[tool]:.2f} | {min(seconds):.2f} – {max(seconds):.2f} | {ratio} "
            f"| {medians[tool] / medians['ocp2 up']:.1f} | {statistics.median(run[1] for run in runs):.2f} "
            f"| {max(run[2] for run in runs):.0f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ocp2", required=True)
    parser.add_argument("--lab", required=True, help="folder of the lab's files")
    parser.add_argument("--work", required=True, help="folder for inventories and logs")
    parser.add_argument("--delays", type=lambda text: [int(one) for one in text.split(",")], default=[0, 50, 200])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--first", type=int, default=2, help="rounds from hosts with nothing but the packages")
    options = parser.parse_args()
    lab = Lab(options.ocp2, options.lab, options.work, ["bm1", "bm2"], options.delays)
    bench = Bench(lab)
    bench.prepare()
    with lab.far():
        bench.run("ocp2 up", 0)
        bench.collect()
        others = ["pyinfra", "ansible"]
        for tool in others:
            bench.run(tool, 0)
        # The others agree with what ocp2 wants, or it is no comparison.
        bench.run("ocp2 plan --check", 0)
        for delay in options.delays:
            rows = {tool: [] for tool in ["ssh host true", "ocp2 plan --check", "ocp2 up", *others]}
            for _ in range(options.rounds):
                for tool, runs in rows.items():
                    runs.append(bench.run(tool, delay))
                bench.forget_connections(delay)
            table(f"Nothing to change, two hosts, six VMs, {delay} ms round trip", rows, "ssh host true")
        rows = {tool: [] for tool in ["ocp2 up", *others]}
        for _ in range(options.first):
            for tool, runs in rows.items():
                bench.down()
                runs.append(bench.run(tool, 0))
                bench.forget_connections(0)
        bench.down()
        table("From hosts with the packages to running VMs, 0 ms", rows, "")


if __name__ == "__main__":
    main()
