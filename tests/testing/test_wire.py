"""`mojo.testing.wire`: a connection without a socket."""

from __future__ import annotations

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from mojo.testing.wire import Wire


class Server(Protocol):
    """A server that is its own producer, and notes in which order it hears of its end."""

    def connectionMade(self) -> None:
        self.heard: list[str] = []
        self.transport.registerProducer(self, True)

    def stopProducing(self) -> None:
        self.heard.append("produce no more")

    def connectionLost(self, reason) -> None:
        self.heard.append(reason.type.__name__)


class EndTests(SynchronousTestCase):
    """As a transport of Twisted's tells of it: or a file is sent on to nobody."""

    def setUp(self) -> None:
        self.wire = Wire(Factory.forProtocol(Server))
        self.server = self.wire.transport.protocol

    def test_by_the_client(self) -> None:
        self.wire.hang_up()
        self.assertEqual(self.server.heard, ["produce no more", "ConnectionDone"])

    def test_by_the_server(self) -> None:
        self.wire.transport.abortConnection()
        self.assertEqual(self.wire.closed, "aborted")
        self.assertEqual(self.server.heard, ["produce no more", "ConnectionAborted"])
