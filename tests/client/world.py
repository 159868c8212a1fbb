"""Clients and our own server, on two clocks that go alike and a network in memory."""

from __future__ import annotations

from twisted.internet.task import Clock

from mojo.client import Manager
from tests.client.network import Network
from tests.socketio.world import World

URL = "http://example.com"


class ClientWorld(World):
    """
    A server, and managers that reach it.

    Args:
        handlers: the server's handler classes by namespace.
        options: options of the server's Socket.IO layer.

    Attributes:
        client_clock: the clients' clock, on which nothing of the server waits.
    """

    def __init__(self, handlers, **options) -> None:
        super().__init__(handlers, **options)
        self.client_clock = Clock()
        self.network = Network(self.site.buildProtocol)

    def manager(self, url=URL, **options) -> Manager:
        options.setdefault("random", lambda: 0.5)  # no jitter: half way is none
        options.setdefault("transports", ("websocket",))
        return Manager(url, reactor=self.client_clock, endpoints=self.network, **options)

    def socket(self, namespace="/", *, auth=None, retries=0, ack_timeout=None, **options):
        """Give a socket that had its time to connect."""
        manager = self.manager(**options)
        socket = manager.socket(namespace, auth=auth, retries=retries, ack_timeout=ack_timeout)
        self.settle()
        return socket

    def settle(self) -> None:
        """Let everything happen that takes no time."""
        self._tick(0)
        while self.network.pump():
            self._tick(0)

    def _tick(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.client_clock.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass, in steps that are short for both sides."""
        while seconds > 0:
            step = min(seconds, 0.5)
            self._tick(step)
            self.settle()
            seconds -= step


class Heard:
    """Listeners that remember: ``heard.by(socket, "news")``, then ``heard.events``."""

    def __init__(self) -> None:
        self.events: list = []

    def by(self, target, *names: str) -> Heard:
        for name in names:
            target.on(name, self.listener(name))
        return self

    def listener(self, name: str):
        def hear(*args):
            self.events.append((name, *args))

        return hear

    def take(self) -> list:
        events, self.events = self.events, []
        return events
