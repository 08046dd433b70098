#!/usr/bin/env python3
"""What one more host costs: time and CPU of a run that changes nothing, peers, copies of a flooded frame.

`make bench` runs this on the workstation of a lab of many hosts, with 2, 4, 8, …
of them in the inventory. The table is for reading; nothing here is a test.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import inventory

ROUNDS = 5


class Grow:
    def __init__(self, options):
        self.options, self.lab = options, Path(options.lab)
        self.work = Path(options.work)
        self.work.mkdir(parents=True, exist_ok=True)

    def inventory(self, count):
        hosts = [
            f"name: bm{n}, ssh: {inventory.ssh(f'192.0.2.{10 + n}', self.lab, self.lab / 'known_hosts')}, "
            f"nic: ens34f0, address: 192.168.139.{100 + n}"
            for n in range(1, count + 1)
        ]
        path = self.work / f"grow-{count}.yaml"
        path.write_text(inventory.text("grow", self.lab, hosts, max(count - 3, 0)))
        return path

    def ocp2(self, *arguments):
        """Runs ocp2; returns seconds, CPU seconds and most memory in MiB."""
        begin = time.monotonic()
        child = subprocess.Popen(
            [self.options.ocp2, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"grow: ocp2 {' '.join(map(str, arguments))}: {said.decode()}")
        return time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    def at(self, place, source):
        command = [self.options.ocp2, "lab", "exec", place, "--", "bash", "-c", source]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def copies(self):
        """Counts the packets that leave bm1 for one frame to everybody."""
        sent = "cat /sys/class/net/vxlan0/statistics/tx_packets"
        # Somebody who is not there is asked for once.
        ask = "ip neigh replace 192.168.139.250 dev br-vm nud none; ping -c1 -W1 192.168.139.250 >/dev/null || true"
        once = "for f in /proc/sys/net/ipv4/neigh/br-vm/mcast_solicit; do echo 1 > $f; done"
        before, after = self.at("bm1", f"{once}; {sent}; {ask}; {sent}").splitlines()
        return int(after) - int(before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ocp2", required=True)
    parser.add_argument("--lab", required=True, help="folder of the lab's files")
    parser.add_argument("--work", required=True, help="folder for inventories")
    parser.add_argument("--counts", type=lambda text: [int(one) for one in text.split(",")], default=[2, 4, 8, 16])
    grow = Grow(parser.parse_args())
    print("\nNothing to change (`up --until overlay`), by number of hosts\n")
    print("| hosts | median s | CPU s | CPU ms a host | MiB | peers a host | copies of a flooded frame |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    for count in grow.options.counts:
        path = grow.inventory(count)
        up = ["up", "--yes", "--until", "overlay", path]
        grow.ocp2(*up)
        runs = [grow.ocp2(*up) for _ in range(ROUNDS)]
        cpu = statistics.median(run[1] for run in runs)
        peers = grow.at("bm1", "bridge fdb show dev vxlan0 | grep -c '^00:00:00:00:00:00 .*permanent'")
        print(
            f"| {count} | {statistics.median(run[0] for run in runs):.2f} | {cpu:.2f} | {cpu / count * 1000:.0f} "
            f"| {max(run[2] for run in runs):.0f} | {peers} | {grow.copies()} |",
            flush=True,
        )
    grow.ocp2("down", "--yes", path)


if __name__ == "__main__":
    main()
