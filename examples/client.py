"""
A client that listens, and says one thing: ``python examples/client.py URL [EVENT ARGUMENT...]``.

The URL's path is the namespace: ``http://127.0.0.1:8000/ChatSocket`` for an app of Mojo's.
It stays until it is interrupted, and comes back when the server does.
"""

import sys

from twisted.internet import task
from twisted.internet.defer import Deferred, ensureDeferred

from mojo.client import ConnectError, connect


async def listen(url, *event):
    async with connect(url) as socket:
        socket.on_any(lambda name, *args: print(name, *args, flush=True))
        socket.on("disconnect", lambda reason: print("disconnected:", reason, flush=True))
        socket.on("connect", lambda: print("connected as", socket.id, flush=True))
        if event:
            print("answer:", await socket.call(*event), flush=True)
        await Deferred()  # until it is interrupted


async def main(reactor, url, *event):
    try:
        await listen(url, *event)
    except ConnectError as error:
        sys.exit(f"{error.message} {error.data or ''}".strip())


task.react(lambda reactor, *argv: ensureDeferred(main(reactor, *argv)), sys.argv[1:])
