"""
The opening handshake of a WebSocket, checked on twisted.web's request.

Autobahn would parse the headers a second time, with other ideas about where a line ends
(`str.splitlines` breaks at six more characters than HTTP does), and a value could then
grow into a header of its own.  So it is shown a request that is built here from nothing
but values that were checked here, and its second parser has nothing to split.

See: RFC 6455 section 4.2.1.
"""

from __future__ import annotations

import re

from twisted.web.server import Request

from mojo.engineio.transports.deflate import read_offers
from mojo.errors import EngineError, EngineErrorCode

# RFC 6455 section 4.2.1: 16 bytes in base64.
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
# RFC 9110 section 5.6.2, the form of a subprotocol's name.
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def is_upgrade(request: Request) -> bool:
    """Tell whether a request asks for a WebSocket."""
    return b"websocket" in _tokens(request, b"upgrade")


def check_upgrade(request: Request) -> None:
    """
    Check the headers of an opening handshake (RFC 6455 section 4.2.1).

    Raises:
        EngineError: one of them is missing or malformed; 426 for another version of
            the protocol than 13.
    """
    if request.method != b"GET" or request.clientproto != b"HTTP/1.1":
        raise _bad_upgrade("not a GET in HTTP/1.1")
    if b"upgrade" not in _tokens(request, b"connection"):
        raise _bad_upgrade("no Connection: Upgrade")
    if request.requestHeaders.getRawHeaders(b"sec-websocket-version") != [b"13"]:
        request.setHeader(b"sec-websocket-version", b"13")
        raise _bad_upgrade("Sec-WebSocket-Version is not 13", status=426)
    keys = request.requestHeaders.getRawHeaders(b"sec-websocket-key") or []
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise _bad_upgrade("Sec-WebSocket-Key is not 16 bytes in base64")
    names = _protocols(request)
    if len(set(names)) != len(names) or not all(_TOKEN.fullmatch(name) for name in names):
        raise _bad_upgrade("malformed Sec-WebSocket-Protocol")


def _bad_upgrade(detail: str, status: int = 400) -> EngineError:
    return EngineError(EngineErrorCode.BAD_REQUEST, detail=detail, status=status)


def _tokens(request: Request, name: bytes) -> list[bytes]:
    values = request.requestHeaders.getRawHeaders(name, [])
    return [token.strip().lower() for value in values for token in value.split(b",")]


def _protocols(request: Request) -> list[bytes]:
    values = request.requestHeaders.getRawHeaders(b"sec-websocket-protocol", [])
    return [name.strip() for value in values for name in value.split(b",")]


def opening_handshake(request: Request, *, compress: bool) -> bytes:
    """
    Build the request that Autobahn is shown.

    Args:
        request: an upgrade request that passed `check_upgrade`.
        compress: whether to pass on what the client offers of compression.
    """
    (key,) = request.requestHeaders.getRawHeaders(b"sec-websocket-key", [])
    lines = [
        b"GET / HTTP/1.1",
        b"Host: localhost",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + key,
    ]
    names = _protocols(request)
    if names:
        lines.append(b"Sec-WebSocket-Protocol: " + b",".join(names))
    headers = request.requestHeaders.getRawHeaders(b"sec-websocket-extensions", [])
    if compress and (offers := read_offers(value.decode("latin-1") for value in headers)):
        lines.append(b"Sec-WebSocket-Extensions: " + offers.encode("ascii"))
    return b"\r\n".join(lines) + b"\r\n\r\n"
