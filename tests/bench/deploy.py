"""The hosts' part of a bring-up, as a pyinfra user would describe it; see site.yml."""

from pathlib import Path

from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.facts.server import Command
from pyinfra.operations import apt, files, server, systemd

data = host.data
own = Path(data.folder) / host.name


def lines(command):
    return set((host.get_fact(Command, command=command) or "").split())


apt.packages(name="packages", packages=data.packages)

files.directory(name="folder", path=data.etc, mode="755")
changed = []
for path in data.files:
    mode = oct((own / path).stat().st_mode & 0o777)[2:]
    changed.append(files.put(name=path, src=str(own / path), dest=f"/{path}", mode=mode))
any_changed = lambda: any(one.did_change() for one in changed)
systemd.daemon_reload(name="daemon-reload", _if=any_changed)
for unit in data.units:
    systemd.service(name=unit, service=unit, running=True, enabled=True)
# Some are those of links that the units make.
server.shell(name="settings", commands=[f"sysctl -q -p /{data.settings}"], _if=any_changed)

files.directory(name="pool's folder", path=data.pool_path, mode="711")
files.put(name="boot image", src=data.image, dest=data.image_path, mode="600")

defined, running = lines("virsh list --all --name"), lines("virsh list --name")
if data.pool not in lines("virsh pool-list --all --name"):
    files.put(name="pool's description", src=str(own / "pool.xml"), dest="/root/bench-pool.xml")
    server.shell(
        name="pool",
        commands=[
            "virsh pool-define /root/bench-pool.xml",
            f"virsh pool-start {data.pool}",
            f"virsh pool-autostart {data.pool}",
            "rm /root/bench-pool.xml",
        ],
    )
for domain in data.domains:
    if not host.get_fact(File, path=f"{data.pool_path}/{domain}.img"):
        server.shell(
            name=f"volume of {domain}",
            commands=[f"virsh vol-create-as {data.pool} {domain}.img {data.disk_bytes} --format raw --allocation 0"],
        )
    if domain not in defined:
        files.put(name=f"description of {domain}", src=str(own / f"{domain}.xml"), dest=f"/root/{domain}.xml")
        server.shell(
            name=domain,
            commands=[f"virsh define /root/{domain}.xml", f"virsh autostart {domain}", f"rm /root/{domain}.xml"],
        )
    if domain not in running:
        server.shell(name=f"start {domain}", commands=[f"virsh start {domain}"])
