#!/usr/bin/env python3
"""What one more host costs: time and CPU of a run that changes nothing, peers, copies of a flooded frame.

`make bench` runs this on the workstation of a lab of many hosts, with 2, 4, 8, …
of them in the inventory. The table is for reading; nothing here is a test.
"""

import argparse
import statistics

import inventory
from lab import Lab

ROUNDS = 5


class Grow:
    def __init__(self, lab):
        self.lab = lab

    def inventory(self, count):
        hosts = [
            f"name: bm{n}, ssh: {inventory.ssh(self.lab.hosts[f'bm{n}'], self.lab.folder, self.lab.known_hosts)}, "
            f"nic: ens34f0, address: 192.168.139.{100 + n}"
            for n in range(1, count + 1)
        ]
        path = self.lab.work / f"grow-{count}.yaml"
        path.write_text(inventory.text("grow", self.lab.folder, hosts, max(count - 3, 0)))
        return path

    def copies(self):
        """Counts the packets that leave bm1 for one frame of its own to everybody."""
        sent = "cat /sys/class/net/{vxlan0,br-vm}/statistics/tx_packets"
        # Somebody who is not there is asked for once.
        ask = "ip neigh replace 192.168.139.250 dev br-vm nud none; ping -c1 -W1 192.168.139.250 >/dev/null || true"
        once = "for f in /proc/sys/net/ipv4/neigh/br-vm/mcast_solicit; do echo 1 > $f; done"
        counts = [int(count) for count in self.lab.at("bm1", f"{once}; {sent}; {ask}; {sent}").split()]
        packets, frames = counts[2] - counts[0], counts[3] - counts[1]
        return packets // frames


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ocp2", required=True)
    parser.add_argument("--lab", required=True, help="folder of the lab's files")
    parser.add_argument("--work", required=True, help="folder for inventories")
    parser.add_argument("--counts", type=lambda text: [int(one) for one in text.split(",")], default=[2, 4, 8, 16, 32])
    options = parser.parse_args()
    lab = Lab(options.ocp2, options.lab, options.work, [f"bm{n}" for n in range(1, max(options.counts) + 1)])
    lab.prepare()
    grow = Grow(lab)
    print("\nNothing to change (`up --until overlay`), by number of hosts\n")
    print("| hosts | median s | CPU s | CPU ms a host | MiB | peers a host | copies of a flooded frame |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    for count in options.counts:
        path = grow.inventory(count)
        up = ["up", "--yes", "--until", "overlay", path]
        lab.ocp2(*up)
        runs = [lab.ocp2(*up) for _ in range(ROUNDS)]
        cpu = statistics.median(run[1] for run in runs)
        peers = lab.at("bm1", "bridge fdb show dev vxlan0 | grep -c '^00:00:00:00:00:00 .*permanent'").strip()
        print(
            f"| {count} | {statistics.median(run[0] for run in runs):.2f} | {cpu:.2f} | {cpu / count * 1000:.0f} "
            f"| {max(run[2] for run in runs):.0f} | {peers} | {grow.copies()} |",
            flush=True,
        )
    lab.ocp2("down", "--yes", grow.inventory(max(options.counts)))


if __name__ == "__main__":
    main()
