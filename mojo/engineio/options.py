"""
The options of an Engine.IO server, with the reference server's names and defaults.

Times are in seconds and sizes in bytes; the wire's milliseconds are made in
`mojo.engineio.welcome` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from mojo.engineio.handshake import Facts, Handshake
from mojo.errors import EngineError

TRANSPORTS = ("polling", "websocket")
#: What may happen when more than ``max_buffered`` waits for a client.
OVERFLOWS = ("close", "drop_volatile", "drop_oldest")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """
    What an Engine.IO server may be told.

    Attributes:
        ping_interval: seconds from a pong (or the handshake) to the next ping.
        ping_timeout: seconds the client has to answer a ping.
        upgrade_timeout: seconds a probing WebSocket has to become the transport.
        close_timeout: seconds a long-polling client has to fetch what it was
            still owed after the server closed the session, and a WebSocket to
            answer a Close frame.
        max_payload: most bytes of one POST body or WebSocket message, and of one
            GET response unless a single packet is longer.
        max_buffered: most bytes that wait for one client.  The default has room for the
            largest message that a client may send (ten attachments and the text before
            them, each of ``max_payload``), so that an app may pass on what it gets.  A
            message that is longer is sent if nothing else waits.
        overflow: what happens when more would wait.  ``"close"``: the session ends with
            ``"transport error"``, after which the official clients connect again.
            ``"drop_volatile"``: volatile messages wait while there is room, and go, the
            oldest first, when there is none; then as ``"close"``.  ``"drop_oldest"``: the
            oldest messages that may be dropped go; then as ``"close"``.
        transports: which of ``"polling"`` and ``"websocket"`` are served.
        allow_upgrades: whether a polling session may move to WebSocket.
        http_compression: least bytes of a GET response that is compressed, when
            the client accepts gzip or deflate; 0 turns compression off.
        per_message_deflate: whether WebSocket messages may be compressed; a mapping
            has options of `mojo.engineio.transports.deflate.DeflateOptions`.
        allow_eio3: whether clients of version 3 of the protocol, which are those of
            Socket.IO 1 and 2, are served too.
        initial_packet: a message that every client is sent with the handshake.
        cookie: the name of a cookie with the session's id, or a mapping of its
            attributes, see `mojo.engineio.response_headers.EngineCookie`.
        sid_prefix: how the ids of sessions begin, for a proxy that finds the node by them;
            those that ``generate_id`` makes are left alone.
        allow_request: called with the `Handshake` of a client before it is let in; see
            `mojo.engineio.admission`.
        generate_id: called with the `Handshake`; gives the session's id.
        generated_prefix: how also those ids begin: where there are workers, with the name of the
            one that has the session.
        initial_headers: called with a dict, to be filled with headers of the response, and
            the `Handshake` that it answers.
        headers: called likewise for every response, with the request's facts.
        connection_error: called with the `EngineError` for which a request is refused and
            the request's facts, or ``None`` if it could not be read.
        allowed_origins: origins beside our own that may connect with their
            visitors' cookies, such as ``"https://example.com"``; ``"*"`` lets any
            page connect, but without its visitor's cookies.
        trusted_proxies: addresses, networks or ``"unix"`` whose ``X-Forwarded-*``
            headers are believed.
    """

    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    upgrade_timeout: float = 10.0
    close_timeout: float = 30.0
    max_payload: int = 1_000_000
    max_buffered: int = 16_000_000
    overflow: str = "close"
    transports: tuple[str, ...] = TRANSPORTS
    allow_upgrades: bool = True
    http_compression: int = 1024
    per_message_deflate: bool | Mapping[str, Any] = False
    allow_eio3: bool = False
    initial_packet: str | bytes | None = None
    cookie: str | Mapping[str, Any] | None = None
    sid_prefix: str = ""
    allow_request: Callable[[Handshake], Any] | None = None
    generate_id: Callable[[Handshake], Any] | None = None
    generated_prefix: str = ""
    initial_headers: Callable[[MutableMapping[str, Any], Handshake], Any] | None = None
    headers: Callable[[MutableMapping[str, Any], Facts], Any] | None = None
    connection_error: Callable[[EngineError, Facts | None], Any] | None = None
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.overflow not in OVERFLOWS:
            raise ValueError(f"overflow must be one of {OVERFLOWS}, not {self.overflow!r}")
