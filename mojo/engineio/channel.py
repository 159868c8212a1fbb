"""
One HTTP connection: limits and deadlines at header time, and a way past twisted.web.

A connection reads with two eyes.  What is plain (`mojo.engineio.plain`) is handed to its
mount at once; everything else goes through twisted.web's parser, which judges a request here
when its headers are in.  Only between two requests of which the first was answered may the one
take over from the other, so that answers leave in the order in which requests came.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http import HTTPChannel

from mojo.engineio.deadlines import Deadlines
from mojo.engineio.exchange import Mount
from mojo.engineio.plain import KnownRequest, read_plain
from mojo.engineio.plain_exchange import PlainExchange
from mojo.engineio.proxies import address_of
from mojo.engineio.request import log_refusal
from mojo.engineio.transports.closing import close_for_writing
from mojo.engineio.transports.reading import Reading
from mojo.engineio.transports.sending import can_send
from mojo.errors import HeadTooLongError, PayloadTooLongError, RemoteError

_log = Logger()

#: Seconds for a request's headers, and between two requests of a connection.
HEADER_SECONDS = 60.0
#: Seconds for a request's body.
BODY_SECONDS = 120.0
#: Bytes of a refused request that are read and thrown away, so that its sender gets
#: to read the answer before the connection goes.
_LINGER_BYTES = 1_000_000
# Bytes that are kept of what a client sends before its last request was answered.
_EAGER_BYTES = 16_384


class ChannelHome(Protocol):
    """
    What a connection needs of its site.

    Attributes:
        channels: the connections.
        deadlines: those who wait, by the seconds for which they do.
        max_body: most bytes of a request body that is for no mount.
        plain_mounts: the mounts by their paths as they are usually written.
    """

    channels: set[EngineChannel]
    deadlines: Mapping[float, Deadlines[EngineChannel]]
    max_body: int
    plain_mounts: Mapping[bytes, Mount]

    @property
    def stamp(self) -> bytes:
        """The headers with which twisted.web begins each answer."""

    def mount_at(self, path: bytes) -> Mount | None:
        """Give the mount at a path, with or without the slash at the end."""

    def leads_to(self, path: bytes, mount: Mount) -> bool:
        """Tell whether everybody who asks for a path of a mount may get there."""

    def owner_of(self, uri: bytes) -> str | None:
        """Tell which other process a request for a mount may be for."""

    def channel_gone(self, channel: EngineChannel) -> None:
        """Forget a connection that is gone, or no longer one of HTTP."""


class EngineChannel(HTTPChannel):
    """
    One HTTP connection; its requests are `EngineRequest`, or plain.

    Attributes:
        plain: the plain request that is under way, if one is.
        sends: see `PlainHost`.
    """

    site: ChannelHome
    transport: Any
    _linger_left: int | None = None
    _abortingCall: IDelayedCall | None = None
    _waitingForTransport = False
    timeOut: float | None  # type: ignore[assignment]
    # Whether twisted.web's parser is between two requests, and has not seen a byte of the next.
    _between = True
    plain: PlainExchange | None = None
    sends: bool
    # Whether the last request was plain: the next may be, and be read by a mount's poller.
    _is_regular = False

    def __init__(self) -> None:
        super().__init__()
        self._known: list[KnownRequest] = []
        self._reading: Reading | None = None
        self._ahead: list[bytes] = []

    def connectionMade(self) -> None:
        """Begin."""
        self.site.channels.add(self)
        self.sends = can_send(self.transport)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget a connection that is gone."""
        self._stop_reading()
        self._forget()
        super().connectionLost(reason)
        plain, self.plain = self.plain, None
        if plain is not None:
            plain.end(broke_off=True)

    def taken_over(self) -> None:
        """
        Forget a connection that is a WebSocket from now on.

        What came after its request is left in ``_dataBuffer``, as twisted.web would.
        """
        self._stop_reading()
        self._forget()
        self.plain = None
        self._known.clear()
        self._dataBuffer, self._ahead = [*self._dataBuffer, *self._ahead], []

    def forget_known(self) -> None:
        """Look at the next request as if there had been none like it."""
        self._known.clear()

    def _forget(self) -> None:
        self.setTimeout(None)
        self.site.channel_gone(self)

    def dataReceived(self, data: bytes) -> None:
        """Read requests, or wait for the sender of a refused one to read our answer."""
        if self._between:
            self._between = False
            request = read_plain(data, self.site, self._known)
            if request is not None:
                mount = request.known.mount
                if self._is_regular and self._reading is None:
                    self._reading = mount.read_for(self.transport, self)
                self._is_regular = True
                self._serve(PlainExchange(self, request), mount)
                return
        self._give_back()
        if self._linger_left is not None:
            self._linger_left -= len(data)
            if self._linger_left < 0:
                self.transport.abortConnection()
        elif self.plain is not None:
            self._ahead.append(data)
            if sum(map(len, self._ahead)) > _EAGER_BYTES:
                self.transport.pauseProducing()
        else:
            super().dataReceived(data)

    def _serve(self, exchange: PlainExchange, mount: Mount) -> None:
        self.plain = exchange
        try:
            exchange.announce()
        except RemoteError as exc:
            self.setTimeout(BODY_SECONDS)
            self.refuse(exc)
            return
        mount.serve(exchange)
        if self.plain is exchange:
            # It waits, as a GET for packets, for as long as it takes.
            self.setTimeout(None)

    # -- who reads: the transport, or a mount's poller while requests are plain ---

    def _give_back(self) -> None:
        """Let the transport read again; whatever it is told applies to it alone."""
        reading, self._reading = self._reading, None
        self._is_regular = False
        if reading is not None:
            reading.give_back()

    def _stop_reading(self) -> None:
        """Read no more: the transport is closed, or about to be."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.stop()

    def pauseProducing(self) -> None:
        """Write no more, and perhaps read no more: the client does not take what was written."""
        self._give_back()
        super().pauseProducing()

    def loseConnection(self) -> None:
        """Close when everything was written."""
        self._stop_reading()
        super().loseConnection()

    def requestDone(self, request: http.Request) -> None:
        """Go on after an answer of twisted.web's."""
        ahead = any(self._dataBuffer)
        self._savedTimeOut = HEADER_SECONDS  # not the body's, which it would give again
        super().requestDone(request)
        # Private names: without them no second request of a connection is plain.
        self._between = bool(self.persistent) and not ahead and not getattr(self, "_buffer", True)

    def exchange_over(self) -> None:
        """Go on after the answer to a plain request; see `PlainHost`."""
        plain, self.plain = self.plain, None
        assert plain is not None
        if plain.closes:
            self.persistent = 0
            self.loseConnection()
            return
        self.setTimeout(HEADER_SECONDS)
        if self._ahead:
            data, self._ahead = b"".join(self._ahead), []
            if not self._waitingForTransport:
                self.transport.resumeProducing()
            # Whoever sends ahead of the answers is not plain.
            super().dataReceived(data)
        else:
            self._between = True

    # -- PlainHost ------------------------------------------------------------

    @property
    def transport_address(self) -> str:
        """The address of the other end."""
        return address_of(self.getPeer())

    @property
    def secure(self) -> bool:
        """Whether the connection is TLS."""
        return self.isSecure()

    def isSecure(self) -> bool:
        """Tell whether the connection is TLS; twisted.web looks for adapters, too."""
        return bool(ISSLTransport.providedBy(self.transport))

    # -- deadlines --------------------------------------------------------------

    def setTimeout(self, period: float | None) -> float | None:
        """
        Wait for so many seconds, or no more.

        twisted.web would make a timer for each request, and cancel it, in 9 µs; to be put into
        the queue of all connections takes 1.
        """
        before, self.timeOut = self.timeOut, period
        if before is not None and before != period:
            self.site.deadlines[before].stop(self)
        if period is not None:
            self.site.deadlines[period].start(self)
        return before

    def resetTimeout(self) -> None:
        """Nothing: a byte does not renew a request's deadline."""

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a request's head, unless the request was refused."""
        if self._linger_left is None:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Say that a line is too long; twisted.web would close without a word."""
        self.refuse(HeadTooLongError(f"a line of more than {self.MAX_LENGTH} bytes"))

    def headerReceived(self, line: bytes) -> bool:
        """Take a header; a length of more digits than Python reads is one too long."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self.refuse(PayloadTooLongError("request body of more bytes than can be counted"))
            return False

    def allHeadersReceived(self) -> None:
        """Judge the request, if it has a body."""
        super().allHeadersReceived()
        if self.length == 0:
            return
        self.setTimeout(BODY_SECONDS)
        request = self.requests[-1]
        # Private names of twisted.web; without them the general limit holds and a
        # mount hears of the request when it is complete.
        uri = getattr(self, "_path", b"")
        method = getattr(self, "_command", b"")
        mount = self.site.mount_at(uri.partition(b"?")[0])
        request.body_left = self.site.max_body if mount is None else mount.max_body
        try:
            if self.length is not None and self.length > request.body_left:
                raise PayloadTooLongError(f"request body of {self.length} bytes")
            if mount is not None and method == b"POST":
                request.announce(mount, uri)
        except RemoteError as exc:
            self.refuse(exc)

    def refuse(self, error: RemoteError) -> None:
        """Answer the request that is being read, and read no more of it."""
        if self._linger_left is not None:
            return
        log_refusal(self, error)
        self._linger_left = _LINGER_BYTES
        reason = HTTPStatus(error.status).phrase.encode("ascii")
        self.transport.write(
            b"HTTP/1.1 %d %b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            % (error.status, reason)
        )
        close_for_writing(self.transport)

    def rawDataReceived(self, data: bytes) -> None:
        """Take a piece of a body, unless the request was refused."""
        if self._linger_left is None:
            super().rawDataReceived(data)

    def timeoutConnection(self) -> None:
        """Close without the log line per idle client that twisted.web writes."""
        if self.requests and self._linger_left is None:
            _log.info("{address} was too slow", address=getattr(self.getPeer(), "host", "unix"))
        self._abortingCall = self.callLater(self.abortTimeout, self.forceAbortClient)
        self.loseConnection()

    def forceAbortClient(self) -> None:
        """Give up on a client that does not let go."""
        self._abortingCall = None
        self._stop_reading()
        self.transport.abortConnection()
