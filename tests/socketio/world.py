"""A Socket.IO server in memory, and clients that speak to it by either transport."""

from __future__ import annotations

import base64
import itertools
import json

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from mojo.engineio import EngineOptions, EngineResource, EngineSite
from mojo.engineio.handshake import Identity
from mojo.socketio import MojoSocketHandler, SocketOptions, SocketServer
from tests.frames import CLOSE, TEXT, WebSocketWire
from tests.wire import Wire


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
        engine = self.server.add_mount(self.engine_options, by_cookie, below=below)
        resource = EngineResource(engine)
        self.root.putChild(path[1:].encode(), resource)
        self.mounts[path.encode()] = resource

    def turn(self) -> None:
        self.clock.advance(0)

    def client(self, transport="websocket", path="/socket.io/", **options):
        """Open an Engine.IO session."""
        kind = WebSocketClient if transport == "websocket" else PollingClient
        return kind(self, path, **options)

    def connect(self, namespace="/", auth=None, **options):
        """Open a session and join a namespace; what was answered is taken."""
        client = self.client(**options)
        client.connect(namespace, auth)
        return client


class _Client:
    """What both kinds of client can do."""

    world: World

    def connect(self, namespace="/", auth=None) -> str:
        """Join a namespace; give the connection's id."""
        name = "" if namespace == "/" else f"{namespace},"
        self.send(f"0{name}{json.dumps(auth) if auth is not None else ''}")
        answer, *rest = self.received()
        assert answer.startswith(f"0{name}" + "{"), answer
        self._waiting = rest
        return json.loads(answer[len(f"0{name}") :])["sid"]


class WebSocketClient(_Client):
    transport = "websocket"

    def __init__(self, world, path, query="", headers=None, **options) -> None:
        self.world = world
        self.socket = WebSocketWire(
            world.site, f"{path}?EIO=4&transport=websocket{query}", headers, **options
        )
        assert self.socket.status == 101, self.socket.head
        self._waiting: list = []
        self._close = None
        (opened,) = self.socket.messages()
        assert opened[0] == "0"

    def send(self, *packets) -> None:
        """Send Socket.IO packets, all in one piece."""
        from tests.frames import BINARY, client_frame

        data = b""
        for packet in packets:
            if isinstance(packet, str):
                data += client_frame(TEXT, b"4" + packet.encode("utf-8", "surrogatepass"))
            else:
                data += client_frame(BINARY, packet)
        self.socket.send_raw(data)

    def received(self) -> list:
        """Take the Socket.IO packets that have come; a ping is answered."""
        self.world.turn()
        packets, self._waiting = self._waiting, []
        for frame in self.socket.frames():
            if frame.opcode == CLOSE:
                self._close = frame
            elif frame.opcode != TEXT:
                packets.append(frame.payload)
            elif frame.payload == b"2":
                self.socket.send("3")
            else:
                assert frame.payload[:1] == b"4", frame
                packets.append(frame.payload[1:].decode())
        return packets

    @property
    def closed(self) -> bool:
        """Whether the server has ended the session."""
        self._waiting = self.received()
        return self._close is not None or self.socket.closed is not None

    def vanish(self) -> None:
        self.socket.wire.hang_up()


class PollingClient(_Client):
    transport = "polling"

    def __init__(self, world, path, query="", headers=None, **options) -> None:
        self.world = world
        self.headers = headers or {}
        self._options = options
        self._waiting: list = []
        self._get: Wire | None = None
        self.closed_by_server = False
        wire = Wire(world.site, **options)
        wire.ask("GET", f"{path}?EIO=4&transport=polling{query}", headers=self.headers)
        response = wire.answer()
        assert response.status == 200, response
        sid = json.loads(response.text[1:])["sid"]
        self.uri = f"{path}?EIO=4&transport=polling&sid={sid}"

    def send(self, *packets) -> None:
        pieces = []
        for packet in packets:
            if isinstance(packet, str):
                pieces.append(b"4" + packet.encode("utf-8", "surrogatepass"))
            else:
                pieces.append(b"b" + base64.b64encode(packet))
        self.post_status = None
        wire = Wire(self.world.site, **self._options)
        wire.ask("POST", self.uri, headers=self.headers, body=b"\x1e".join(pieces))
        response = wire.answer()
        self.post = wire
        self.post_status = response.status if response else None

    def received(self) -> list:
        self.world.turn()
        packets, self._waiting = self._waiting, []
        while True:
            if self._get is None:
                self._get = Wire(self.world.site, **self._options)
                self._get.ask("GET", self.uri, headers=self.headers)
            response = self._get.answer()
            if response is None:
                return packets
            self._get = None
            if response.status != 200:
                self.closed_by_server = True
                return packets
            for piece in response.text.split("\x1e"):
                if piece[0] == "4":
                    packets.append(piece[1:])
                elif piece[0] == "b":
                    packets.append(base64.b64decode(piece[1:]))
                elif piece == "1":
                    self.closed_by_server = True
                elif piece == "2":
                    Wire(self.world.site, **self._options).post(self.uri, b"3")
            if self.closed_by_server:
                return packets

    @property
    def closed(self) -> bool:
        if not self.closed_by_server:
            self._waiting = self.received()
        return self.closed_by_server

    def vanish(self) -> None:
        self._waiting = self.received()
        self._get.hang_up()


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
