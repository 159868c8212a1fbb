"""
One request and its answer, whichever way it came.

There are two carriers of one: `WebExchange`, around a request of twisted.web, and
`mojo.engineio.plain.PlainExchange`, which is read from the bytes of a connection.  What a
mount does with an `Exchange` is the same for both, and so are the bytes of the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.python.failure import Failure
from twisted.web.server import Request

from mojo.engineio.answers import AnswerFields
from mojo.engineio.asker import Asker
from mojo.engineio.head import Fields, read_fields, write_head
from mojo.engineio.proxies import address_of
from mojo.engineio.terms import Terms, read_terms

if TYPE_CHECKING:
    from mojo.engineio.found import Found
    from mojo.engineio.transports.reading import Reader, Reading

NO_FIELDS = AnswerFields(())

#: See `Askers.judge`.
Judge = Callable[[bytes, Fields, str, bool], Asker]


class Upload(Protocol):
    """
    A request whose headers are in, when its body may be yet to come.

    Attributes:
        found: what the mount found it to be for, or one like it before.
    """

    found: Found | None

    @property
    def terms(self) -> Terms:
        """
        What its query says; read once.

        Raises:
            EngineError: see `read_terms`.
        """

    def asker(self, judge: Judge) -> Asker:
        """
        Tell who is asking.

        Raises:
            EngineError: the headers are malformed.
        """


class Exchange(Upload, Protocol):
    """
    A request that is to be answered once, unless its client leaves before.

    Attributes:
        method: the request's method.
        uri: its target, as it came.
        version: ``b"HTTP/1.1"``, or an older one.
        fields: headers of the answer, apart from those of its body.
        over: whether it was answered, or its client has left; it must not be answered then.
        when_over: called with it, and with whether its client left before the answer.
        upload_announced: whether a mount was told of the body beforehand.
        channel: the HTTP connection, for a WebSocket that takes it over.
        transport_address: the address of the other end of the connection.
    """

    version: bytes
    fields: AnswerFields
    over: bool
    when_over: Callable[[Exchange, bool], None] | None
    upload_announced: bool

    @property
    def method(self) -> bytes:
        """See above."""

    @property
    def uri(self) -> bytes:
        """See above."""

    @property
    def channel(self) -> Any:
        """See above."""

    @property
    def transport_address(self) -> str:
        """See above."""

    def read_head(self) -> Fields:
        """Read the header fields, for what is rarely asked of them."""

    def read_body(self, limit: int) -> bytes:
        """Give the body, or its first ``limit`` bytes."""

    def answer(
        self, status: int, content_type: bytes, body: bytes, coding: str | None = None
    ) -> None:
        """
        Answer, and be over.

        Args:
            status: an HTTP status.
            content_type: of the body.
            body: all of it.
            coding: how it was compressed, if it was.
        """


class Mount(Protocol):
    """
    A resource that answers exchanges.

    Attributes:
        max_body: most bytes of a request's body.
    """

    max_body: int

    def upload_begins(self, upload: Upload) -> Callable[[], None] | None:
        """
        Note that the headers of a POST are in, and that it has a body.

        Args:
            upload: who asks, and for what.
        Returns:
            What to call when it was answered, or has broken off.
        Raises:
            RemoteError: the request is refused, and the connection shall end.
        """

    def serve(self, exchange: Exchange, /) -> None:
        """Answer a request, now or later."""

    def read_for(self, transport: Any, reader: Reader) -> Reading | None:
        """
        Read what comes to a transport, in its place.

        Returns:
            What can be told to stop; ``None``, if the transport must read itself.
        """


class WebUpload:
    """
    An `Upload` by way of twisted.web.

    Args:
        request: one whose headers are in.
        uri: its target, which it is told later.
    """

    def __init__(self, request: Request, uri: bytes) -> None:
        self._request = request
        self.found: Found | None = None
        self.terms = read_terms(uri)

    def asker(self, judge: Judge) -> Asker:
        """See `Upload`."""
        return _ask(self._request, judge)


def _head_of(request: Request) -> bytes:
    return write_head(request.requestHeaders.getAllRawHeaders())


def _ask(request: Request, judge: Judge) -> Asker:
    head = _head_of(request)
    address = address_of(request.getClientAddress())
    return judge(head, read_fields(head), address, bool(request.isSecure()))


class WebExchange:
    """
    An `Exchange` by way of twisted.web.

    Args:
        request: a request that is complete.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._terms: Terms | None = None
        self.found: Found | None = None
        self.method: bytes = request.method
        self.uri: bytes = request.uri
        self.version: bytes = request.clientproto
        self.fields = NO_FIELDS
        self.over = False
        self.when_over: Callable[[Exchange, bool], None] | None = None
        self.upload_announced: bool = getattr(request, "upload_announced", False)
        request.notifyFinish().addErrback(self._broke_off)

    @property
    def channel(self) -> Any:
        """See `Exchange`."""
        return self._request.channel

    @property
    def transport_address(self) -> str:
        """See `Exchange`."""
        return address_of(self._request.getClientAddress())

    @property
    def terms(self) -> Terms:
        """See `Exchange`."""
        if self._terms is None:
            self._terms = read_terms(self.uri)
        return self._terms

    def read_head(self) -> Fields:
        """See `Exchange`."""
        return read_fields(_head_of(self._request))

    def asker(self, judge: Judge) -> Asker:
        """See `Exchange`."""
        return _ask(self._request, judge)

    def read_body(self, limit: int) -> bytes:
        """See `Exchange`."""
        assert self._request.content is not None
        body: bytes = self._request.content.read(limit)
        return body

    def answer(
        self, status: int, content_type: bytes, body: bytes, coding: str | None = None
    ) -> None:
        """See `Exchange`."""
        request = self._request
        request.setResponseCode(status)
        for name, value in self.fields.pairs:
            request.responseHeaders.addRawHeader(name, value)
        request.setHeader(b"content-type", content_type)
        if coding is not None:
            request.setHeader(b"content-encoding", coding.encode("ascii"))
        request.setHeader(b"content-length", b"%d" % len(body))
        request.write(body)
        # Before it is finished: that may begin with the next request of the connection.
        self._end(broke_off=False)
        request.finish()

    def _broke_off(self, _: Failure) -> None:
        self._end(broke_off=True)

    def _end(self, *, broke_off: bool) -> None:
        self.over = True
        if self.when_over is not None:
            self.when_over(self, broke_off)
