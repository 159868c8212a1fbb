"""
The long-polling transport: a GET that waits for packets, POSTs that bring them.

At most one GET and one POST of a session may be under way at a time; a second one
ends the session, since packets could overtake each other (Engine.IO protocol v4,
"HTTP long-polling").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mojo.engineio import jsonp
from mojo.engineio.asker import Asker
from mojo.engineio.exchange import Exchange
from mojo.engineio.options import EngineOptions
from mojo.engineio.packet import Packet, PacketType
from mojo.engineio.ports import CloseReason, TransportOwner
from mojo.engineio.stats import EngineStats
from mojo.engineio.transports.coding import CODINGS
from mojo.engineio.versions import VERSION_4, Version
from mojo.errors import EngineError, EngineErrorCode, RemoteError


class PollingTransport:
    """
    Carries a session over HTTP requests.

    Args:
        owner: the session.
        options: the server's.
        stats: the server's.
        version: the session's version of the protocol.
    """

    name = "polling"
    closes_in_band = True
    unsent = 0

    def __init__(
        self,
        owner: TransportOwner,
        options: EngineOptions,
        stats: EngineStats,
        version: Version = VERSION_4,
    ) -> None:
        self.owner = owner
        self._options = options
        self._stats = stats
        self._version = version
        self._get: Exchange | None = None
        self._asker: Asker
        self._jsonp: str | None = None
        self._uploads = 0
        self._closed = False
        self._paused = False
        self._held_answer: Callable[[], None] | None = None

    @property
    def writable(self) -> bool:
        """Whether a GET is waiting."""
        return self._get is not None

    def poll(self, exchange: Exchange, asker: Asker, jsonp_index: str | None = None) -> None:
        """
        Take a GET, which waits here until there are packets for it.

        Args:
            exchange: the GET.
            asker: whose it is.
            jsonp_index: the number of the page's function, if the answer is a script.
        Raises:
            EngineError: another GET is waiting; the session has then failed.
        """
        if self._get is not None:
            self._fail("two GET requests at once")
        self._get = exchange
        self._asker = asker
        self._jsonp = jsonp_index
        exchange.when_over = self._get_over
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

    def upload_over(self, exchange: Exchange, broke_off: bool) -> None:
        """See `Exchange.when_over`."""
        self.end_upload()

    def receive(self, packets: Callable[[], Iterable[Packet]], answer: Callable[[], None]) -> None:
        """
        Take the packets of a POST.

        Args:
            packets: gives them; they may be read while they are taken.
            answer: sends the client its ``ok``; called when the client may send
                more, which is later than now if reading is paused.
        Raises:
            RemoteError: one cannot be read; the session has then failed.
        """
        try:
            for packet in packets():
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
        if not self.writable:
            return 0
        exchange, self._get = self._get, None
        assert exchange is not None
        if len(packets) > 1 and packets[-1].type is PacketType.CLOSE:
            # It has the next GET to itself: the official client acts on a close at once, and
            # on the messages before it in the same payload when it is too late for them.
            packets = packets[:-1]
        index = self._jsonp
        body, taken, is_binary = self._version.encode_payload(
            packets,
            self._options.max_payload,
            allow_binary=index is None,
        )
        content_type = b"application/octet-stream" if is_binary else b"text/plain; charset=UTF-8"
        if index is not None:
            body = jsonp.wrap(index, body)
            content_type = b"text/javascript; charset=UTF-8"
        coding = None
        threshold = self._options.http_compression
        # A body is compressed if any packet in it may be: the other packets are in it too.
        if threshold and len(body) >= threshold and any(p.compress for p in packets[:taken]):
            exchange.fields = exchange.fields.by_coding
            coding = self._asker.coding
            if coding is not None:
                body = CODINGS[coding](body)
        self._stats.bytes_sent += len(body)
        exchange.answer(200, content_type, body, coding)
        return taken

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

    def _get_over(self, exchange: Exchange, broke_off: bool) -> None:
        if broke_off and self._get is exchange:
            self._get = None
            self.owner.transport_lost(self, CloseReason.TRANSPORT_ERROR)

    def _fail(self, detail: str) -> None:
        self.owner.transport_failed(self, CloseReason.TRANSPORT_ERROR, detail)
        raise EngineError(EngineErrorCode.BAD_REQUEST, detail=detail)
