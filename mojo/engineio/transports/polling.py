"""
The long-polling transport: a GET that waits for packets, POSTs that bring them.

At most one GET and one POST of a session may be under way at a time; a second one
ends the session, since packets could overtake each other (Engine.IO protocol v4,
"HTTP long-polling").
"""

from __future__ import annotations

import gzip
from collections.abc import Callable

from twisted.python.failure import Failure
from twisted.web.server import Request

from mojo.engineio.options import EngineOptions
from mojo.engineio.packet import Packet, PacketType
from mojo.engineio.payload import decode_payload, encode_payload
from mojo.engineio.session import CloseReason, TransportOwner
from mojo.errors import EngineError, EngineErrorCode, RemoteError

# Level 1: the reactor waits while it runs, and text that repeats itself shrinks
# nearly as well as at the default level in a third of the time.
_GZIP_LEVEL = 1


class PollingTransport:
    """
    Carries a session over HTTP requests.

    Args:
        owner: the session.
        options: the server's.
    """

    name = "polling"
    closes_in_band = True

    def __init__(self, owner: TransportOwner, options: EngineOptions) -> None:
        self.owner = owner
        self._options = options
        self._get: Request | None = None
        self._uploads = 0
        self._closed = False
        self._paused = False
        self._held_answer: Callable[[], None] | None = None

    @property
    def writable(self) -> bool:
        """Whether a GET is waiting."""
        return self._get is not None

    def poll(self, request: Request) -> None:
        """
        Take a GET, which waits here until there are packets for it.

        Raises:
            EngineError: another GET is waiting; the session has then failed.
        """
        if self._get is not None:
            self._fail("two GET requests at once")
        self._get = request
        request.notifyFinish().addErrback(self._get_aborted, request)
        self.owner.transport_ready()

    def begin_upload(self) -> None:
        """
        Note that a POST is on its way; `end_upload` must follow.

        Raises:
            EngineError: another one is under way; the session has then failed.
        """
        self._uploads += 1
        if self._uploads > 1:
            self._fail("two POST requests at once")

    def end_upload(self) -> None:
        """Note that a POST was answered, or broke off."""
        self._uploads -= 1

    def receive(self, body: bytes, answer: Callable[[], None]) -> None:
        """
        Take the packets of a POST.

        Args:
            body: the whole request body.
            answer: sends the client its ``ok``; called when the client may send
                more, which is later than now if reading is paused.
        Raises:
            RemoteError: the body cannot be read; the session has then failed.
        """
        try:
            for packet in decode_payload(body):
                self.owner.packet_received(packet)
        except RemoteError as exc:
            self.owner.transport_failed(self, CloseReason.PARSE_ERROR, str(exc))
            raise
        if self._paused and not self._closed:
            self._held_answer = answer
        else:
            answer()

    def write(self, packets: list[Packet]) -> int:
        """Answer the waiting GET; see `Transport`."""
        body, count = encode_payload(packets, self._options.max_payload)
        request, self._get = self._get, None
        assert request is not None
        request.setHeader(b"content-type", b"text/plain; charset=UTF-8")
        threshold = self._options.http_compression
        if threshold and len(body) >= threshold:
            request.responseHeaders.addRawHeader(b"vary", b"Accept-Encoding")
            if accepts_gzip(request):
                body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
                request.setHeader(b"content-encoding", b"gzip")
        request.setHeader(b"content-length", b"%d" % len(body))
        request.write(body)
        request.finish()
        return count

    def nudge(self) -> None:
        """Answer a waiting GET with a noop packet."""
        if self._get is not None:
            self.write([Packet(PacketType.NOOP)])

    def close(self, reason: CloseReason) -> None:
        """Let the requests under way go; see `Transport`."""
        self._closed = True
        self.resume_reading()
        if self._get is not None:
            # The client that closed, or moved to WebSocket, only wants its GET to
            # end; any other must learn that the session did.
            peer_knows = reason is CloseReason.TRANSPORT_CLOSE
            self.write([Packet(PacketType.NOOP if peer_knows else PacketType.CLOSE)])

    def pause_reading(self) -> None:
        """Hold back the answer to the next POST; see `Transport`."""
        self._paused = True

    def resume_reading(self) -> None:
        """Answer the POST that was held back; see `Transport`."""
        self._paused = False
        answer, self._held_answer = self._held_answer, None
        if answer is not None:
            answer()

    def _get_aborted(self, failure: Failure, request: Request) -> None:
        if self._get is request:
            self._get = None
            self.owner.transport_lost(self, CloseReason.TRANSPORT_ERROR)

    def _fail(self, detail: str) -> None:
        self.owner.transport_failed(self, CloseReason.TRANSPORT_ERROR, detail)
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail=detail)


def accepts_gzip(request: Request) -> bool:
    """Tell whether a client takes a body that is compressed with gzip."""
    header = (request.getHeader(b"accept-encoding") or b"").decode("latin-1").lower()
    for item in header.split(","):
        coding, _, parameter = item.partition(";")
        if coding.strip() in ("gzip", "*"):
            try:
                return float(parameter.partition("=")[2] or 1) > 0
            except ValueError:
                return False
    return False
