"""
An Engine.IO echo server, without Socket.IO: ``python examples/engineio_echo.py [ENDPOINT]``.
"""

import sys

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource

from mojo.engineio import EngineResource, EngineServer, EngineSite


class Echo:
    def __init__(self, session):
        self.message_received = session.send

    def session_closed(self, reason):
        print("closed:", reason)


engine = EngineResource(EngineServer(Echo, reactor))
root = Resource()
root.putChild(b"engine.io", engine)
site = EngineSite(root, {b"/engine.io": engine}, reactor)
where = sys.argv[1] if len(sys.argv) > 1 else "tcp:3000:interface=127.0.0.1"
listening = endpoints.serverFromString(reactor, where).listen(site)
listening.addCallback(lambda port: print("listening on", port.getHost(), flush=True))
reactor.run()
