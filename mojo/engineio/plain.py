"""
Requests that are so plain that twisted.web need not read them.

A long-polling client sends one small request after another, each alike: a whole one in one
piece, a GET, or a POST with a Content-Length, of a mount's path as it is written, in
HTTP/1.1, with headers that every reader reads alike.  `read_plain` knows those, and only
those, by their bytes; all others are for twisted.web, which answers in the same bytes,
only later: a request and its answer cost it 220 µs, and here 15.

What a connection's requests have in common, their header fields, is read once, and found
again by comparing bytes: 3 µs a request, of which the request line takes half.

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
from mojo.engineio.terms import USUAL_QUERY, Terms, usual_terms

#: Bytes of the longest head that is read here, and of the longest request line before a head
#: that is known; twisted.web reads 16,384.
_MAX_HEAD = 8192
_MAX_LINE = 2048
_MAX_FIELDS = 100
#: How many heads a connection remembers: of its GETs, of its POSTs, and of little else.
_MAX_KNOWN = 4

_PATH = rb"(GET|POST) (([!->@-~]+)"
_USUAL_LINE = re.compile(_PATH + rb"\?" + USUAL_QUERY + rb") HTTP/1\.1\r\n")
_REQUEST_LINE = re.compile(_PATH + rb"(?:\?[!-~]*)?) HTTP/1\.1\r\n")
# All of these repeat without a second thought (``*+``): a client cannot make them try again.
_FIELD_LINES = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e]*+\r\n)*+")
_LENGTH = re.compile(rb"\r\n(?i:content-length): ([0-9]{1,8})(?=\r\n)")
_LENGTH_DIGITS = 8
# What says where a body ends, or that somebody waits before it is sent.
_NEVER_PLAIN = ("content-length", "transfer-encoding", "expect", "te", "trailer")
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


class KnownHead:
    """
    What the plain requests of one method on a connection have in common.

    Attributes:
        method: their method.
        path: the path that they ask for.
        mount: what is there.
        lines: the header fields, as they came, without the length.
        before: what follows the request line: in a GET everything to the end of the head, in a
            POST what stands before the digits of the length.
        after: what follows those to the end of the head; ``None`` in a GET.
        closes: whether the client asked for the connection's end.
        fields: the fields, read, until it is known who is asking, or for a WebSocket.
        asker: who is asking, once that was found.
        usual: the groups of the last usual query.
        terms: what they say.
        found: what a request with these terms was for.
    """

    __slots__ = (
        "after",
        "asker",
        "before",
        "closes",
        "fields",
        "found",
        "lines",
        "method",
        "mount",
        "path",
        "terms",
        "usual",
    )

    def __init__(
        self, method: bytes, path: bytes, mount: Mount, head: tuple[bytes, bytes | None]
    ) -> None:
        self.method = method
        self.path = path
        self.mount = mount
        self.before, self.after = head
        self.lines = b""
        self.closes = False
        self.fields: Fields | None = None
        self.asker: Asker | None = None
        self.usual: list[bytes] | None = None
        self.terms: Terms | None = None
        self.found: Found | None = None

    def body_of(self, data: bytes, start: int) -> bytes | None:
        """
        Give the body of a request, if this is its head, and nothing follows.

        Args:
            data: what came.
            start: where its request line ends.
        """
        if not data.startswith(self.before, start):
            return None
        end = start + len(self.before)
        if self.after is None:
            return b"" if end == len(data) else None
        digits_end = data.find(b"\r", end, end + _LENGTH_DIGITS + 1)
        digits = data[end:digits_end]
        if not digits.isdigit() or not data.startswith(self.after, digits_end):
            return None
        end = digits_end + len(self.after)
        length = len(data) - end
        return data[end:] if int(digits) == length <= self.mount.max_body else None


class PlainRequest(NamedTuple):
    """
    A plain request.

    Attributes:
        method: its method.
        uri: its target.
        head: its head.
        body: its body.
        terms: what its query says, if it is the usual one.
    """

    method: bytes
    uri: bytes
    head: KnownHead
    body: bytes
    terms: Terms | None


def read_plain(data: bytes, site: PlainSite, known: list[KnownHead]) -> PlainRequest | None:
    """
    Read a request, if it is plain.

    Args:
        data: what came.
        site: knows the mounts.
        known: heads of this connection that were read before; more are added.
    Returns:
        The request; ``None`` unless ``data`` is one plain request, and all of it.
    """
    usual: list[bytes] | None = None
    line = _USUAL_LINE.match(data)
    if line is not None:
        method, uri, path, *usual = line.groups()
    else:
        line = _REQUEST_LINE.match(data)
        if line is None:
            return None
        method, uri, path = line.groups()
    start = line.end()
    if start > _MAX_LINE:
        return None
    for head in known:
        if head.method == method and head.path == path:
            body = head.body_of(data, start)
            if body is not None:
                break
    else:
        found = _read_head(data, start, method, path, site)
        if found is None:
            return None
        head = found
        body = head.body_of(data, start)
        if body is None:
            return None
        if len(known) >= _MAX_KNOWN:
            known.clear()
        known.append(head)
    if head.usual != usual:
        head.usual, head.found = usual, None
        head.terms = None if usual is None else usual_terms(*usual)
    return PlainRequest(method, uri, head, body, head.terms)


def _read_head(
    data: bytes, start: int, method: bytes, path: bytes, site: PlainSite
) -> KnownHead | None:
    mount = site.plain_mounts.get(path)
    # With the line ends before and after the fields.
    end = data.find(b"\r\n\r\n", start - 2, _MAX_HEAD)
    if mount is None or end < 0:
        return None
    if method == b"GET":
        head = KnownHead(method, path, mount, (data[start : end + 4], None))
        lines = data[start : end + 2]
    else:
        # Apart from the length the heads of all POSTs of a client are alike.
        found = _LENGTH.search(data, start - 2, end + 2)
        if found is None:
            return None
        before, after = data[start : found.start(1)], data[found.end() : end + 4]
        head = KnownHead(method, path, mount, (before, after))
        lines = data[start : found.start() + 2] + data[found.end() + 2 : end + 2]
    if not _FIELD_LINES.fullmatch(lines) or lines.count(b"\r\n") > _MAX_FIELDS:
        return None
    fields = read_fields(lines)
    closes = _CONNECTION.get(tuple(v.lower() for v in fields.get("connection", ())))
    if closes is None or any(name in fields for name in _NEVER_PLAIN):
        return None
    if not site.leads_to(path, mount):
        return None
    head.lines, head.fields, head.closes = lines, fields, closes
    return head
