#!/usr/bin/env python3
"""Compares ocp2 with what one would otherwise use, in one run, on the same two lab hosts.

`make bench` runs this on the lab's workstation. All three tools keep the same
files, units, pool, volumes and domains on the hosts (Ansible's and pyinfra's are
those that ocp2 had put there), and are run in turns, near and through a delay.
The table is for reading; nothing here is a test.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import inventory

HERE = Path(__file__).resolve().parent
HOSTS = {"bm1": "192.0.2.11", "bm2": "192.0.2.12"}
CLUSTER = "bench"
POOL_PATH = "/var/lib/libvirt/images/bench"
PACKAGES = "dnsmasq-base haproxy libvirt-clients libvirt-daemon-system nftables qemu-system-x86 qemu-utils".split()


def near(index, delay):
    """Returns the address behind which a host is `delay` ms away."""
    return list(HOSTS.values())[index] if delay == 0 else f"127.1.{delay}.{11 + index}"


class Bench:
    def __init__(self, options):
        self.options = options
        self.lab = Path(options.lab)
        self.work = Path(options.work)
        self.bin = Path(sys.executable).parent
        self.env = os.environ | {"ANSIBLE_CONFIG": str(self.work / "ansible.cfg"), "LC_ALL": "C.UTF-8"}

    def inventory(self, delay):
        return str(self.work / f"ocp2-{delay}.yaml")

    def prepare(self):
        """Writes everybody's inventories."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        # VMs that find nothing to boot rest in their firmware: they cost the same under every tool.
        (self.work / "empty.iso").write_bytes(bytes(1 << 20))
        known = (self.lab / "known_hosts").read_text()
        for delay in self.options.delays:
            for index, address in enumerate(HOSTS.values()):
                if delay:
                    lines = [line for line in known.splitlines() if line.startswith(address + " ")]
                    known += "".join(line.replace(address, near(index, delay), 1) + "\n" for line in lines)
        (self.work / "known_hosts").write_text(known)
        (self.work / "ssh_config").write_text(
            f"Host *\n  User root\n  IdentityFile {self.lab}/id_ed25519\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.work}/known_hosts\n  BatchMode yes\n"
        )
        (self.work / "ansible.cfg").write_text(
            "[defaults]\nforks = 20\nretry_files_enabled = false\ninterpreter_python = /usr/bin/python3\n"
            "[ssh_connection]\npipelining = true\n"
            f"ssh_args = -F {self.work}/ssh_config -o ControlMaster=auto -o ControlPersist=60s\n"
            f"control_path_dir = {self.work}\ncontrol_path = %(directory)s/%%h.mux\n"
        )
        for delay in self.options.delays:
            Path(self.inventory(delay)).write_text(self.described(delay))

    def described(self, delay):
        hosts = [
            f"name: {name}, ssh: {inventory.ssh(near(index, delay), self.lab, self.work / 'known_hosts')}, "
            f"nic: ens34f0, underlay: {{address: {address}}}"
            for index, (name, address) in enumerate(HOSTS.items())
        ]
        image = f"{{iso: {self.work}/empty.iso}}"
        return inventory.text(CLUSTER, self.lab, hosts, 3, machines=f", pool: {POOL_PATH}", install=image)

    def collect(self):
        """Takes from the hosts what ocp2 has put there, for the others to keep."""
        files = {}
        for name in HOSTS:
            own = self.work / "files" / name
            own.mkdir(parents=True)
            paths = self.at(
                name,
                f"cd / && find etc/ocp2/{CLUSTER} etc/sysctl.d/ocp2-{CLUSTER}.conf "
                f"etc/systemd/system/ocp2-{CLUSTER}-*.service -type f",
            ).split()
            for path in paths:
                (own / path).parent.mkdir(parents=True, exist_ok=True)
                (own / path).write_text(self.at(name, f"cat /{path}"))
                (own / path).chmod(int(self.at(name, f"stat -c %a /{path}"), 8))
            pool = f"ocp2-{CLUSTER}"
            (own / "pool.xml").write_text(self.at(name, f"virsh pool-dumpxml --inactive {pool}"))
            domains = self.at(name, "virsh list --all --name").split()
            for domain in domains:
                (own / f"{domain}.xml").write_text(self.at(name, f"virsh dumpxml --inactive {domain}"))
            files[name] = {"files": sorted(paths), "domains": sorted(domains)}
        for delay in self.options.delays:
            shared = {
                "packages": PACKAGES,
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
                name: files[name] | {"ansible_host": near(index, delay)} for index, name in enumerate(HOSTS)
            }
            everything = {"all": {"vars": shared, "hosts": hosts}}
            (self.work / f"ansible-{delay}.json").write_text(json.dumps(everything))
            ssh = {
                "ssh_user": "root",
                "ssh_key": f"{self.lab}/id_ed25519",
                "ssh_known_hosts_file": f"{self.work}/known_hosts",
                "ssh_strict_host_key_checking": "yes",
            }
            listed = [
                (name, shared | files[name] | ssh | {"ssh_hostname": near(index, delay)})
                for index, name in enumerate(HOSTS)
            ]
            (self.work / f"pyinfra_{delay}.py").write_text(f"hosts = {listed!r}\n")

    def at(self, place, source):
        """Runs shell source on a lab host, not through SSH."""
        done = subprocess.run(
            [self.options.ocp2, "lab", "exec", place, "--", "bash", "-c", source], capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"bench: {place}: {source}: {done.stderr}")
        return done.stdout

    @contextmanager
    def far(self):
        """Puts the delays in between."""
        proxies = []
        for delay in filter(None, self.options.delays):
            places = [
                place
                for index, address in enumerate(HOSTS.values())
                for place in (f"{near(index, delay)}:22", f"{address}:22")
            ]
            command = [sys.executable, HERE / "delay.py", "--delay", str(delay / 2), *places]
            proxies.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        try:
            for proxy in proxies:
                if proxy.stdout.readline() != "ready\n":
                    sys.exit("bench: a delay proxy did not start")
            yield
        finally:
            for proxy in proxies:
                proxy.terminate()
                proxy.wait()

    def command(self, tool, delay):
        ocp2 = self.options.ocp2
        return {
            "ssh host true": ["ssh", "-F", self.work / "ssh_config", near(0, delay), "true"],
            "ocp2 plan --check": [ocp2, "plan", "--check", self.inventory(delay)],
            "ocp2 up": [ocp2, "up", "--yes", "--until", "machines", self.inventory(delay)],
            "pyinfra": [self.bin / "pyinfra", "-y", self.work / f"pyinfra_{delay}.py", HERE / "deploy.py"],
            "ansible": [self.bin / "ansible-playbook", "-i", self.work / f"ansible-{delay}.json", HERE / "site.yml"],
        }[tool]

    def run(self, tool, delay):
        """Runs a tool; returns seconds, CPU seconds of it and its children, and its most memory in MiB."""
        log = open(self.work / "last.log", "w+", encoding="utf-8")
        begin = time.monotonic()
        child = subprocess.Popen(
            self.command(tool, delay), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, cwd=self.work
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            log.seek(0)
            sys.exit(f"bench: {tool} at {delay} ms ended with {child.returncode}:\n{log.read()}")
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    def forget_connections(self, delay):
        """Ends what Ansible's ssh left open: the next run is to begin as the first one does."""
        for index in range(len(HOSTS)):
            address = near(index, delay)
            close = ["ssh", "-o", f"ControlPath={self.work}/{address}.mux", "-O", "exit", address]
            subprocess.run(close, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def down(self):
        subprocess.run(
            [self.options.ocp2, "down", "--yes", self.inventory(0)], check=True, capture_output=True, env=self.env
        )
        for name in HOSTS:
            self.at(name, f"rm -rf {POOL_PATH}")


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
    bench = Bench(parser.parse_args())
    bench.prepare()
    with bench.far():
        bench.run("ocp2 up", 0)
        bench.collect()
        others = ["pyinfra", "ansible"]
        for tool in others:
            bench.run(tool, 0)
        # The others agree with what ocp2 wants, or it is no comparison.
        bench.run("ocp2 plan --check", 0)
        for delay in bench.options.delays:
            rows = {tool: [] for tool in ["ssh host true", "ocp2 plan --check", "ocp2 up", *others]}
            for _ in range(bench.options.rounds):
                for tool, runs in rows.items():
                    runs.append(bench.run(tool, delay))
                bench.forget_connections(delay)
            table(f"Nothing to change, two hosts, six VMs, {delay} ms round trip", rows, "ssh host true")
        rows = {tool: [] for tool in ["ocp2 up", *others]}
        for _ in range(bench.options.first):
            for tool, runs in rows.items():
                bench.down()
                runs.append(bench.run(tool, 0))
                bench.forget_connections(0)
        bench.down()
        table("From hosts with the packages to running VMs, 0 ms", rows, "")


if __name__ == "__main__":
    main()
