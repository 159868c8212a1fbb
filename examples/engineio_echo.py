"""
An Engine.IO echo server, without Socket.IO: ``python examples/engineio_echo.py [ENDPOINT]``.
"""

import sys

from twisted.internet import endpoints, task
from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

from mojo.engineio import EngineResource, EngineServer, EngineSite


class Echo:
    def __init__(self, session):
        self.message_received = session.send

    def session_closed(self, reason):
        print("closed:", reason)


async def main(reactor, where="tcp:3000:interface=127.0.0.1"):
    engine = EngineResource(EngineServer(Echo, reactor))
    root = Resource()
    root.putChild(b"engine.io", engine)
    site = EngineSite(root, {b"/engine.io": engine}, reactor)
    port = await endpoints.serverFromString(reactor, where).listen(site)
    print("listening on", port.getHost(), flush=True)
    await Deferred()  # until it is stopped


task.react(main, sys.argv[1:])
