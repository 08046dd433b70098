"""A DNS client that shows what came back: status, values, time.

`standin-dig [@SERVER] NAME [TYPE]` prints it.
"""
import random
import socket
import struct
import sys
import time

from . import read

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}
STATUS = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


class Answer:
    """One answer; a question nobody answered has the status TIMEOUT."""

    def __init__(self, status, values, milliseconds, server):
        self.status, self.values = status, values
        self.milliseconds, self.server = milliseconds, server


def servers():
    """Returns the name servers of this system."""
    lines = [line.split() for line in read("/etc/resolv.conf").splitlines()]
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def reverse(ip):
    """Returns the name whose PTR record belongs to an address."""
    return ".".join(reversed(ip.split("."))) + ".in-addr.arpa"


def ask(name, kind="A", server=None, patience=2.0):
    """Asks one server, or those of this system in turn."""
    begin = time.monotonic()
    tried = ""
    for tried in [server] if server else servers():
        try:
            status, values = query(tried, name, kind, patience)
            return Answer(status, values, (time.monotonic() - begin) * 1000, tried)
        except OSError:
            continue
    return Answer("TIMEOUT", [], (time.monotonic() - begin) * 1000, tried)


def query(server, name, kind, patience):
    number = random.randrange(1 << 16)
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split("."))
    question = labels + b"\0" + struct.pack(">HH", TYPES[kind], 1)
    packet = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience)
        sock.connect((server, 53))
        sock.send(packet)
        while True:
            data = sock.recv(4096)
            if data[:2] == packet[:2]:
                return parse(data)


def parse(data):
    _, flags, questions, answers, _, _ = struct.unpack(">HHHHHH", data[:12])
    at = 12
    for _ in range(questions):
        at = skip(data, at) + 4
    values = []
    for _ in range(answers):
        at = skip(data, at)
        kind, _, _, length = struct.unpack(">HHIH", data[at:at + 10])
        at += 10
        body = data[at:at + length]
        if kind == 1:
            values.append(socket.inet_ntop(socket.AF_INET, body))
        elif kind == 28:
            values.append(socket.inet_ntop(socket.AF_INET6, body))
        elif kind in (5, 12):
            values.append(text(data, at))
        at += length
    return STATUS.get(flags & 15, str(flags & 15)), values


def skip(data, at):
    while data[at]:
        if data[at] >= 0xC0:
            return at + 2
        at += data[at] + 1
    return at + 1


def text(data, at):
    parts = []
    while data[at]:
        if data[at] >= 0xC0:
            at = (data[at] & 0x3F) << 8 | data[at + 1]
            continue
        parts.append(data[at + 1:at + 1 + data[at]].decode("ascii", "replace"))
        at += data[at] + 1
    return ".".join(parts)


def main(words):
    server = next((word[1:] for word in words if word.startswith("@")), None)
    words = [word for word in words if not word.startswith("@")]
    kind = words[1].upper() if len(words) > 1 else "A"
    answer = ask(words[0], kind, server)
    print(f"status={answer.status} answers={len(answer.values)} "
          f"ms={answer.milliseconds:.0f} server={answer.server}")
    for value in answer.values:
        print(value)
    return 0 if answer.status == "NOERROR" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
