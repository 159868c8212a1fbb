"""An Engine.IO echo server, without Socket.IO: ``python examples/engineio_echo.py``."""

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
endpoints.serverFromString(reactor, "tcp:3000:interface=127.0.0.1").listen(site)
reactor.run()
