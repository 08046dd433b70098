#!/usr/bin/env python3
"""A TCP proxy that makes a near host a far one, or counts how often one has to wait for it.

    delay.py --delay 25 LISTEN:PORT TARGET:PORT [LISTEN:PORT TARGET:PORT …]
    delay.py --count FILE --quiet 150 LISTEN:PORT TARGET:PORT [...]

`--delay` holds every byte back for that many milliseconds, each way: half a
round trip. Like a long cable it has no limit on what is on its way at once.

`--count` carries bytes in lockstep instead: all that the client says until it
is quiet, then all that the host says until it is quiet. A turn in which the
client said something is one round trip, however slow either side computes.
For every connection that ends, a line of JSON is added to FILE.
"""

import argparse
import asyncio
import functools
import json
import sys

CHUNK = 1 << 16


async def delayed(reader, writer, seconds):
    """Carries one direction; reading goes on while earlier bytes are still held back."""
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue()

    async def read():
        while data := await reader.read(CHUNK):
            queue.put_nowait((loop.time() + seconds, data))
        queue.put_nowait((loop.time() + seconds, b""))

    async def write():
        while True:
            due, data = await queue.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()

    await asyncio.gather(read(), write())


class Side:
    """What one end has said since it was last asked."""

    def __init__(self, reader, quiet):
        self.reader, self.quiet, self.ended = reader, quiet, False

    async def said(self):
        """Returns what comes until nothing has come for a while."""
        said = b""
        while not self.ended:
            try:
                data = await asyncio.wait_for(self.reader.read(CHUNK), self.quiet)
            except asyncio.TimeoutError:
                break
            said += data
            self.ended = not data
        return said


async def lockstep(client, host, quiet, report):
    (from_client, to_client), (from_host, to_host) = client, host
    near, far = Side(from_client, quiet), Side(from_host, quiet)
    rounds = 0
    while not (near.ended and far.ended):
        said = await near.said()
        rounds += bool(said)
        to_host.write(said)
        if near.ended:
            break
        await to_host.drain()
        to_client.write(await far.said())
        if far.ended:
            break
        await to_client.drain()
    report(rounds)


async def connection(client, target, options):
    try:
        host = await asyncio.open_connection(*target)
    except OSError as error:
        print(f"delay.py: {target[0]} port {target[1]}: {error}", file=sys.stderr)
        client[1].close()
        return

    def report(rounds):
        with open(options.count, "a", encoding="utf-8") as file:
            file.write(json.dumps({"target": target[0], "roundTrips": rounds}) + "\n")

    try:
        if options.count:
            await lockstep(client, host, options.quiet / 1000, report)
        else:
            seconds = options.delay / 1000
            await asyncio.gather(delayed(client[0], host[1], seconds), delayed(host[0], client[1], seconds))
    except (OSError, asyncio.IncompleteReadError):
        pass  # one side hung up; the other one hears of it below
    finally:
        client[1].close()
        host[1].close()


# The loop itself holds tasks weakly: one that only waits for its streams may be collected.
CONNECTIONS = set()


def accept(target, options, reader, writer):
    task = asyncio.ensure_future(connection((reader, writer), target, options))
    CONNECTIONS.add(task)
    task.add_done_callback(CONNECTIONS.discard)


def place(text):
    address, _, port = text.rpartition(":")
    return address, int(port)


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--delay", type=float, metavar="MS")
    mode.add_argument("--count", metavar="FILE")
    parser.add_argument("--quiet", type=float, default=150, metavar="MS")
    parser.add_argument("places", nargs="+", type=place, metavar="ADDRESS:PORT")
    options = parser.parse_args()
    if len(options.places) % 2:
        parser.error("every LISTEN:PORT needs its TARGET:PORT")
    pairs = list(zip(options.places[::2], options.places[1::2]))
    servers = []
    for listen, target in pairs:
        serve = functools.partial(accept, target, options)
        servers.append(await asyncio.start_server(serve, *listen))
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
