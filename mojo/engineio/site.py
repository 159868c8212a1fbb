"""
An HTTP front door that judges a request when its headers are in.

twisted.web gathers a whole body before a resource hears of the request, and every
byte that arrives renews the patience of its timeout.  On an `EngineSite` a body that
is too long is answered 413 before it is taken in, two POSTs of one session are
noticed while both are on their way, a request has one deadline however slowly it
drips, and a form has limits.  Plain requests of mounts go past twisted.web.  See
`mojo.engineio.channel`, `mojo.engineio.forms` and `mojo.engineio.plain`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IReactorTime
from twisted.web import http
from twisted.web.resource import IResource
from twisted.web.server import Request, Site, version

from mojo.engineio.channel import (
    BODY_SECONDS,
    HEADER_SECONDS,
    EngineChannel,
)
from mojo.engineio.deadlines import Deadlines
from mojo.engineio.exchange import Mount
from mojo.engineio.neighbours import Caller, Neighbours
from mojo.engineio.request import EngineRequest
from mojo.engineio.routes import follow
from mojo.engineio.shared_channel import SharedChannel
from mojo.engineio.terms import read_terms
from mojo.engineio.transports.letting_go import replace_protocol
from mojo.errors import EngineError


def _too_slow(channel: EngineChannel) -> None:
    channel.timeoutConnection()


class EngineSite(Site):
    """
    A Site for resources among which are mounts.

    Args:
        resource: the root.
        mounts: the mounts by path, such as ``{b"/engine.io": resource}``, without
            a slash at the end.
        clock: for the connections' deadlines.
        max_body: most bytes of a request body elsewhere.
        log_request: called with each answered request, for an access log, but not with those
            of mounts.

    Attributes:
        neighbours: other processes behind the same ports; see `share_with`.
    """

    noisy = False
    requestFactory = EngineRequest
    neighbours: Neighbours | None = None
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
        self.deadlines: dict[float, Deadlines[EngineChannel]] = {
            seconds: Deadlines(clock, seconds, _too_slow)
            for seconds in (HEADER_SECONDS, BODY_SECONDS)
        }
        self._clock = clock
        self._mounts = dict(mounts)
        #: The mounts by their paths as they are usually written.
        self.plain_mounts: Mapping[bytes, Mount] = {
            path + end: mount
            for path, mount in mounts.items()
            for end in (b"", b"/")
            if b"%" not in path
        }
        self._log_request = log_request
        self._stamp = (-1, b"")

    def mount_at(self, path: bytes) -> Mount | None:
        """Give the mount at a path, with or without the slash at the end."""
        # Percent-decoded, as the resources' own names are compared.
        return self._mounts.get(unquote_to_bytes(path).rstrip(b"/"))

    def leads_to(self, path: bytes, mount: Mount) -> bool:
        """Tell whether everybody who asks for a path of a mount may get there."""
        found: object = follow(self.resource, path[1:].split(b"/"))
        return found is mount

    def share_with(self, neighbours: Neighbours) -> None:
        """Give connections whose requests are another process's to that process."""
        self.neighbours = neighbours
        self.protocol = SharedChannel

    def forget_known(self) -> None:
        """Look at the next request of each connection as if there had been none like it."""
        for channel in self.channels:
            channel.forget_known()

    def owner_of(self, uri: bytes) -> str | None:
        """Tell which other process a request for a mount may be for; see `Neighbours`."""
        if self.neighbours is None:
            return None
        try:
            sid = read_terms(uri).sid
        except EngineError:
            return None  # which the mount will say again
        return self.neighbours.heir() if sid is None else self.neighbours.owner_of(sid)

    def take_in(self, transport: Any, data: bytes, caller: Caller) -> None:
        """
        Serve a connection that was begun by another process, or given back by one.

        Args:
            transport: the connection, which is not read.
            data: what was read of it; the request that it begins with is answered here, whosesoever
                session it is for.
            caller: who is at its other end.
        """
        channel = cast(SharedChannel, self.buildProtocol(caller.peer))
        channel.caller = caller
        replace_protocol(transport, channel)
        channel.take_in(data)

    @property
    def stamp(self) -> bytes:
        """The headers with which twisted.web begins each answer; it makes them for 7 µs."""
        second = int(self._clock.seconds())
        if self._stamp[0] != second:
            date = http.datetimeToString()
            self._stamp = second, b"Server: %b\r\nDate: %b\r\n" % (version, date)
        return self._stamp[1]

    def channel_gone(self, channel: EngineChannel) -> None:
        """Forget a connection that is gone, or no longer one of HTTP."""
        self.channels.discard(channel)
        if not self.channels:
            # Nobody is left to wait for: no timer stays behind a site that was stopped.
            for deadlines in self.deadlines.values():
                deadlines.clear()

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return any(channel.requests or channel.plain for channel in self.channels)

    def abort(self) -> None:
        """Close every connection, whatever is under way on it."""
        if self.neighbours is not None:
            self.neighbours.abort()
        for channel in tuple(self.channels):
            channel.forceAbortClient()

    def log(self, request: http.Request) -> None:
        """Hand the request to the access log; twisted.web's would show the query."""
        if self._log_request is not None and self.mount_at(request.path) is None:
            self._log_request(cast(Request, request))

    def startFactory(self) -> None:
        """Start without the log file and the timer that twisted.web's log needs."""

    def stopFactory(self) -> None:
        """Nothing was started."""

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 only: see `protocol`."""
        return [b"http/1.1"]
