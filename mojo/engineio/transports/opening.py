"""
The opening handshake of a WebSocket, checked.

Autobahn would parse the headers a second time, with other ideas about where a line ends
(`str.splitlines` breaks at six more characters than HTTP does), and a value could then
grow into a header of its own.  So it is not shown the request: the handshake is made here.
That also opens a WebSocket in a quarter of the time.

See: RFC 6455 section 4.2.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1

from mojo.engineio.exchange import Exchange
from mojo.engineio.head import Fields
from mojo.errors import EngineError, EngineErrorCode

# RFC 6455 section 4.2.1: 16 bytes in base64.
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
# RFC 6455 section 1.3.
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# RFC 9110 section 5.6.2, the form of a subprotocol's name.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_upgrade(exchange: Exchange) -> None:
    """
    Check the headers of an opening handshake (RFC 6455 section 4.2.1).

    Raises:
        EngineError: one of them is missing or malformed; 426 for another version of
            the protocol than 13.
    """
    if exchange.method != b"GET" or exchange.version != b"HTTP/1.1":
        raise _bad_upgrade("not a GET in HTTP/1.1")
    fields = exchange.read_head()
    if "upgrade" not in _tokens(fields, "connection"):
        raise _bad_upgrade("no Connection: Upgrade")
    if fields.get("sec-websocket-version") != ("13",):
        exchange.fields = exchange.fields.adding([(b"sec-websocket-version", b"13")])
        raise _bad_upgrade("Sec-WebSocket-Version is not 13", status=426)
    keys = fields.get("sec-websocket-key", ())
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise _bad_upgrade("Sec-WebSocket-Key is not 16 bytes in base64")
    if "sec-websocket-protocol" in fields:
        names = _protocols(fields)
        if len(set(names)) != len(names) or not all(map(_TOKEN.fullmatch, names)):
            raise _bad_upgrade("malformed Sec-WebSocket-Protocol")


def _bad_upgrade(detail: str, status: int = 400) -> EngineError:
    return EngineError(EngineErrorCode.BAD_REQUEST, detail=detail, status=status)


def _tokens(fields: Fields, name: str) -> list[str]:
    return [token.strip().lower() for value in fields.get(name, ()) for token in value.split(",")]


def _protocols(fields: Fields) -> list[str]:
    values = fields["sec-websocket-protocol"]
    return [name.strip() for value in values for name in value.split(",")]


def opening_response(
    exchange: Exchange, headers: Iterable[tuple[str, str]], extension: str
) -> bytes:
    """
    Build the response that opens the WebSocket (RFC 6455 section 4.2.2).

    Args:
        exchange: an upgrade request that passed `check_upgrade`.
        headers: more headers, which were checked.
        extension: the ``Sec-WebSocket-Extensions``; ``""`` for none.
    """
    fields = exchange.read_head()
    (key,) = fields["sec-websocket-key"]
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: WebSocket",
        "Connection: Upgrade",
        *(f"{name}: {value}" for name, value in headers),
    ]
    if "sec-websocket-protocol" in fields:
        # The first that the client offers is spoken, as the reference does.
        lines.append("Sec-WebSocket-Protocol: " + _protocols(fields)[0])
    digest = sha1((key + _GUID).encode("ascii"), usedforsecurity=False).digest()
    lines.append("Sec-WebSocket-Accept: " + b64encode(digest).decode("ascii"))
    if extension:
        lines.append("Sec-WebSocket-Extensions: " + extension)
    return "\r\n".join([*lines, "", ""]).encode("utf-8")
