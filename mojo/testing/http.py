"""
HTTP as a client writes and reads it: requests out, responses in.

Pure: bytes come in, values come out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from mojo.web.visitor import CSRF_FIELD

_WITHOUT_BODY = (204, 304)


@dataclass
class Response:
    """
    One HTTP response.

    Attributes:
        status: the status code.
        headers: the values of each header by its name in lower case.
        body: the body.
        raw: all of it as it came.
    """

    status: int
    headers: dict[str, list[str]]
    body: bytes
    raw: bytes = field(repr=False, default=b"")

    def header(self, name: str) -> str | None:
        """Give a header, the last one if it comes more than once."""
        values = self.headers.get(name.lower())
        return values[-1] if values else None

    @property
    def text(self) -> str:
        """The body, as UTF-8."""
        return self.body.decode("utf-8")

    @property
    def json(self) -> Any:
        """What the body is as JSON."""
        return json.loads(self.body)

    @property
    def csrf_token(self) -> str:
        """
        The token in the page's form.

        Raises:
            AssertionError: the page has none: its form lacks ``{{ csrf_field() }}``.
        """
        finder = _TokenFinder()
        finder.feed(self.text)
        if finder.token is None:
            raise AssertionError(f"no field {CSRF_FIELD!r} in the page: {self.text[:300]}")
        return finder.token


class _TokenFinder(HTMLParser):
    token: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and found.get("name") == CSRF_FIELD:
            self.token = found.get("value")


def http_request(
    method: str,
    uri: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> bytes:
    """Build an HTTP/1.1 request; header values are sent as latin-1."""
    all_headers = {"Host": "example.com", **(headers or {})}
    if body is not None:
        all_headers["Content-Length"] = str(len(body))
    lines = [f"{method} {uri} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in all_headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def parse_response(raw: bytes, method: str = "GET") -> Response | None:
    """
    Read one response; whatever follows it would be a mistake.

    Args:
        raw: what has come.
        method: the request's; the answer to a HEAD has no body.
    Returns:
        ``None`` while more is to come.
    """
    head, end, body = raw.partition(b"\r\n\r\n")
    if not end:
        return None
    status_line, *header_lines = head.decode("latin-1").split("\r\n")
    status = int(status_line.split(" ")[1])
    headers: dict[str, list[str]] = {}
    for line in header_lines:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    if method == "HEAD" or status in _WITHOUT_BODY:
        assert not body, raw
    elif "chunked" in headers.get("transfer-encoding", []):
        whole = _join_chunks(body)
        if whole is None:
            return None
        body = whole
    elif "content-length" in headers:
        length = int(headers["content-length"][0])
        if len(body) < length:
            return None
        assert len(body) == length, raw
    return Response(status, headers, body, raw)


def _join_chunks(data: bytes) -> bytes | None:
    """Join the chunks of a body (RFC 9112, 7.1); ``None`` while the last is not there."""
    body = b""
    while True:
        size, end, rest = data.partition(b"\r\n")
        if not end:
            return None
        length = int(size.partition(b";")[0], 16)
        if len(rest) < length + 2:
            return None
        if length == 0:
            assert rest == b"\r\n", data
            return body
        body, data = body + rest[:length], rest[length + 2 :]
