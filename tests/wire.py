"""
Connections in memory: real Sites, no sockets, no waiting.

A `Wire` is one TCP connection to a Site.  What is sent goes straight into the
protocol; what comes back is collected; closing and half-closing are recorded.
"""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass, field

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer


@implementer(ITCPTransport, IPushProducer, IHalfCloseableDescriptor)
class WireTransport:
    """
    The server's end of a connection.

    While ``stalled`` the client reads nothing: what is written waits, and the producer is
    paused and resumed, and a close put off, by the rules of Twisted's ``FileDescriptor``.
    """

    buffer_size = 65_536

    def __init__(self, address: str) -> None:
        self.protocol = None
        self.written = b""
        self.stalled = False
        self.waiting = bytearray()
        self._producer_paused = False
        self._wants_to_write = False
        self.producer = None
        self.reading = True
        self.closed: str | None = None
        self.half_closed = False
        self._end: tuple[str, Exception] | None = None
        self._address = address

    @property
    def disconnecting(self) -> bool:
        return self.closed is not None or self._end is not None

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        if self.closed is not None or not data:
            return
        if not self.stalled and not self.waiting:
            self.written += data
            return
        self.waiting += data
        self._wants_to_write = True
        if self.producer is not None and len(self.waiting) > self.buffer_size:
            self._producer_paused = True
            self.producer.pauseProducing()

    def take(self, size: int | None = None) -> None:
        """Let the client read some bytes of what waits; by default all of them."""
        size = len(self.waiting) if size is None else size
        self.written += self.waiting[:size]
        del self.waiting[:size]
        if not self.waiting:
            self._wants_to_write = False
            if self.producer is not None and self._producer_paused:
                self._producer_paused = False
                self.producer.resumeProducing()
            elif self._end is not None:
                self._wants_to_write = True

    def catch_up(self) -> None:
        """Let the client read all that waits, and all that comes because it does."""
        self.stalled = False
        while self.waiting:
            self.take()

    def writeSequence(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def loseConnection(self) -> None:
        self._wants_to_write = True
        self._end = self._end or ("closed", ConnectionDone())

    def abortConnection(self) -> None:
        self._end = ("aborted", ConnectionAborted())

    def settle(self) -> None:
        """Carry out a close, which a real transport does in a later turn."""
        if self._end is None or self.closed is not None:
            return
        if self._end[0] == "aborted" or (self._wants_to_write and not self.waiting):
            self.closed, reason = self._end
            self.protocol.connectionLost(Failure(reason))

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def registerProducer(self, producer: object, streaming: bool) -> None:
        assert self.producer is None
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None
        if self._end is not None:
            self._wants_to_write = True

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self._address, 54321)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 8000)


@dataclass
class Response:
    """One HTTP response."""

    status: int
    headers: dict[str, list[str]]
    body: bytes
    raw: bytes = field(repr=False, default=b"")

    def header(self, name: str) -> str | None:
        values = self.headers.get(name.lower())
        return values[-1] if values else None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def json(self) -> object:
        return json_module.loads(self.body)


class Wire:
    """
    One connection to a Site.

    Args:
        site: the Site.
        address: the client's address.
        secure: whether it is a TLS connection.
    """

    def __init__(self, site, address: str = "198.51.100.7", secure: bool = False) -> None:
        self.transport = WireTransport(address)
        if secure:
            alsoProvides(self.transport, ISSLTransport)
        protocol = site.buildProtocol(self.transport.getPeer())
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)

    @property
    def closed(self) -> str | None:
        self.transport.settle()
        return self.transport.closed

    def send(self, data: bytes) -> None:
        """Deliver bytes to the server."""
        if self.closed is None:
            self.transport.protocol.dataReceived(data)
            self.transport.settle()

    def send_bytewise(self, data: bytes) -> None:
        """Deliver bytes one at a time."""
        for index in range(len(data)):
            self.send(data[index : index + 1])

    def read(self) -> bytes:
        """Take what the server has written since the last time."""
        written, self.transport.written = self.transport.written, b""
        return written

    def hang_up(self, reason: Exception | None = None) -> None:
        """Close from the client's side."""
        if self.closed is None:
            self.transport.closed = "by peer"
            self.transport.protocol.connectionLost(Failure(reason or ConnectionDone()))

    def ask(
        self,
        method: str,
        uri: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Send a request, and leave the answer to `answer`."""
        self.send(http_request(method, uri, headers=headers, body=body))

    def answer(self) -> Response | None:
        """Take the answer that has come, or ``None``."""
        raw = self.read()
        return parse_response(raw) if raw else None

    def get(self, uri: str, **headers: str) -> Response | None:
        """Send a GET, and take the answer if there is one already."""
        self.ask("GET", uri, headers=_dashed(headers))
        return self.answer()

    def post(self, uri: str, body: bytes, **headers: str) -> Response | None:
        """Send a POST, and take the answer if there is one already."""
        self.ask("POST", uri, headers=_dashed(headers), body=body)
        return self.answer()


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def http_request(
    method: str,
    uri: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> bytes:
    """Build an HTTP/1.1 request; header values are sent as latin-1."""
    all_headers = {"Host": "example.com", **(headers or {})}
    if body is not None:
        all_headers["Content-Length"] = str(len(body))
    lines = [f"{method} {uri} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in all_headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def parse_response(raw: bytes) -> Response:
    """Read one response; whatever follows it would be a mistake."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status_line, *header_lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, list[str]] = {}
    for line in header_lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    if "content-length" in headers:
        assert len(body) == int(headers["content-length"][0]), raw
    return Response(int(status_line.split(" ")[1]), headers, body, raw)
