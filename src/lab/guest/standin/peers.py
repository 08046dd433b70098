"""The nodes' view of each other: a datagram every two seconds instead of etcd and kubelets."""
import json
import socket
import threading
import time

PORT = 9999
EVERY, LOST = 2.0, 10.0
DESCRIPTION = ("id", "name", "role", "ip", "mac")


class Peers:
    """Who is there. Masters answer the API out of this."""

    def __init__(self, node, listed, live):
        self.node, self.live = node, live
        # Where nobody gathers the hosts beforehand, nodes come one by one and are told of each other.
        self.open = bool(node.payload.get("bootstrapToken"))
        self.table = {peer["id"]: dict(peer, seen=None, ready=False, since=time.time()) for peer in listed}
        self.ready, self.bootstrapped, self.available = False, False, False
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("0.0.0.0", PORT))
        if self.open and not live:
            self.learn([self.me()])

    def start(self):
        """Talks and listens in the background."""
        for work in (self.talk, self.listen):
            threading.Thread(target=work, daemon=True).start()

    def talk(self):
        while True:
            if not self.live:
                self.note({"id": self.node.id, "ready": self.ready})
            if self.open and not self.live and self.node.role == "master" and self.control_plane_ready():
                # What the bootstrap machine writes into the API survives it.
                self.bootstrapped = True
            if not self.available and self.all_ready():
                self.available = True
            message = json.dumps({
                "id": self.node.id, "cluster": self.node.payload["clusterId"], "live": self.live,
                "ready": self.ready, "bootstrapped": self.bootstrapped, "available": self.available,
                "table": self.listed() if self.open else []})
            for peer in list(self.table.values()):
                if peer["id"] != self.node.id:
                    try:
                        self.sock.sendto(message.encode(), (peer["ip"], PORT))
                    except OSError:
                        pass
            time.sleep(EVERY)

    def listen(self):
        while True:
            try:
                message = json.loads(self.sock.recv(65535))
            except (OSError, ValueError):
                continue
            if message.get("cluster") != self.node.payload["clusterId"]:
                continue
            self.learn(message["table"])
            self.bootstrapped |= message["bootstrapped"]
            self.available |= message["available"]
            if not message["live"]:
                self.note(message)

    def me(self):
        """Returns this node as others are told of it."""
        return {key: getattr(self.node, key) for key in DESCRIPTION}

    def listed(self):
        """Returns all that are known, as others are told of them."""
        return [{key: peer[key] for key in DESCRIPTION} for peer in list(self.table.values())]

    def learn(self, listed):
        for peer in listed:
            self.table.setdefault(peer["id"], dict(peer, seen=None, ready=False, since=time.time()))

    def first_master(self):
        """Returns the master that keeps what there is only one of, None if none is known."""
        return min((p for p in list(self.table.values()) if p["role"] == "master"),
                   key=lambda peer: peer["name"], default=None)

    def note(self, message):
        peer = self.table.get(message["id"])
        if peer is None:
            return
        if peer["ready"] != message["ready"] or not self.alive(peer):
            peer["since"] = time.time()
        peer["ready"], peer["seen"] = message["ready"], time.time()

    def alive(self, peer):
        return peer["seen"] is not None and time.time() - peer["seen"] < LOST

    def joined(self):
        """Returns the peers that have been seen as nodes, masters first."""
        seen = (peer for peer in list(self.table.values()) if peer["seen"] is not None)
        return sorted(seen, key=lambda peer: (peer["role"], peer["name"]))

    def ready_count(self):
        return sum(peer["ready"] and self.alive(peer) for peer in list(self.table.values()))

    def all_ready(self):
        return self.ready_count() >= self.expected()

    def expected(self):
        """Returns how many nodes there are to be."""
        return self.node.payload["masters"] + self.node.payload["workers"] if self.open else len(self.table)

    def control_plane_ready(self):
        """Tells whether every other master is a node."""
        others = [p for p in list(self.table.values()) if p["role"] == "master" and p["id"] != self.node.id]
        enough = not self.open or len(others) >= self.node.payload["masters"] - (self.node.role == "master")
        return enough and all(peer["ready"] and self.alive(peer) for peer in others)
