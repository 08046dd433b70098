"""The lab's hosts as a benchmark meets them: near, and behind a delay."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Lab:
    """A lab and the folder for what a benchmark writes; `names` are the hosts it measures."""

    def __init__(self, ocp2, folder, work, names, delays=(0,)):
        self.program, self.folder, self.work = ocp2, Path(folder), Path(work)
        self.hosts = {name: f"192.0.2.{10 + int(name.removeprefix('bm'))}" for name in names}
        self.delays = delays
        self.ssh_config = self.work / "ssh_config"
        self.known_hosts = self.work / "known_hosts"
        self.env = os.environ | {"LC_ALL": "C.UTF-8"}

    def prepare(self):
        """Writes what OpenSSH needs to know to reach the hosts at every distance."""
        self.work.mkdir(parents=True, exist_ok=True)
        known = (self.folder / "known_hosts").read_text()
        for name, address in self.hosts.items():
            lines = [line for line in known.splitlines() if line.startswith(address + " ")]
            for delay in filter(None, self.delays):
                known += "".join(line.replace(address, self.near(name, delay), 1) + "\n" for line in lines)
        self.known_hosts.write_text(known)
        self.ssh_config.write_text(
            f"Host *\n  User root\n  IdentityFile {self.folder}/id_ed25519\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.known_hosts}\n  BatchMode yes\n"
        )

    def near(self, name, delay):
        """Returns the address behind which a host is `delay` ms of round trip away."""
        address = self.hosts[name]
        return f"127.1.{delay}.{address.rpartition('.')[2]}" if delay else address

    @contextmanager
    def far(self):
        """Puts the delays in between."""
        proxies = []
        for delay in filter(None, self.delays):
            places = [
                place
                for name, address in self.hosts.items()
                for place in (f"{self.near(name, delay)}:22", f"{address}:22")
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

    def ssh(self, address, *command):
        """Returns OpenSSH's command line."""
        return ["ssh", "-F", self.ssh_config, address, *command]

    def at(self, place, source):
        """Runs shell source on a lab host, not through SSH."""
        command = [self.program, "lab", "exec", place, "--", "bash", "-c", source]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"bench: {place}: {source}: {done.stderr}")
        return done.stdout

    def timed(self, command, stdin=subprocess.DEVNULL):
        """Runs a command; returns seconds, CPU seconds of it and its children, and its most memory in MiB."""
        with open(self.work / "last.log", "w+", encoding="utf-8") as log:
            begin = time.monotonic()
            child = subprocess.Popen(command, stdin=stdin, stdout=log, stderr=log, env=self.env, cwd=self.work)
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.monotonic() - begin
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                log.seek(0)
                sys.exit(f"bench: {' '.join(map(str, command))} ended with {child.returncode}:\n{log.read()}")
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    def ocp2(self, *arguments):
        """Runs ocp2, timed."""
        return self.timed([self.program, *arguments])
