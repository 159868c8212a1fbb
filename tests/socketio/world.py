"""A Socket.IO server in memory, and clients that speak to it by either transport."""

from __future__ import annotations

import itertools
import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from mojo.engineio import EngineOptions, EngineResource, EngineSite
from mojo.engineio.handshake import Identity
from mojo.socketio import MojoSocketHandler, SocketOptions, SocketServer
from mojo.testing import engine


def by_cookie(cookies):
    """An `Identify` that believes plain cookies."""
    first = lambda name: (cookies.get(name) or (None,))[0]  # noqa: E731
    return Identity(first("session_id"), first("logged_in"))


class World:
    """
    A server with namespaces, a shared path, and a path for each app.

    Args:
        handlers: handler classes by namespace.
        options: options of the Socket.IO layer.
        observer: the server's.
        parser: the server's.
    """

    def __init__(
        self, handlers, *, observer=None, parser=None, engine_options=None, **options
    ) -> None:
        self.clock = Clock()
        self.http_clock = Clock()
        ids = itertools.count(1)
        self.server = SocketServer(
            self.clock,
            SocketOptions(**options),
            observer=observer,
            new_id=lambda: f"cid{next(ids)}",
            owner="the service",
            parser=parser,
        )
        for name, handler_class in handlers.items():
            self.server.add_namespace(name, handler_class, name.strip("/").removesuffix("Socket"))
        self.root = Resource()
        self.mounts = {}
        self.engine_options = EngineOptions(**(engine_options or {}))
        self._mount("/socket.io", "/")
        for name in handlers:
            if name != "/":
                self._mount(name, name)
        self.site = EngineSite(self.root, self.mounts, self.http_clock)

    def _mount(self, path, below) -> None:
        mount = self.server.add_mount(self.engine_options, by_cookie, below=below)
        resource = EngineResource(mount)
        self.root.putChild(path[1:].encode(), resource)
        self.mounts[path.encode()] = resource

    def turn(self) -> None:
        self.clock.advance(0)

    def client(self, transport="websocket", path="/socket.io/", **options):
        """Open an Engine.IO session."""
        kind = WebSocketClient if transport == "websocket" else PollingClient
        client = kind(self, path, **options)
        assert client.opened, client.refusal
        return client

    def connect(self, namespace="/", auth=None, **options):
        """Open a session and join a namespace; what was answered is taken."""
        client = self.client(**options)
        client.connect(namespace, auth)
        return client


class _Joining:
    """Speaks Socket.IO packet by packet."""

    def connect(self, namespace="/", auth=None) -> str:
        """Join a namespace; give the connection's id."""
        name = "" if namespace == "/" else f"{namespace},"
        self.send(f"0{name}{json.dumps(auth) if auth is not None else ''}")
        answer, *rest = self.received()
        assert answer.startswith(f"0{name}" + "{"), answer
        self._waiting = rest
        return json.loads(answer[len(f"0{name}") :])["sid"]


class WebSocketClient(_Joining, engine.WebSocketClient):
    """Packets by WebSocket."""


class PollingClient(_Joining, engine.PollingClient):
    """Packets by long-polling."""


def remembering(**methods) -> type[MojoSocketHandler]:
    """Make a handler class whose ``seen`` list remembers, with more methods."""

    class Remembering(MojoSocketHandler):
        handlers: list = []  # noqa: RUF012
        seen: list = []  # noqa: RUF012

        def __init__(self, connection) -> None:
            super().__init__(connection)
            self.handlers.append(self)

        def on_close(self, reason):
            self.seen.append(("on_close", reason))

        def on_error(self, error, event):
            self.seen.append(("on_error", event, type(error)))

    Remembering.handlers = []
    Remembering.seen = []
    return type("Remembering", (Remembering,), methods)


class OverTransport:
    """
    Tests of what clients see, whatever transport they come by; see `over_both`.

    Attributes:
        transport: ``"websocket"`` or ``"polling"``.
    """

    transport: str

    def world(self, handler_class, **options) -> World:
        """Make a server with one app."""
        return World({"/ChatSocket": handler_class}, **options)

    def connect(self, world, namespace="/ChatSocket", **options):
        """Connect one more client to it."""
        return world.connect(namespace, transport=self.transport, **options)


def over_both(tests: type[OverTransport]) -> list[type[SynchronousTestCase]]:
    """Make a test case for each transport, `WebSocket...Tests` and `Polling...Tests`."""
    return [
        type(
            f"{kind}{tests.__name__}Tests",
            (tests, SynchronousTestCase),
            {"transport": kind.lower(), "__module__": tests.__module__},
        )
        for kind in ("WebSocket", "Polling")
    ]
