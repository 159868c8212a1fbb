"""
Requests that are so plain that twisted.web need not read them.

A long-polling client sends one small request after another, each alike: a whole one in one
piece, a GET, or a POST with a Content-Length, of a mount's path as it is written, in
HTTP/1.1, with headers that every reader reads alike.  `read_plain` knows those, and only
those, by their bytes; all others are for twisted.web, which answers in the same bytes,
only later: a request and its answer cost it 220 µs, and here 20.

What must not break: whatever two readers could read differently (a second length, a
chunked body, a folded line, a space before a colon, a byte that is not ASCII) is never
plain, and after what is not plain comes nothing plain before it was answered
(`mojo.engineio.channel`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

from twisted.web.http import RESPONSES

from mojo.engineio.answers import AnswerFields
from mojo.engineio.asker import Asker
from mojo.engineio.exchange import NO_FIELDS, Exchange, Judge, Upload
from mojo.engineio.head import Fields, read_fields
from mojo.engineio.terms import Terms, read_terms
from mojo.engineio.transports.sending import write_now

#: Bytes of the longest head that is read here; twisted.web reads twice as much.
_MAX_HEAD = 8192
_MAX_FIELDS = 100
#: How many heads a connection remembers: of its GETs, of its POSTs, and of little else.
_MAX_KNOWN = 4

_REQUEST_LINE = re.compile(rb"(GET|POST) (([!->@-~]+)(?:\?[!-~]*)?) HTTP/1\.1\r\n")
# All of these repeat without a second thought (``*+``): a client cannot make them try again.
_FIELD_LINES = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e]*+\r\n)*+")
_LENGTH = re.compile(rb"\r\n(?i:content-length): ([0-9]{1,8})(?=\r\n)")
# What says where a body ends, or that somebody waits before it is sent.
_NEVER_PLAIN = ("content-length", "transfer-encoding", "expect", "te", "trailer")
_CONNECTION = {
    (): False,
    ("keep-alive",): False,
    ("upgrade",): False,
    ("keep-alive, upgrade",): False,
    ("close",): True,
}


class PlainMount(Protocol):
    """What plain requests are for."""

    max_body: int

    def upload_begins(self, upload: Upload) -> Callable[[], None] | None:
        """See `mojo.engineio.channel.Mount`."""

    def serve(self, exchange: Exchange, /) -> None:
        """Answer a request, now or later."""


class PlainSite(Protocol):
    """Where the mounts are."""

    plain_mounts: Mapping[bytes, PlainMount]

    def leads_to(self, path: bytes, mount: PlainMount) -> bool:
        """Tell whether everybody who asks for a path of a mount may get there."""


class PlainHost(Protocol):
    """The connection of a `PlainExchange`."""

    transport: Any

    @property
    def transport_address(self) -> str:
        """The address of its other end."""

    @property
    def secure(self) -> bool:
        """Whether it is TLS."""

    @property
    def stamp(self) -> bytes:
        """The headers with which each answer begins."""

    def exchange_over(self) -> None:
        """The exchange was answered."""


class KnownHead:
    """
    The header fields of a plain request, without its length.

    Attributes:
        path: the path that was asked for.
        mount: what is there.
        lines: the fields, as they came.
        closes: whether the client asked for the connection's end.
        fields: the same, read, until it is known who is asking, or for a WebSocket.
        asker: who is asking, once that was found.
    """

    __slots__ = ("asker", "closes", "fields", "lines", "mount", "path")

    def __init__(
        self, path: bytes, mount: PlainMount, lines: bytes, fields: Fields, *, closes: bool
    ) -> None:
        self.fields: Fields | None = fields
        self.path = path
        self.mount = mount
        self.lines = lines
        self.closes = closes
        self.asker: Asker | None = None


def read_plain(
    data: bytes,
    site: PlainSite,
    known: dict[bytes, KnownHead],
) -> tuple[bytes, bytes, KnownHead, bytes] | None:
    """
    Read a request, if it is plain.

    Args:
        data: what came.
        site: knows the mounts.
        known: heads of this connection that were read before; more are added.
    Returns:
        Its method, its target, its head and its body; ``None`` unless ``data`` is one plain
        request, and all of it.
    """
    line = _REQUEST_LINE.match(data)
    if line is None:
        return None
    path = line[3]
    mount = site.plain_mounts.get(path)
    # With the line ends before and after the fields.
    start = line.end() - 2
    end = data.find(b"\r\n\r\n", start, _MAX_HEAD)
    if mount is None or end < 0:
        return None
    method = line[1]
    if method == b"GET":
        length = 0
        lines = data[start + 2 : end + 2]
    else:
        # Apart from the length the heads of all POSTs of a client are alike.
        found = _LENGTH.search(data, start, end + 2)
        if found is None:
            return None
        length = int(found[1])
        lines = data[start + 2 : found.start() + 2] + data[found.end() + 2 : end + 2]
    if end + 4 + length != len(data) or length > mount.max_body:
        return None
    head = known.get(lines)
    if head is None or head.path != path:
        head = _read_head(path, mount, lines)
        if head is None or not site.leads_to(path, mount):
            return None
        if len(known) >= _MAX_KNOWN:
            known.clear()
        known[lines] = head
    return method, line[2], head, data[end + 4 :]


def _read_head(path: bytes, mount: PlainMount, lines: bytes) -> KnownHead | None:
    if not _FIELD_LINES.fullmatch(lines) or lines.count(b"\r\n") > _MAX_FIELDS:
        return None
    fields = read_fields(lines)
    closes = _CONNECTION.get(tuple(v.lower() for v in fields.get("connection", ())))
    if closes is None or any(name in fields for name in _NEVER_PLAIN):
        return None
    return KnownHead(path, mount, lines, fields, closes=closes)


def _status_line(status: int) -> bytes:
    # As twisted.web has them.
    return b"HTTP/1.1 %d %b\r\n" % (status, RESPONSES.get(status, b"Unknown Status"))


_STATUS_LINES = {int(status): _status_line(status) for status in HTTPStatus}


class PlainExchange:
    """
    An `Exchange` of a plain request.

    Args:
        host: the connection.
        request: see `read_plain`.
    """

    __slots__ = (
        "_body",
        "_head",
        "_terms",
        "channel",
        "fields",
        "method",
        "over",
        "upload_announced",
        "uri",
        "when_over",
    )

    version = b"HTTP/1.1"

    def __init__(self, host: PlainHost, request: tuple[bytes, bytes, KnownHead, bytes]) -> None:
        self.channel = host
        self.method, self.uri, self._head, self._body = request
        self.fields: AnswerFields = NO_FIELDS
        self.over = False
        self.when_over: Callable[[Exchange, bool], None] | None = None
        self.upload_announced = False
        self._terms: Terms | None = None

    @property
    def transport_address(self) -> str:
        """See `Exchange`."""
        return self.channel.transport_address

    @property
    def terms(self) -> Terms:
        """See `Exchange`."""
        if self._terms is None:
            self._terms = read_terms(self.uri)
        return self._terms

    @property
    def closes(self) -> bool:
        """Whether the connection ends with the answer."""
        return self._head.closes

    def read_head(self) -> Fields:
        """See `Exchange`."""
        return self._head.fields or read_fields(self._head.lines)

    def asker(self, judge: Judge) -> Asker:
        """See `Exchange`; found once for each head of a connection."""
        asker = self._head.asker
        if asker is None:
            head = self._head
            channel = self.channel
            asker = judge(head.lines, self.read_head(), channel.transport_address, channel.secure)
            head.asker = asker
            if not asker.is_upgrade:
                head.fields = None
        return asker

    def read_body(self, limit: int) -> bytes:
        """See `Exchange`."""
        return self._body[:limit]

    def answer(
        self, status: int, content_type: bytes, body: bytes, coding: str | None = None
    ) -> None:
        """See `Exchange`."""
        write_now(
            self.channel.transport,
            b"%b%b%b%bContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n%b"
            % (
                _STATUS_LINES[status],
                b"Connection: close\r\n" if self._head.closes else b"",
                self.channel.stamp,
                self.fields.wire,
                content_type,
                b"" if coding is None else b"Content-Encoding: %b\r\n" % coding.encode("ascii"),
                len(body),
                body,
            ),
        )
        self.end(broke_off=False)
        self.channel.exchange_over()

    def announce(self) -> None:
        """
        Tell the mount that there is a body, before anything else is looked at.

        Raises:
            RemoteError: the request is refused, and the connection shall end.
        """
        if self._body:
            ended = self._head.mount.upload_begins(self)
            if ended is not None:
                self.upload_announced = True
                self.when_over = lambda exchange, broke_off: ended()

    def end(self, *, broke_off: bool) -> None:
        """Be over."""
        self.over = True
        if self.when_over is not None:
            self.when_over(self, broke_off)
