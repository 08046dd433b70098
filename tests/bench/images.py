#!/usr/bin/env python3
"""What a large image costs on its way to two and to four hosts, beside what OpenSSH takes for it.

`make bench` runs this on the workstation of a lab of four hosts. The image is noise, of
1.2 GB like a real one; OpenSSH's part is one `ssh host 'cat > file'` to the first host and
one such copy from there to the second, neither of which verifies what has arrived. All of
it is kept in memory, for the lab's hosts have one disk between them; and it is measured
at the speed of the cores, which they share too, and over lines of 1 Gbit/s, as hired
servers have them. The tables are for reading; nothing here is a test.
"""

import argparse
import contextlib
import statistics
import subprocess
from pathlib import Path

import inventory
from lab import Lab

NAMES = ["bm1", "bm2", "bm3", "bm4"]
MEBIBYTES = 1200
POOL = "/var/lib/libvirt/images/images"
FAR = 50
LINE = "1gbit"


class Images:
    def __init__(self, lab):
        self.lab = lab
        self.image = lab.work / "noise.iso"

    def prepare(self):
        self.lab.prepare()
        with open("/dev/urandom", "rb") as noise, open(self.image, "wb") as image:
            for _ in range(MEBIBYTES):
                image.write(noise.read(1 << 20))
        for name in NAMES:
            self.lab.at(name, f"mkdir -p {POOL}; mountpoint -q {POOL} || mount -t tmpfs -o size=4g,mode=711 none {POOL}")

    def inventory(self, count, delay):
        """Writes the inventory of a cluster on the first `count` hosts."""
        hosts = [
            f"name: {name}, ssh: {inventory.ssh(self.lab.near(name, delay), self.lab.folder, self.lab.known_hosts)}, "
            f"nic: ens34f0, underlay: {{address: {self.lab.hosts[name]}}}"
            for name in NAMES[:count]
        ]
        path = self.lab.work / f"images-{count}-{delay}.yaml"
        install = f"{{iso: {self.image}}}"
        path.write_text(
            inventory.text("images", self.lab.folder, hosts, 1, machines=f", pool: {POOL}", install=install)
        )
        return path

    def take_away(self):
        for name in NAMES:
            self.lab.at(name, f"rm -f {POOL}/*.iso* {POOL}/noise /var/lib/ocp2/images/image.json")

    def ocp2(self, count, delay):
        self.take_away()
        return self.lab.ocp2("up", "--yes", "--until", "image", self.inventory(count, delay))

    def up(self, delay):
        """Sends the image to the first host."""
        self.take_away()
        with open(self.image, "rb") as image:
            return self.lab.timed(self.lab.ssh(self.lab.near("bm1", delay), f"cat > {POOL}/noise"), stdin=image)

    def across(self):
        """Sends it on from the first host to the second, with a key that only the first one's root can read."""
        options = "-i /root/bench-key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes"
        copy = f"ssh {options} {self.lab.hosts['bm2']} 'cat > {POOL}/noise' < {POOL}/noise"
        return self.lab.timed(self.lab.ssh(self.lab.hosts["bm1"], copy))

    @contextlib.contextmanager
    def lines(self):
        """Gives the workstation and every host a line of LINE."""
        route = subprocess.run(
            ["ip", "-o", "route", "get", self.lab.hosts["bm1"]], check=True, capture_output=True, text=True
        )
        own = route.stdout.split(" dev ")[1].split()[0]
        limit = f"root tbf rate {LINE} burst 1mb latency 50ms"
        subprocess.run(["tc", "qdisc", "add", "dev", own, *limit.split()], check=True)
        for name in NAMES:
            self.lab.at(name, f"tc qdisc add dev ens34f0 {limit}")
        yield
        subprocess.run(["tc", "qdisc", "del", "dev", own, "root"], check=True)
        for name in NAMES:
            self.lab.at(name, "tc qdisc del dev ens34f0 root")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ocp2", required=True)
    parser.add_argument("--lab", required=True, help="folder of the lab's files")
    parser.add_argument("--work", required=True, help="folder for inventories and the image")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    lab = Lab(options.ocp2, options.lab, options.work, NAMES, [0, FAR])
    images = Images(lab)
    images.prepare()
    key = (Path(options.lab) / "id_ed25519").read_text()
    lab.at("bm1", f"install -m 600 /dev/null /root/bench-key; cat >/root/bench-key <<'KEY'\n{key}KEY")
    near = {
        "ssh to one host": lambda: images.up(0),
        "ssh from there to another": images.across,
        "ocp2, two hosts": lambda: images.ocp2(2, 0),
        "ocp2, four hosts": lambda: images.ocp2(4, 0),
    }
    far = {
        f"ssh to one host, {FAR} ms": lambda: images.up(FAR),
        f"ocp2, one host, {FAR} ms": lambda: images.ocp2(1, FAR),
    }
    with lab.far():
        # All that comes before the image, so that only the image is measured.
        for count, delay in ((2, 0), (4, 0)):
            lab.ocp2("up", "--yes", "--until", "image", images.inventory(count, delay))
        table("as fast as two cores bear", near, 2, options.rounds)
        table(f"at {FAR} ms round trip", far, 1, options.rounds)
        with images.lines():
            table(f"over lines of {LINE}", near, 2, options.rounds)
    for name in NAMES:
        lab.at(name, f"umount {POOL}")
    lab.ocp2("down", "--yes", images.inventory(4, 0))


def table(title, kinds, floor, rounds):
    """Measures in turns; the first `floor` kinds together are what the others are compared with."""
    runs = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, run in kinds.items():
            runs[kind].append(run())
    medians = {kind: statistics.median(run[0] for run in all_runs) for kind, all_runs in runs.items()}
    openssh = sum(list(medians.values())[:floor])
    print(f"\nAn image of {MEBIBYTES} MiB, {title}\n")
    print("| | median s | min – max s | × OpenSSH | CPU s | MiB |")
    print("|---|--:|--:|--:|--:|--:|")
    for kind, all_runs in runs.items():
        seconds = [run[0] for run in all_runs]
        ratio = f"{medians[kind] / openssh:.2f}" if "ocp2" in kind else ""
        print(
            f"| {kind} | {medians[kind]:.1f} | {min(seconds):.1f} – {max(seconds):.1f} | {ratio} "
            f"| {statistics.median(run[1] for run in all_runs):.1f} | {max(run[2] for run in all_runs):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
