"""
A plain request and its answer.

See `mojo.engineio.plain` for what is plain, and `mojo.engineio.exchange` for the other way in which
a request may come.  Answers are byte for byte what twisted.web would write.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

from twisted.web.http import RESPONSES

from mojo.engineio.answers import AnswerFields
from mojo.engineio.asker import Asker
from mojo.engineio.exchange import NO_FIELDS, Exchange, Judge
from mojo.engineio.found import Found
from mojo.engineio.head import Fields, read_fields
from mojo.engineio.plain import PlainRequest
from mojo.engineio.terms import Terms, read_terms
from mojo.engineio.transports.sending import send


class Stamping(Protocol):
    """What knows the time."""

    @property
    def stamp(self) -> bytes:
        """The headers with which each answer begins."""


class PlainHost(Protocol):
    """
    The connection of a `PlainExchange`.

    Attributes:
        transport: what it is written to.
        sends: whether that may be passed by; see `mojo.engineio.transports.sending`.
    """

    transport: Any
    sends: bool

    @property
    def transport_address(self) -> str:
        """The address of its other end."""

    @property
    def secure(self) -> bool:
        """Whether it is TLS."""

    @property
    def site(self) -> Stamping:
        """What the connection was made by."""

    def exchange_over(self) -> None:
        """The exchange was answered."""


def _status_line(status: int) -> bytes:
    # As twisted.web has them.
    return b"HTTP/1.1 %d %b\r\n" % (status, RESPONSES.get(status, b"Unknown Status"))


_STATUS_LINES = {int(status): _status_line(status) for status in HTTPStatus}
_CLOSING_LINES = {s: line + b"Connection: close\r\n" for s, line in _STATUS_LINES.items()}


class PlainExchange:
    """
    An `Exchange` of a plain request.

    Args:
        host: the connection.
        request: see `read_plain`.
    """

    __slots__ = (
        "_body",
        "_data",
        "_known",
        "channel",
        "fields",
        "method",
        "over",
        "upload_announced",
        "when_over",
    )

    version = b"HTTP/1.1"

    def __init__(self, host: PlainHost, request: PlainRequest) -> None:
        self.channel = host
        self._known, self._data, self._body = request
        self.method = self._known.method
        self.fields: AnswerFields = NO_FIELDS
        self.over = False
        self.when_over: Callable[[Exchange, bool], None] | None = None
        self.upload_announced = False

    @property
    def uri(self) -> bytes:
        """See `Exchange`."""
        return self._data.split(b" ", 2)[1]

    @property
    def transport_address(self) -> str:
        """See `Exchange`."""
        return self.channel.transport_address

    @property
    def terms(self) -> Terms:
        """See `Exchange`; they do not depend on what differs between known requests."""
        terms = self._known.terms
        if terms is None:
            terms = self._known.terms = read_terms(self.uri)
        return terms

    @property
    def found(self) -> Found | None:
        """See `Upload`."""
        return self._known.found

    @found.setter
    def found(self, found: Found | None) -> None:
        self._known.found = found

    @property
    def closes(self) -> bool:
        """Whether the connection ends with the answer."""
        return self._known.closes

    def read_head(self) -> Fields:
        """See `Exchange`."""
        return self._known.fields or read_fields(self._known.lines)

    def asker(self, judge: Judge) -> Asker:
        """See `Exchange`; found once for each head of a connection."""
        known = self._known
        asker = known.asker
        if asker is None:
            channel = self.channel
            address = channel.transport_address
            asker = known.asker = judge(known.lines, self.read_head(), address, channel.secure)
            if not asker.is_upgrade:
                known.fields = None
        return asker

    def read_body(self, limit: int) -> bytes:
        """See `Exchange`."""
        return self._body[:limit]

    def answer(
        self, status: int, content_type: bytes, body: bytes, coding: str | None = None
    ) -> None:
        """See `Exchange`."""
        known, channel = self._known, self.channel
        data = b"%b%b%b%d\r\n\r\n%b" % (
            (_CLOSING_LINES if known.closes else _STATUS_LINES)[status],
            channel.site.stamp,
            self.fields.wire_with(content_type, coding),
            len(body),
            body,
        )
        if channel.sends:
            send(channel.transport, data)
        else:
            channel.transport.write(data)
        # What `end` does, without the call.
        self.over = True
        if self.when_over is not None:
            self.when_over(self, False)
        channel.exchange_over()

    def announce(self) -> None:
        """
        Tell the mount that there is a body, before anything else is looked at.

        Raises:
            RemoteError: the request is refused, and the connection shall end.
        """
        if self._body:
            ended = self._known.mount.upload_begins(self)
            if ended is not None:
                self.upload_announced = True
                self.when_over = lambda exchange, broke_off: ended()

    def end(self, *, broke_off: bool) -> None:
        """Be over."""
        self.over = True
        if self.when_over is not None:
            self.when_over(self, broke_off)
