"""The options of Autobahn's factory, all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mojo.engineio.options import EngineOptions


def set_protocol_options(
    factory: Any, options: EngineOptions, *, deflates: bool, accept: Callable[..., Any]
) -> None:
    """
    Set every option that Autobahn has; half of its defaults are open doors.

    No limits, any origin, a status page that redirects wherever its URL says, a
    dropped connection in place of a close code: see `tests.engineio.test_websocket`,
    which reads each of these back.

    Args:
        factory: Autobahn's.
        options: the server's.
        deflates: whether messages may be compressed.
        accept: chooses among a client's offers to compress them.
    """
    factory.setProtocolOptions(
        versions=[13],
        webStatus=False,
        utf8validateIncoming=True,
        maskServerFrames=False,
        requireMaskedClientFrames=True,
        applyMask=True,
        maxFramePayloadSize=options.max_payload,
        # Autobahn unpacks a compressed message to the limit, and may not notice that there is
        # more; with one byte to spare we do.
        maxMessagePayloadSize=options.max_payload + deflates,
        autoFragmentSize=0,
        # Answer a violation with its close code (1002, 1007, 1009), not with a reset.
        failByDrop=False,
        echoCloseCodeReason=False,
        # Autobahn's timers run on the global reactor whatever the factory is given:
        # none of them is used.  The handshake comes in one piece, and `closing` and
        # the session's heartbeat see to the rest.
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        autoPingInterval=0,
        autoPingTimeout=0,
        autoPingSize=12,
        autoPingRestartOnAnyTraffic=True,
        tcpNoDelay=True,
        perMessageCompressionAccept=accept,
        serveFlashSocketPolicy=False,
        flashSocketPolicy="",
        # The origin was judged by `mojo.engineio.handshake`, and is not passed on.
        allowedOrigins=[],
        allowNullOrigin=False,
        maxConnections=0,
        trustXForwardedFor=0,
    )
