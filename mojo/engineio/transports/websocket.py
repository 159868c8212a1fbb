"""
The WebSocket transport: Autobahn reads the frames, we write them.

This is the one file that imports Autobahn.  Autobahn checks every rule of RFC 6455
on the frames that the client sends.  The opening handshake is checked before it, in
`mojo.engineio.transports.opening`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mojo.engineio.deadlines import Deadlines
from mojo.engineio.exchange import Exchange
from mojo.engineio.options import EngineOptions
from mojo.engineio.packet import Packet
from mojo.engineio.ports import CloseReason, TransportOwner
from mojo.engineio.stats import EngineStats
from mojo.engineio.transports.autobahn_options import set_protocol_options
from mojo.engineio.transports.closing import close_for_writing
from mojo.engineio.transports.deflate import Deflater, read_options
from mojo.engineio.transports.fragments import Fragments
from mojo.engineio.transports.frames import frame_of, framer_of
from mojo.engineio.transports.opening import opening_handshake
from mojo.engineio.transports.outlet import CHUNK, Outlet
from mojo.engineio.transports.silence import Silence
from mojo.engineio.transports.takeover import take_over
from mojo.engineio.versions import VERSION_4, Version
from mojo.errors import PacketError

_CLOSE_CODES = {
    CloseReason.SERVER_SHUTTING_DOWN: 1001,  # going away
    CloseReason.PARSE_ERROR: 1008,  # policy violation
    CloseReason.TRANSPORT_ERROR: 1008,
    CloseReason.PING_TIMEOUT: 1008,
}
_NORMAL_CLOSURE = 1000


@implementer(IPushProducer)
class WebSocketTransport(WebSocketServerProtocol):
    """
    Carries a session over one WebSocket.

    It is also the Autobahn protocol of that WebSocket, hence the camelCase names.

    Attributes:
        owner: whom it reports to: an upgrade, then its session.
        version: the session's version of the protocol.
        early: what the client sent before it was answered; see `read_early`.
    """

    name = "websocket"
    closes_in_band = False
    log = Silence()
    # Autobahn would copy every setting onto every connection and pretty-print the
    # lot for a log line that nobody reads.  `WebSocketFactory` makes them attributes
    # of the class instead.
    CONFIG_ATTRS: list[str] = []  # noqa: RUF012

    owner: TransportOwner
    version: Version = VERSION_4
    response_headers: Sequence[tuple[str, str]] = ()
    factory: WebSocketFactory
    transport: Any
    _outlet: Outlet

    def __init__(self) -> None:
        super().__init__()
        self._reported = False
        self._discarding = False
        self._lost = False
        self.early = b""
        self._paused_by_owner = False
        self._paused_by_peer = False
        self._fragments = Fragments()
        self._frame: Callable[[Packet], bytes] = frame_of

    # -- Transport ----------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether the WebSocket is open, and the client takes what it is sent."""
        # No data may follow our Close frame.
        return bool(self.state == self.STATE_OPEN) and not self._outlet.full

    @property
    def unsent(self) -> int:
        """How many bytes wait here; see `Transport`."""
        return self._outlet.unsent

    def write(self, packets: list[Packet]) -> int:
        """Write packets as frames, until it is a chunk or more; see `Transport`."""
        frames = []
        size = 0
        for packet in packets:
            frame = self._frame(packet)
            frames.append(frame)
            size += len(frame)
            if size >= CHUNK:
                break
        self.factory.stats.bytes_sent += size
        self._outlet.write(frames, size)
        return len(frames)

    def close(self, reason: CloseReason) -> None:
        """Begin the closing handshake; see `Transport`."""
        self._reported = True
        if self._lost:
            return
        if self.state == self.STATE_OPEN:
            code = _CLOSE_CODES.get(reason, _NORMAL_CLOSURE)
            self.sendCloseFrame(code=code, reasonUtf8=reason.value.encode("ascii"))
        # Whether it is our Close frame that is not answered, or the rest of what we
        # wrote that is not read: the socket must not stay for ever.
        self.factory.closing.start(self)
        self.resume_reading()  # or the answer to our Close frame is never read

    def pause_reading(self) -> None:
        """Leave what the client sends in the kernel; see `Transport`."""
        self._paused_by_owner = True
        self._adjust_reading()

    def resume_reading(self) -> None:
        """Read again; see `Transport`."""
        self._paused_by_owner = False
        self._adjust_reading()

    # -- opening --------------------------------------------------------------

    def opened(self) -> None:
        """Frame packets as the opening handshake has it."""
        self._frame = framer_of(self.version)
        options = self.factory.deflate
        for extension in self.websocket_extensions_in_use:
            assert options is not None
            self._frame = Deflater(
                self.version,
                options,
                extension.server_max_window_bits,
                no_context_takeover=extension.server_no_context_takeover,
            ).frame_of

    def read_early(self) -> None:
        """Read what came before the owner was ready for it."""
        early, self.early = self.early, b""
        if early:
            self.dataReceived(early)

    # -- IPushProducer: how much the client takes of what we write ------------

    def pauseProducing(self) -> None:
        """Write no more: the client does not read what was written."""
        self._outlet.full = True

    def resumeProducing(self) -> None:
        """Go on: the client has read what was written."""
        self._outlet.resume()
        self._paused_by_peer = False
        self._adjust_reading()
        self.owner.transport_ready()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` says so too."""

    def _adjust_reading(self) -> None:
        if self._paused_by_owner or self._paused_by_peer:
            self.transport.pauseProducing()
        elif self.state != self.STATE_CLOSED:
            self.transport.resumeProducing()

    # -- from Twisted and Autobahn --------------------------------------------

    def connectionMade(self) -> None:
        """Begin, without the facts about the socket that Autobahn would gather."""
        self._outlet = Outlet(self.transport)
        self._connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Read frames, until one of them breaks the protocol."""
        if self._discarding:
            return
        self.factory.stats.bytes_recv += len(data)
        self._dataReceived(data)
        if self.failedByMe:
            # RFC 6455 section 7.1.7: no more processing.
            self._discarding = True
            self.data = b""
            self._fragments.clear()
            self._outlet.finish(partial(close_for_writing, self.transport))
            self.factory.closing.start(self)
            self._fail(CloseReason.TRANSPORT_ERROR, self._describe_failure())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the owner, once."""
        self._lost = True
        self.factory.closing.stop(self)
        clean = self.remoteCloseCode is not None or reason.check(ConnectionDone) is not None
        self._connectionLost(reason)  # type: ignore[arg-type]  # Autobahn's hint is wrong
        # Autobahn's Deferreds hold the protocol and the protocol holds them.
        self.is_open = self.is_closed = None
        if not self._reported:
            self._reported = True
            lost = CloseReason.TRANSPORT_CLOSE if clean else CloseReason.TRANSPORT_ERROR
            self.owner.transport_lost(self, lost)

    def _fail_connection(self, code: int = 1002, reason: str = "") -> None:
        """
        Fail the connection, once.

        What follows a violation is often another; Autobahn would answer the second
        by dropping the connection, and our Close frame with it.
        """
        if not self.failedByMe:
            super()._fail_connection(code, reason)

    def _closeConnection(self, abort: bool = False) -> None:
        """Close the socket, except after a violation: see `dataReceived`."""
        if self.failedByMe:
            return
        if abort:
            self.transport.abortConnection()
        else:
            self._outlet.finish(self.transport.loseConnection)
            if self._outlet.full:
                self.factory.closing.start(self)

    def unregisterProducer(self) -> None:
        """Nothing: the outlet does it, when nothing is left that must be written."""

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """
        Write what Autobahn has to say, in its turn: never into the middle of a frame.

        It is always an answer.  A client that pings and does not read would fill our
        memory with pongs, so it is not read until it does.
        """
        self._outlet.write([data], len(data))
        if self._outlet.full:
            self._paused_by_peer = True
            self._adjust_reading()

    def onConnect(self, request: Any) -> Any:
        """Speak the first subprotocol that the client offers, as the reference does."""
        protocols: list[str] = request.protocols
        headers: dict[str, list[str]] = {}
        for name, value in self.response_headers:
            headers.setdefault(name, []).append(value)
        return protocols[0] if protocols else None, headers

    def onMessageBegin(self, isBinary: bool) -> None:
        """A message begins."""
        self._fragments.begin(is_binary=isBinary)
        self.message_data_total_length = 0

    def onMessageFrameData(self, payload: bytes) -> None:
        """Keep a piece of a message; its size was checked when its frame began."""
        if self.failedByMe:
            return
        self._fragments.add(payload)
        limit = self.factory.max_payload
        if self._fragments.size > limit:
            self.wasMaxMessagePayloadSizeExceeded = True
            self._max_message_size_exceeded(self._fragments.size, limit, "message too long")

    def onMessageFrameEnd(self) -> None:
        """A frame ended."""

    def onMessageEnd(self) -> None:
        """A message is complete."""
        if self.failedByMe or self.state != self.STATE_OPEN:
            return
        data = self._fragments.message()
        try:
            packet = self.version.decode_message(data)
        except PacketError as exc:
            self._fail(CloseReason.PARSE_ERROR, str(exc))
        else:
            self.owner.packet_received(packet)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Nothing: `connectionLost` tells the owner."""

    def _fail(self, reason: CloseReason, detail: str) -> None:
        if not self._reported:
            self._reported = True
            self.owner.transport_failed(self, reason, detail)

    def _describe_failure(self) -> str:
        if self.wasMaxMessagePayloadSizeExceeded or self.wasMaxFramePayloadSizeExceeded:
            return f"a message longer than max_payload ({self.factory.max_payload} bytes)"
        reason = self.localCloseReason
        return reason.decode("utf-8", "replace") if reason else "the client broke RFC 6455"


class WebSocketFactory(WebSocketServerFactory):
    """
    Makes the WebSocket transports of one server.

    Args:
        clock: for the closing handshake.
        options: the server's.
        stats: the server's.
    """

    log = Silence()
    noisy = False

    def __init__(self, clock: IReactorTime, options: EngineOptions, stats: EngineStats) -> None:
        super().__init__(server="", reactor=clock)
        self.stats = stats
        self.max_payload = options.max_payload
        self.deflate = read_options(options.per_message_deflate)
        #: Connections that were sent a Close frame, until they are gone.
        self.closing: Deadlines[WebSocketTransport] = Deadlines(
            clock, options.close_timeout, _abort
        )
        set_protocol_options(
            self, options, deflates=self.deflate is not None, accept=self.accept_compression
        )
        settings = {name: getattr(self, name) for name in WebSocketServerProtocol.CONFIG_ATTRS}
        self._transport_class: type[WebSocketTransport] = type(
            "WebSocketTransport", (WebSocketTransport,), settings
        )

    def accept_compression(
        self, offers: list[PerMessageDeflateOffer]
    ) -> PerMessageDeflateOfferAccept | None:
        """Answer the offers of a client, which passed `opening_handshake`: the first is taken."""
        options = self.deflate
        if options is None or not offers:
            return None
        offer = offers[0]
        bits = options.client_max_window_bits
        return PerMessageDeflateOfferAccept(
            offer,
            request_no_context_takeover=options.client_no_context_takeover,
            # Only a client that says so can be told (RFC 7692 section 7.1.2.2).
            request_max_window_bits=bits if bits < 15 and offer.accept_max_window_bits else 0,
            no_context_takeover=options.server_no_context_takeover or None,
            window_bits=min(options.server_max_window_bits, offer.request_max_window_bits or 15),
            mem_level=options.mem_level,
            # Or a megabyte may become a gigabyte.
            max_message_size=self.max_payload + 1,
        )

    def accept(
        self,
        exchange: Exchange,
        owner: TransportOwner,
        version: Version = VERSION_4,
        headers: Sequence[tuple[str, str]] = (),
    ) -> WebSocketTransport:
        """
        Take the connection of a request over and complete the opening handshake.

        Args:
            exchange: an upgrade request that passed `check_upgrade`; it must not be
                answered afterwards.
            owner: whom the transport reports to.
            version: the session's version of the protocol.
            headers: more headers of the response, which were checked.
        """
        transport = self._transport_class()
        transport.factory = self
        transport.owner = owner
        transport.version = version
        transport.response_headers = headers
        transport.early = take_over(exchange, transport)
        transport.dataReceived(opening_handshake(exchange, compress=self.deflate is not None))
        transport.opened()
        return transport


def _abort(transport: WebSocketTransport) -> None:
    transport.transport.abortConnection()
