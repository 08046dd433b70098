"""The live system: registers with the rendezvous node, waits for its word, installs to disk."""
import json
import time

from . import assisted, checks, faults, medium, network, peers, ports, run, say, web


class Agent:
    """A host before it is a node."""

    def __init__(self, node):
        self.node = node
        self.stage, self.percentage = "", 0
        self.others, self.validations, self.skew = [], [], None

    def work(self):
        """Runs until the machine reboots."""
        node = self.node
        if node.rendezvous:
            say(f"this is the rendezvous host; its API is http://{node.ip}:{assisted.PORT}")
            web.serve(assisted.PORT, assisted.Service(node).handle)
        silent = True
        while faults.is_silent():
            time.sleep(1)
        while True:
            self.validations = checks.validate(node, self.others, self.skew)
            try:
                answer = self.report()
            except OSError as error:
                if silent:
                    say(f"waiting for the rendezvous host {node.payload['rendezvousIP']}: {error}")
                silent = False
                time.sleep(1)
                continue
            silent = True
            if answer["instruction"] == "install":
                node.role = answer["role"]
                return self.install(answer)
            self.others, self.skew = answer["peers"], time.time() - answer["now"]
            self.show_failures()
            time.sleep(1)

    def report(self):
        """Tells the rendezvous node how things are; returns its answer."""
        node = self.node
        path = f"{assisted.ROOT}/infra-envs/{node.payload['infraEnvId']}/hosts"
        status, _, body = web.fetch(node.payload["rendezvousIP"], assisted.PORT, path, body={
            "id": node.id, "name": node.name, "role": node.role or "auto-assign", "ip": node.ip,
            "mac": node.mac, "nic": node.nic, "mtu": network.mtu(node.nic),
            "stage": self.stage, "percentage": self.percentage, "validations": self.validations})
        if status != 201:
            raise OSError(f"the rendezvous host answers {status}")
        return json.loads(body)

    def show_failures(self):
        for check in self.validations:
            if check["status"] != "success":
                say(f"{check['id']}: {check['message']}")

    def reach(self, stage, percentage=0):
        say(f"stage: {stage} {percentage or ''}")
        self.stage, self.percentage = stage, percentage
        try:
            self.report()
        except OSError:
            # The rendezvous node may be gone by now; the work is the same.
            pass

    def install(self, answer):
        node = self.node
        state = {"self": node.id, "peers": answer["peers"], "installedAt": answer["installedAt"]}
        self.reach("Starting installation")
        if node.rendezvous:
            self.bootstrap(state)
            state["bootstrapped"] = True
        disk = medium.installation_disk((node.host or {}).get("rootDeviceHints"))
        self.reach("Writing image to disk")
        node.medium.install(disk, state, self.written)
        self.reach("Rebooting")
        say("rebooting from the disk")
        run("sync")
        run("reboot", "-f")

    def written(self, percentage):
        """Tells the rendezvous node in steps of twenty: it is told over HTTP, on an emulated CPU."""
        if percentage - self.percentage >= 20 or percentage == 100:
            self.reach("Writing image to disk", percentage)

    def bootstrap(self, state):
        """Plays the control plane until the other masters are one."""
        node = self.node
        everyone = peers.Peers(node, state["peers"], live=True)
        everyone.start()
        ports.control_plane(node, everyone, state)
        self.reach("Waiting for control plane")
        while not everyone.control_plane_ready():
            time.sleep(0.5)
        self.reach("Waiting for bootkube")
        everyone.bootstrapped = True
        say("bootstrap is complete")
        # Long enough for every poller and every balancer to have seen it.
        time.sleep(6)
