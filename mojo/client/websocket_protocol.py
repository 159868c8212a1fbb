"""
The Autobahn protocol and factory of a client's WebSocket.

This is the one file of the client that imports Autobahn, which makes the opening handshake
and checks every rule of RFC 6455 on the frames that the server sends.
"""

from __future__ import annotations

from typing import Any, Protocol

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mojo.client.address import Address
from mojo.client.cookies import Cookies
from mojo.client.options import ClientOptions
from mojo.engineio.packet import Packet, decode_text, message
from mojo.engineio.ports import CloseReason
from mojo.engineio.transports.fragments import Fragments
from mojo.engineio.transports.silence import Silence
from mojo.errors import ConnectError, PacketError, PayloadTooLongError, RemoteError

#: Bytes of the server's answer to the opening handshake; more is none.
_MAX_HEAD = 65536

_NORMAL_CLOSURE = 1000
_PROTOCOL_ERROR = 1002


class Carrier(Protocol):
    """Whom a WebSocket reports to: its transport."""

    clock: IReactorTime
    close_timeout: float

    def began(self, socket: WebSocketProtocol) -> None:
        """There is a connection, on which the handshake is made."""

    def opened(self) -> None:
        """The handshake is made."""

    def ready(self) -> None:
        """What was written has gone."""

    def packet_received(self, packet: Packet) -> None:
        """A packet came."""

    def lose(self, reason: CloseReason, error: Exception) -> None:
        """The server is gone, or broke the protocol."""

    def went(self) -> None:
        """Nothing is left."""


@implementer(IPushProducer)
class WebSocketProtocol(WebSocketClientProtocol):
    """
    The Autobahn protocol of one WebSocket, hence the camelCase names.

    Args:
        carrier: the transport that it belongs to.
    """

    log = Silence()
    transport: Any

    def __init__(self, carrier: Carrier, max_payload: int) -> None:
        super().__init__()
        self._carrier = carrier
        self._fragments = Fragments()
        self._max_payload = max_payload
        self._discarding = False
        self._full = False
        self._lost = False
        self._close_call: IDelayedCall | None = None

    @property
    def writable(self) -> bool:
        """Whether a frame may be written, and would leave."""
        return bool(self.state == self.STATE_OPEN) and not self._full

    def say_goodbye(self, reason: CloseReason) -> None:
        """Send a Close frame, and give the server some time to close."""
        if self.state == self.STATE_OPEN:
            wrong = reason is CloseReason.PARSE_ERROR
            self.sendCloseFrame(code=_PROTOCOL_ERROR if wrong else _NORMAL_CLOSURE)
        elif self.state == self.STATE_CONNECTING:
            self.transport.abortConnection()
        self._await_close()

    # -- IPushProducer: the server does not read what we write ----------------

    def pauseProducing(self) -> None:
        """Write no more for the moment."""
        self._full = True

    def resumeProducing(self) -> None:
        """Write again."""
        self._full = False
        self._carrier.ready()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` says so too."""

    # -- from Twisted and Autobahn --------------------------------------------

    def connectionMade(self) -> None:
        """Begin the opening handshake."""
        self._carrier.began(self)
        self.transport.registerProducer(self, True)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Read frames, until one of them breaks the protocol."""
        if self._discarding:
            return
        if self.state == self.STATE_CONNECTING:
            self._read_head(data)
        else:
            self._dataReceived(data)
        if self.failedByMe:
            # RFC 6455 section 7.1.7: no more processing.
            self._discarding = True
            self.data = b""
            self._await_close()
            self._carrier.lose(CloseReason.PARSE_ERROR, self._describe_violation())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the transport, once."""
        self._lost = True
        if self._close_call is not None and self._close_call.active():
            self._close_call.cancel()
        opening = self.wasNotCleanReason if self.state == self.STATE_CONNECTING else None
        clean = self.remoteCloseCode is not None or reason.check(ConnectionDone) is not None
        was_open = self.state not in (self.STATE_CONNECTING, self.STATE_CLOSED)
        self._connectionLost(reason)
        # Autobahn's Deferreds hold the protocol and the protocol holds them.
        self.is_open = self.is_closed = None
        error = ConnectError(opening) if opening else reason.value
        assert isinstance(error, Exception)
        lost = CloseReason.TRANSPORT_CLOSE if clean and was_open else CloseReason.TRANSPORT_ERROR
        self._carrier.lose(lost, error)
        self._carrier.went()

    def onOpen(self) -> None:
        """The handshake is made."""
        self._carrier.opened()

    def onMessageBegin(self, isBinary: bool) -> None:
        """A message begins."""
        self._fragments.begin(is_binary=isBinary)
        self.message_data_total_length = 0

    def onMessageFrameData(self, payload: bytes) -> None:
        """Keep a piece of a message; its size was checked when its frame began."""
        if not self.failedByMe:
            self._fragments.add(payload)

    def onMessageFrameEnd(self) -> None:
        """A frame ended."""

    def onMessageEnd(self) -> None:
        """A message is complete."""
        if self.failedByMe or self.state != self.STATE_OPEN:
            return
        data = self._fragments.message()
        try:
            packet = message(data) if isinstance(data, bytes) else decode_text(data)
        except PacketError as exc:
            self._carrier.lose(CloseReason.PARSE_ERROR, exc)
            self.say_goodbye(CloseReason.PARSE_ERROR)
        else:
            self._carrier.packet_received(packet)

    def onCloseFrame(self, code: int, reasonRaw: bytes) -> bool | None:
        """Answer the server's Close frame, and wait no longer than we would for an answer."""
        stop = super().onCloseFrame(code, reasonRaw)
        if not self.failedByMe:
            detail = f"the server closed the WebSocket ({code})"
            self._await_close()
            self._carrier.lose(CloseReason.TRANSPORT_CLOSE, ConnectError(detail))
        return stop

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Nothing: `connectionLost` tells the transport."""

    def failHandshake(self, reason: str) -> None:
        """Give the handshake up."""
        if self.state == self.STATE_CONNECTING:
            self._carrier.lose(CloseReason.TRANSPORT_ERROR, ConnectError(reason))
            super().failHandshake(reason)

    def _fail_connection(self, code: int = 1002, reason: str = "") -> None:
        """Fail the connection, once: Autobahn would drop it at the second violation."""
        if not self.failedByMe:
            super()._fail_connection(code, reason)

    def _read_head(self, data: bytes) -> None:
        """Read the answer to the opening handshake."""
        try:
            self._dataReceived(data)
        except Exception:
            # Autobahn's parser raises at some of what is no HTTP, and leaves it to
            # Twisted to log that with a traceback.
            self.failHandshake("the answer to the WebSocket handshake is no HTTP")
        if self.state == self.STATE_CONNECTING and len(self.data) > _MAX_HEAD:
            self.failHandshake("the answer to the WebSocket handshake is too long")

    def _await_close(self) -> None:
        if self._close_call is None and not self._lost:
            carrier = self._carrier
            self._close_call = carrier.clock.callLater(
                carrier.close_timeout, self.transport.abortConnection
            )

    def _describe_violation(self) -> RemoteError:
        if self.wasMaxMessagePayloadSizeExceeded or self.wasMaxFramePayloadSizeExceeded:
            return PayloadTooLongError(
                f"a message longer than max_payload ({self._max_payload} bytes)"
            )
        reason = self.localCloseReason
        detail = reason.decode("utf-8", "replace") if reason else "the server broke RFC 6455"
        return PacketError(detail)


class WebSocketFactory(WebSocketClientFactory):
    """Makes the protocol of one WebSocket."""

    log = Silence()
    noisy = False

    def __init__(
        self,
        carrier: Carrier,
        address: Address,
        options: ClientOptions,
        cookies: Cookies,
        eid: str | None,
    ) -> None:
        headers = dict(options.extra_headers)
        useragent = headers.pop("User-Agent", "Mojo")
        header = cookies.header()
        if header:
            headers["Cookie"] = header
        super().__init__(useragent=useragent, headers=headers, reactor=carrier.clock)
        # What it would take apart from a URL, and put together in other words.
        self.isSecure = address.secure
        self.host = f"[{address.host}]" if ":" in address.host else address.host
        self.port = address.port
        self.resource = address.resource("websocket", eid)
        self._carrier = carrier
        self._max_payload = options.max_payload
        set_protocol_options(self, options)

    def buildProtocol(self, address: object) -> WebSocketProtocol:
        """Make the protocol."""
        protocol = WebSocketProtocol(self._carrier, self._max_payload)
        protocol.factory = self
        return protocol


def set_protocol_options(factory: WebSocketClientFactory, options: ClientOptions) -> None:
    """Set every option that Autobahn has, as the server does, and for the same reasons."""
    factory.setProtocolOptions(
        version=18,  # Autobahn's number for RFC 6455
        utf8validateIncoming=True,
        acceptMaskedServerFrames=False,
        maskClientFrames=True,
        applyMask=True,
        maxFramePayloadSize=options.max_payload,
        maxMessagePayloadSize=options.max_payload,
        autoFragmentSize=0,
        failByDrop=False,
        echoCloseCodeReason=False,
        serverConnectionDropTimeout=0,
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        tcpNoDelay=True,
        perMessageCompressionOffers=[],
        perMessageCompressionAccept=_accept_no_compression,
        autoPingInterval=0,
        autoPingTimeout=0,
        autoPingSize=12,
        autoPingRestartOnAnyTraffic=True,
    )


def _accept_no_compression(response: object) -> None:
    """Autobahn's hook for permessage-deflate, which is not offered."""
