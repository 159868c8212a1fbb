"""
Requests that are so plain that twisted.web need not read them.

A long-polling client sends one small request after another, each alike: a whole one in one
piece, a GET, or a POST with a Content-Length, of a mount's path as it is written, in
HTTP/1.1, with headers that every reader reads alike.  `read_plain` knows those, and only
those, by their bytes; all others are for twisted.web, which answers in the same bytes,
only later: a request and its answer cost it 220 µs, and here 15.

A client says the same again and again: its next request is the last one, but for the length of
the body and a number that defeats caches, ``t``.  So a connection keeps its last requests with
these two left out (`KnownRequest`), and finds the next one by comparing bytes, in 1 µs.

A request for a session of another process (`mojo.engineio.neighbours`) is not plain.  That is asked
once for a connection's requests of a kind, and costs the next ones nothing.

What must not break: whatever two readers could read differently (a second length, a
chunked body, a folded line, a space before a colon, a byte that is not ASCII) is never
plain, and after what is not plain comes nothing plain before it was answered
(`mojo.engineio.channel`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from mojo.engineio.asker import Asker
from mojo.engineio.exchange import Mount
from mojo.engineio.found import Found
from mojo.engineio.head import Fields, read_fields
from mojo.engineio.terms import Terms

#: Bytes of the longest head that is read here; twisted.web reads twice as much.
_MAX_HEAD = 8192
_MAX_FIELDS = 100
#: How many requests a connection remembers: a GET, a POST, and little else.
_MAX_KNOWN = 4

_REQUEST_LINE = re.compile(rb"(GET|POST) ([!->@-~]+)(?:\?[!-~]*)? HTTP/1\.1\r\n")
# What defeats caches; its value is anything that no reader could take for the end of it.
_STAMP = re.compile(rb"[?&]t=([0-9A-Za-z_.~-]{1,64})[& ]")
_STAMP_MARKS = b"_.~-"
_LONGEST_STAMP = 64
# All of these repeat without a second thought (``*+``): a client cannot make them try again.
_FIELD_LINES = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e]*+\r\n)*+")
_LENGTH = re.compile(rb"\r\n(?i:content-length): ([0-9]{1,8})(?=\r\n)")
_LENGTH_DIGITS = 8
# What says where a body ends, or that somebody waits before it is sent.
_NEVER_PLAIN = frozenset(("content-length", "transfer-encoding", "expect", "te", "trailer"))
_CONNECTION = {
    (): False,
    ("keep-alive",): False,
    ("upgrade",): False,
    ("keep-alive, upgrade",): False,
    ("close",): True,
}


class PlainSite(Protocol):
    """Where the mounts are."""

    plain_mounts: Mapping[bytes, Mount]

    def leads_to(self, path: bytes, mount: Mount) -> bool:
        """Tell whether everybody who asks for a path of a mount may get there."""

    def owner_of(self, uri: bytes) -> str | None:
        """Tell which other process a request for a mount may be for; see `Neighbours`."""


class KnownRequest:
    """
    A plain request, without what changes from one of its kind to the next.

    Attributes:
        method: its method.
        path: its path.
        mount: what is there.
        lines: the header fields, as they came, without the length.
        closes: whether the client asked for the connection's end.
        fields: the fields, read, until it is known who is asking, or for a WebSocket.
        asker: who is asking, once that was found.
        terms: what the query says, once that was read.
        found: what the last such request was for.
    """

    __slots__ = (
        "_end",
        "_middle",
        "_start",
        "asker",
        "closes",
        "fields",
        "found",
        "lines",
        "method",
        "mount",
        "path",
        "terms",
    )

    def __init__(self, method: bytes, path: bytes, mount: Mount, lines: bytes) -> None:
        self.method = method
        self.path = path
        self.mount = mount
        self.lines = lines
        self.closes = False
        self.fields: Fields | None = None
        self.asker: Asker | None = None
        self.terms: Terms | None = None
        self.found: Found | None = None
        self._start: bytes
        self._middle: bytes | None = None
        self._end: bytes | None = None

    def cut(self, head: bytes, stamp: tuple[int, int] | None, length: tuple[int, int]) -> None:
        """
        Take what is the same each time.

        Args:
            head: a whole head.
            stamp: where the value of ``t`` begins and ends in it, if there is one.
            length: where the digits of the length do; in a GET, the end of the head twice.
        """
        begin, end = length
        if self.method != b"GET":
            self._end = head[end:]
        if stamp is None:
            self._start = head[:begin]
        else:
            self._start = head[: stamp[0]]
            self._middle = head[stamp[1] : begin]

    def body_in(self, data: bytes) -> bytes | None:
        """Give the body, if ``data`` is such a request, and nothing else."""
        if not data.startswith(self._start):
            return None
        at = len(self._start)
        middle = self._middle
        if middle is not None:
            end = data.find(middle[:1], at, at + _LONGEST_STAMP + 1)
            if not data[at:end].translate(None, _STAMP_MARKS).isalnum():
                return None
            if not data.startswith(middle, end):
                return None
            at = end + len(middle)
        if self._end is None:
            return b"" if at == len(data) else None
        end = data.find(b"\r", at, at + _LENGTH_DIGITS + 1)
        digits = data[at:end]
        if not digits.isdigit() or not data.startswith(self._end, end):
            return None
        at = end + len(self._end)
        length = len(data) - at
        return data[at:] if int(digits) == length <= self.mount.max_body else None


class PlainRequest(NamedTuple):
    """
    A plain request.

    Attributes:
        known: what it has in common with others.
        data: all of it.
        body: its body.
    """

    known: KnownRequest
    data: bytes
    body: bytes


def read_plain(data: bytes, site: PlainSite, known: list[KnownRequest]) -> PlainRequest | None:
    """
    Read a request, if it is plain.

    Args:
        data: what came.
        site: knows the mounts.
        known: requests of this connection that were read before; more are added.
    Returns:
        The request; ``None`` unless ``data`` is one plain request, and all of it.
    """
    for request in known:
        body = request.body_in(data)
        if body is not None:
            return PlainRequest(request, data, body)
    new = _read_request(data, site)
    if new is None:
        return None
    body = new.body_in(data)
    if body is None:
        return None
    if len(known) >= _MAX_KNOWN:
        known.clear()
    known.append(new)
    return PlainRequest(new, data, body)


def _read_request(data: bytes, site: PlainSite) -> KnownRequest | None:
    line = _REQUEST_LINE.match(data)
    if line is None:
        return None
    method, path = line.groups()
    mount = site.plain_mounts.get(path)
    # With the line ends before and after the fields.
    start = line.end() - 2
    end = data.find(b"\r\n\r\n", start, _MAX_HEAD)
    if mount is None or end < 0:
        return None
    if method == b"GET":
        length = end + 4, end + 4
        lines = data[start + 2 : end + 2]
    else:
        # Apart from the length the heads of all POSTs of a client are alike.
        found = _LENGTH.search(data, start, end + 2)
        if found is None:
            return None
        length = found.span(1)
        lines = data[start + 2 : found.start() + 2] + data[found.end() + 2 : end + 2]
    if not _FIELD_LINES.fullmatch(lines) or lines.count(b"\r\n") > _MAX_FIELDS:
        return None
    fields = read_fields(lines)
    closes = _CONNECTION.get(tuple(map(str.lower, fields.get("connection", ()))))
    if closes is None or not _NEVER_PLAIN.isdisjoint(fields):
        return None
    if not site.leads_to(path, mount) or site.owner_of(data[line.start(2) : start - 9]):
        return None
    request = KnownRequest(method, path, mount, lines)
    request.fields, request.closes = fields, closes
    stamp = _STAMP.search(data, line.end(2), start)
    request.cut(data[: end + 4], stamp and stamp.span(1), length)
    return request
