"""
Autobahn's state machine of RFC 6455, for all that is not a common frame.

This is the one file that imports Autobahn.  `mojo.engineio.transports.websocket` reads common
frames itself, and has a state machine only while there is something for it to do: fragments,
control frames, compression, and whatever breaks the protocol.  The opening handshake is not
its affair; see `mojo.engineio.transports.opening`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import (
    PerMessageDeflate,
    PerMessageDeflateOffer,
    PerMessageDeflateOfferAccept,
)
from twisted.internet.interfaces import IReactorTime

from mojo.engineio.options import EngineOptions
from mojo.engineio.packet import Packet
from mojo.engineio.transports.autobahn_options import set_protocol_options
from mojo.engineio.transports.deflate import Deflater, read_offers, read_options
from mojo.engineio.transports.fragments import Fragments
from mojo.engineio.transports.silence import Silence
from mojo.engineio.versions import Version


class Carrier(Protocol):
    """What a state machine reports to: the transport of which it reads the bytes."""

    def message_received(self, data: str | bytes) -> None:
        """A message is complete."""

    def answer(self, data: bytes) -> None:
        """Write a control frame, in its turn."""

    def drop(self, *, abort: bool) -> None:
        """Close the socket."""


class AutobahnProtocol(WebSocketServerProtocol):
    """
    The state machine of one WebSocket, hence the camelCase names.

    Attributes:
        carrier: see `Carrier`.
    """

    log = Silence()
    # Autobahn would copy every setting onto every connection and pretty-print the
    # lot for a log line that nobody reads.  `AutobahnFactory` makes them attributes
    # of the class instead.
    CONFIG_ATTRS: list[str] = []  # noqa: RUF012

    carrier: Carrier
    factory: AutobahnFactory

    def begin(self, carrier: Carrier, compression: PerMessageDeflate | None) -> None:
        """Begin as if it had made the opening handshake, between two frames."""
        self.carrier = carrier
        self._fragments = Fragments()
        self._connectionMade()
        # Autobahn's hints know these as what `_connectionMade` sets them to, for one.
        self._perMessageCompress = compression  # type: ignore[assignment]
        self.websocket_version = 13
        self.inside_message = False
        self.current_frame = None  # type: ignore[assignment]
        self.state = self.STATE_OPEN

    @property
    def open(self) -> bool:
        """Whether no Close frame was sent, so that others may be."""
        return bool(self.state == self.STATE_OPEN)

    @property
    def dropped(self) -> bool:
        """Whether the closing handshake is over."""
        return bool(self.state == self.STATE_CLOSED)

    @property
    def failed(self) -> bool:
        """Whether the client broke the protocol, and was told so in a Close frame."""
        return bool(self.failedByMe)

    @property
    def client_closed(self) -> bool:
        """Whether the client sent a Close frame, with a code."""
        return self.remoteCloseCode is not None

    @property
    def idle(self) -> bool:
        """Whether it knows nothing that one begun anew would not."""
        return (
            not self.data
            and self.current_frame is None
            and not self.inside_message
            and self._perMessageCompress is None
            and self.open
        )

    def describe_failure(self) -> str:
        """Tell the operator what the client did wrong."""
        if self.wasMaxMessagePayloadSizeExceeded or self.wasMaxFramePayloadSizeExceeded:
            return f"a message longer than max_payload ({self.factory.max_payload} bytes)"
        reason = self.localCloseReason
        return reason.decode("utf-8", "replace") if reason else "the client broke RFC 6455"

    def read(self, data: bytes) -> None:
        """Read frames, until one of them breaks the protocol."""
        self._dataReceived(data)
        if self.failed:
            # RFC 6455 section 7.1.7: no more processing.
            self.data = b""
            self._fragments.clear()

    def say_close(self, code: int, reason: bytes) -> None:
        """Begin the closing handshake, unless it was begun."""
        if self.open:
            self.sendCloseFrame(code=code, reasonUtf8=reason)

    def let_go(self) -> None:
        """Let it be collected: its Deferreds hold it, and it holds them."""
        self.is_open = self.is_closed = None
        del self.carrier

    # -- from Autobahn --------------------------------------------------------

    def _fail_connection(self, code: int = 1002, reason: str = "") -> None:
        """
        Fail the connection, once.

        What follows a violation is often another; Autobahn would answer the second
        by dropping the connection, and our Close frame with it.
        """
        if not self.failed:
            super()._fail_connection(code, reason)

    def _closeConnection(self, abort: bool = False) -> None:
        """Close the socket, except after a violation, which is the carrier's to end."""
        if not self.failed:
            self.carrier.drop(abort=abort)

    def unregisterProducer(self) -> None:
        """Nothing: the outlet does it, when nothing is left that must be written."""

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Write what Autobahn has to say, which is always a control frame."""
        self.carrier.answer(data)

    def onMessageBegin(self, isBinary: bool) -> None:
        """A message begins."""
        self._fragments.begin(is_binary=isBinary)
        self.message_data_total_length = 0

    def onMessageFrameData(self, payload: bytes) -> None:
        """Keep a piece of a message; its size was checked when its frame began."""
        if self.failed:
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
        if self.open and not self.failed:
            self.carrier.message_received(self._fragments.message())

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Nothing: the carrier tells its owner."""


class AutobahnFactory(WebSocketServerFactory):
    """
    Makes the state machines of one server.

    Args:
        clock: not used by Autobahn for anything, with these options.
        options: the server's.
    """

    log = Silence()
    noisy = False

    def __init__(self, clock: IReactorTime, options: EngineOptions) -> None:
        super().__init__(server="", reactor=clock)
        self.max_payload = options.max_payload
        self._deflate = read_options(options.per_message_deflate)
        set_protocol_options(
            self, options, deflates=self._deflate is not None, accept=self.accept_compression
        )
        settings = {name: getattr(self, name) for name in WebSocketServerProtocol.CONFIG_ATTRS}
        self._protocol_class: type[AutobahnProtocol] = type(
            "AutobahnProtocol", (AutobahnProtocol,), settings
        )

    def accept_compression(
        self, offers: list[PerMessageDeflateOffer]
    ) -> PerMessageDeflateOfferAccept | None:
        """Answer the offers of a client, which passed `read_offers`: the first is taken."""
        options = self._deflate
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

    def negotiate(self, headers: Iterable[str]) -> tuple[str, PerMessageDeflate | None]:
        """
        Choose how a client's messages are compressed.

        Args:
            headers: the values of its ``Sec-WebSocket-Extensions``.
        Returns:
            The answer's ``Sec-WebSocket-Extensions``, and what unpacks the messages; ``""``
            and ``None`` if they are not compressed.
        """
        parsed = [
            PerMessageDeflateOffer.parse(_parameters(offer))
            for offer in read_offers(headers).split(", ")
            if offer
        ]
        accepted = self.accept_compression(parsed)
        if accepted is None:
            return "", None
        return (
            accepted.get_extension_string(),
            PerMessageDeflate.create_from_offer_accept(True, accepted),
        )

    def framer_of(
        self, version: Version, compression: PerMessageDeflate
    ) -> Callable[[Packet], bytes]:
        """Give what makes the frames of a client of which `negotiate` said how."""
        assert self._deflate is not None
        return Deflater(
            version,
            self._deflate,
            compression.server_max_window_bits,
            no_context_takeover=compression.server_no_context_takeover,
        ).frame_of

    def begin(
        self, carrier: Carrier, compression: PerMessageDeflate | None = None
    ) -> AutobahnProtocol:
        """Make a state machine for an open WebSocket, at the beginning of a frame."""
        protocol = self._protocol_class()
        protocol.factory = self
        protocol.begin(carrier, compression)
        return protocol


def _parameters(offer: str) -> dict[str, list[Any]]:
    """Read an offer into Autobahn's form: a list per parameter, ``True`` for no value."""
    pairs = [part.partition("=") for part in offer.split("; ")[1:]]
    return {name: [value if equals else True] for name, equals, value in pairs}
