"""Port 9999, a test hook: POST a shell command, get its output. Nothing of OpenShift has this."""
import subprocess

from . import network, read, web

PORT = 9999


def serve(node):
    """Answers GET with what the node is, POST with what a command says."""
    def handle(request):
        if request.method == "POST":
            done = subprocess.run(["sh", "-c", request.body.decode()], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            return web.Response(200, done.stdout, {"X-Exit-Status": done.returncode})
        return web.Response(200, {
            "name": node.name, "role": node.role, "boot": "disk" if node.installed else "live",
            "ip": node.ip, "mac": node.mac, "nic": node.nic, "mtu": network.mtu(node.nic),
            "rendezvous": node.rendezvous, "cluster": node.domain, "version": node.payload["version"],
            "fips": node.payload.get("fips", False),
            "uptime": float(read("/proc/uptime", "0").split()[0])})
    web.serve(PORT, handle)
