"""`standin-ping [--df] [--size N] [--count N] HOST`: busybox's ping cannot forbid fragments.

N is the size of the whole IP packet, so a packet of the NIC's MTU is `--size MTU`.
"""
import os
import socket
import struct
import sys
import time

IP_MTU_DISCOVER, PROBE = 10, 3
HEADERS = 28


def ping(host, size=64, df=False, patience=2.0, sequence=1):
    """Sends one echo request; returns milliseconds, None if nothing came back."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(patience)
        if df:
            # PROBE sets DF and does not trust what path MTU discovery remembers.
            sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PROBE)
        identity = os.getpid() & 0xFFFF
        body = bytes(i & 0xFF for i in range(max(0, size - HEADERS)))
        packet = struct.pack(">BBHHH", 8, 0, 0, identity, sequence) + body
        packet = packet[:2] + struct.pack(">H", checksum(packet)) + packet[4:]
        begin = time.monotonic()
        sock.sendto(packet, (host, 0))
        while time.monotonic() - begin < patience:
            try:
                data = sock.recv(65535)
            except socket.timeout:
                return None
            reply = data[(data[0] & 15) * 4:]
            if reply[0] == 0 and reply[4:] == packet[4:]:
                return (time.monotonic() - begin) * 1000
    return None


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def main(words):
    size, count, df = 64, 1, False
    host = None
    words = iter(words)
    for word in words:
        if word == "--df":
            df = True
        elif word == "--size":
            size = int(next(words))
        elif word == "--count":
            count = int(next(words))
        else:
            host = word
    answered = 0
    for sequence in range(1, count + 1):
        try:
            took = ping(host, size, df, sequence=sequence)
        except OSError as error:
            print(f"{host}: {error.strerror}")
            return 2
        print(f"{size} bytes, {host}: " + (f"{took:.1f} ms" if took is not None else "no answer"))
        answered += took is not None
    return 0 if answered == count else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
