"""A server that says what it is told to, right or wrong, byte by byte."""

from __future__ import annotations

import base64
import hashlib
import json

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from mojo.client import Manager
from mojo.engineio.transports.frames import encode_frame
from tests.client.network import Network

#: The handshake of Engine.IO protocol v4's example.
OPENING = {
    "sid": "lv_VI97HAXpY6yYWAAAC",
    "upgrades": ["websocket"],
    "pingInterval": 25000,
    "pingTimeout": 20000,
    "maxPayload": 1000000,
}


def open_packet(**changes) -> str:
    """Give the text of an open packet; ``None`` leaves a field out."""
    facts = {**OPENING, **changes}
    return "0" + json.dumps({name: fact for name, fact in facts.items() if fact is not None})


class Scripted(Protocol):
    """
    One connection to the server: what came is kept, and nothing is answered by itself.

    Attributes:
        unread: the bytes that came and were not taken.
        lost: why the connection went, once it did.
    """

    def __init__(self) -> None:
        self.unread = b""
        self.lost = None

    def dataReceived(self, data: bytes) -> None:
        self.unread += data

    def connectionLost(self, reason) -> None:
        self.lost = reason

    # -- HTTP -----------------------------------------------------------------

    def request(self) -> tuple[str, dict[str, str], bytes]:
        """Take one request: its first line without the version, its headers, its body."""
        head, _, rest = self.unread.partition(b"\r\n\r\n")
        line, *header_lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for header in header_lines:
            name, _, value = header.partition(": ")
            headers[name.lower()] = value
        size = int(headers.get("content-length", 0))
        body, self.unread = rest[:size], rest[size:]
        assert len(body) == size, self.unread
        return line.removesuffix(" HTTP/1.1"), headers, body

    def respond(self, body: str | bytes, status: int = 200, *more: str) -> None:
        """Answer a request."""
        data = body.encode("utf-8") if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {len(data)}", *more]
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    # -- WebSocket ------------------------------------------------------------

    def accept(self) -> tuple[str, dict[str, str]]:
        """Take the opening handshake and answer it (RFC 6455 section 4.2.2)."""
        line, headers, _ = self.request()
        magic = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        answer = base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode()
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + answer.encode() + b"\r\n\r\n"
        )
        return line, headers

    def say(self, *messages: str | bytes) -> None:
        """Send messages, each in one frame."""
        for message in messages:
            if isinstance(message, str):
                self.transport.write(encode_frame(0x81, message.encode("utf-8")))
            else:
                self.transport.write(encode_frame(0x82, message))

    def frames(self) -> list[tuple[int, bytes]]:
        """Take the frames that came, by opcode and unmasked; all of them are masked."""
        frames = []
        data, self.unread = self.unread, b""
        while data:
            assert data[0] & 0xF0 == 0x80, data[:10]
            assert data[1] & 0x80, "a frame of a client is masked"
            size, start = data[1] & 0x7F, 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(data[2:10], "big"), 10
            mask = data[start : start + 4]
            payload = data[start + 4 : start + 4 + size]
            assert len(payload) == size, data[:10]
            frames.append((data[0] & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(payload))))
            data = data[start + 4 + size :]
        return frames

    def heard(self) -> list[str | bytes]:
        """Take the messages that came; there may be no control frame among them."""
        messages: list[str | bytes] = []
        for opcode, payload in self.frames():
            assert opcode in (1, 2), (opcode, payload)
            messages.append(payload.decode("utf-8") if opcode == 1 else payload)
        return messages


class Script:
    """A client's manager, and a scripted server for each of its connections."""

    def __init__(self, url="http://example.com", **options) -> None:
        self.clock = Clock()
        self.servers: list[Scripted] = []
        self.network = Network(self._build)
        options.setdefault("random", lambda: 0.5)
        options.setdefault("transports", ("websocket",))
        self.manager = Manager(url, reactor=self.clock, endpoints=self.network, **options)

    def _build(self, address) -> Scripted:
        self.servers.append(Scripted())
        return self.servers[-1]

    @property
    def server(self) -> Scripted:
        """The connection that was made last."""
        return self.servers[-1]

    def settle(self) -> None:
        self.clock.advance(0)
        while self.network.pump():
            self.clock.advance(0)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.settle()

    def open(self, **changes) -> None:
        """Accept a WebSocket, and open an Engine.IO connection on it."""
        self.settle()
        self.server.accept()
        self.server.say(open_packet(**changes))
        self.settle()

    def say(self, *messages) -> None:
        self.server.say(*messages)
        self.settle()

    def heard(self) -> list:
        self.settle()
        return self.server.heard()

    def join(self, answer='40{"sid":"cid1"}', **changes) -> str:
        """Open, and let the root namespace in; give the CONNECT packet that came."""
        self.open(**changes)
        (connect,) = self.heard()
        self.say(answer)
        return connect
