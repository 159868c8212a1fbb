"""
An HTTP front door that judges a request when its headers are in.

twisted.web gathers a whole body before a resource hears of the request, and every
byte that arrives renews the patience of its timeout.  On an `EngineSite` a body that
is too long is answered 413 before it is taken in, two POSTs of one session are
noticed while both are on their way, a request has one deadline however slowly it
drips, and a form has limits (see `mojo.engineio.forms`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol, cast
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from mojo.engineio.forms import read_form
from mojo.engineio.transports.closing import close_for_writing
from mojo.errors import HeadTooLongError, PayloadTooLongError, RemoteError

_log = Logger()

#: Seconds for a request's headers, and between two requests of a connection.
HEADER_SECONDS = 60.0
#: Seconds for a request's body.
BODY_SECONDS = 120.0
#: Bytes of a refused request that are read and thrown away, so that its sender gets
#: to read the answer before the connection goes.
_LINGER_BYTES = 1_000_000

_FORM_METHODS = (b"POST", b"PUT", b"PATCH")


class Mount(Protocol):
    """A resource that wants to know of a request before its body."""

    max_body: int

    def body_announced(self, request: EngineRequest, uri: bytes) -> None:
        """The headers of a POST are in; a `RemoteError` refuses it."""


class EngineRequest(Request):
    """
    A request whose body is measured as it comes.

    Attributes:
        upload_announced: whether a mount was told of the body beforehand.
        body_left: bytes of body that may still come.
    """

    channel: EngineChannel
    upload_announced = False
    body_left: float = 0.0

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, unless that is too much."""
        self.body_left -= len(data)
        if self.body_left < 0:
            self.channel.refuse(PayloadTooLongError("request body too long"))
        else:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Read the form that came, if one did, and find the resource."""
        if self.method in _FORM_METHODS and self.channel.site.mount_at(self.path) is None:
            try:
                self._read_form()
            except RemoteError as exc:
                _log_refusal(self.channel, exc)
                self.setResponseCode(exc.status)
                self.setHeader(b"content-length", b"0")
                self.finish()
                return
        super().process()

    def _read_form(self) -> None:
        kind = self.getHeader(b"content-type")
        if kind and self.content is not None and self.args is not None:
            length = self.content.seek(0, os.SEEK_END)
            self.content.seek(0)
            self.args.update(read_form(kind.decode("latin-1"), self.content, length))
            self.content.seek(0)


class EngineChannel(HTTPChannel):
    """One HTTP connection; its requests are `EngineRequest`."""

    site: EngineSite
    transport: Any
    _linger_left: int | None = None

    def connectionMade(self) -> None:
        """Begin."""
        self.site.channels.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget a connection that is gone."""
        self.site.channels.discard(self)
        super().connectionLost(reason)

    def taken_over(self) -> None:
        """Forget a connection that is a WebSocket from now on."""
        self.site.channels.discard(self)

    def dataReceived(self, data: bytes) -> None:
        """Read requests, or wait for the sender of a refused one to read our answer."""
        if self._linger_left is None:
            super().dataReceived(data)
            return
        self._linger_left -= len(data)
        if self._linger_left < 0:
            self.transport.abortConnection()

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
                mount.body_announced(request, uri)
        except RemoteError as exc:
            self.refuse(exc)

    def refuse(self, error: RemoteError) -> None:
        """Answer the request that is being read, and read no more of it."""
        if self._linger_left is not None:
            return
        _log_refusal(self, error)
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
        self.transport.abortConnection()


def _log_refusal(channel: EngineChannel, error: RemoteError) -> None:
    _log.info(
        "refused a request from {address}: {status} {error}",
        address=getattr(channel.getPeer(), "host", "unix"),
        status=error.status,
        error=str(error),
    )


class EngineSite(Site):
    """
    A Site for resources among which are mounts.

    Args:
        resource: the root.
        mounts: the mounts by path, such as ``{b"/engine.io": resource}``, without
            a slash at the end.
        clock: for the connections' deadlines.
        max_body: most bytes of a request body elsewhere.
        log_request: called with each answered request, for an access log.
    """

    noisy = False
    requestFactory = EngineRequest
    # Not the wrapper that may turn into HTTP/2: a WebSocket takes the connection over.
    protocol = EngineChannel  # type: ignore[assignment]

    def __init__(
        self,
        resource: IResource,
        mounts: Mapping[bytes, Mount],
        clock: IReactorTime,
        *,
        max_body: int = 10_000_000,
        log_request: Callable[[Request], None] | None = None,
    ) -> None:
        super().__init__(
            resource, timeout=HEADER_SECONDS, reactor=clock, parsePOSTFormSubmission=False
        )
        self.max_body = max_body
        self.channels: set[EngineChannel] = set()
        self._mounts = dict(mounts)
        self._log_request = log_request

    def mount_at(self, path: bytes) -> Mount | None:
        """Give the mount at a path, with or without the slash at the end."""
        # Percent-decoded, as the resources' own names are compared.
        return self._mounts.get(unquote_to_bytes(path).rstrip(b"/"))

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return any(channel.requests for channel in self.channels)

    def abort(self) -> None:
        """Close every connection, whatever is under way on it."""
        for channel in tuple(self.channels):
            channel.forceAbortClient()

    def log(self, request: http.Request) -> None:
        """Hand the request to the access log; twisted.web's would show the query."""
        if self._log_request is not None:
            self._log_request(cast(Request, request))

    def startFactory(self) -> None:
        """Start without the log file and the timer that twisted.web's log needs."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 only: see `protocol`."""
        return [b"http/1.1"]
