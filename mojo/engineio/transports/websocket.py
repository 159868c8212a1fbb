"""
The WebSocket transport: what a session sends, as frames, and how the WebSocket ends.

The frames that come are read in `mojo.engineio.transports.frame_reader`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

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
from mojo.engineio.transports.closing import close_for_writing
from mojo.engineio.transports.descriptor import Descriptor
from mojo.engineio.transports.frame_reader import FrameReader
from mojo.engineio.transports.frames import frame_of, framer_of
from mojo.engineio.transports.joining import Joiner, frames_of
from mojo.engineio.transports.opening import opening_response
from mojo.engineio.transports.outlet import CHUNK, Greeting, Outlet
from mojo.engineio.transports.poller import Batches, Poller
from mojo.engineio.transports.takeover import take_over
from mojo.engineio.versions import VERSION_4, Version
from mojo.errors import PacketError

if TYPE_CHECKING:
    from mojo.engineio.transports.autobahn_protocol import AutobahnFactory

_CLOSE_CODES = {
    CloseReason.SERVER_SHUTTING_DOWN: 1001,  # going away
    CloseReason.PARSE_ERROR: 1008,  # policy violation
    CloseReason.TRANSPORT_ERROR: 1008,
    CloseReason.PING_TIMEOUT: 1008,
}
_NORMAL_CLOSURE = 1000


@implementer(IPushProducer)
class WebSocketTransport(FrameReader):
    """
    Carries a session over one WebSocket.

    It is also what Twisted's transport calls, hence the camelCase names.

    Args:
        host: what made it.
        owner: whom it reports to: an upgrade, then its session.
        version: the session's version of the protocol.

    Attributes:
        early: what the client sent before it was answered; see `read_early`.
    """

    __slots__ = (
        "__weakref__",
        "_frame",
        "_lost",
        "_outlet",
        "_paused_by_owner",
        "_paused_by_peer",
        "_reported",
        "early",
        "owner",
        "transport",
        "version",
    )

    _host: WebSocketFactory

    name = "websocket"
    closes_in_band = False

    def __init__(self, host: WebSocketFactory, owner: TransportOwner, version: Version) -> None:
        super().__init__(host)
        self.owner = owner
        self.version = version
        self.early = b""
        self.transport: Any
        self._outlet: Outlet | Descriptor | Greeting
        self._frame = framer_of(version)
        self._reported = False
        self._lost = False
        self._paused_by_owner = False
        self._paused_by_peer = False

    # -- Transport ----------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether the WebSocket is open, and the client takes what it is sent."""
        # No data may follow our Close frame.
        return (
            not self._outlet.full
            and (self._autobahn is None or self._autobahn.open)
            and not self._lost
        )

    @property
    def unsent(self) -> int:
        """How many bytes wait here; see `Transport`."""
        return self._outlet.unsent

    def write(self, packets: list[Packet]) -> int:
        """Write packets as frames, until it is a chunk or more; see `Transport`."""
        outlet = self._outlet
        # What `writable` says, without the call.
        if outlet.full or self._lost or not (self._autobahn is None or self._autobahn.open):
            return 0
        pieces: Sequence[bytes]
        if len(packets) == 1 and packets[0].size < CHUNK:
            frame = self._frame(packets[0])
            pieces = (frame,)
            size = len(frame)
            count = 1
        elif self._frame is frame_of:
            pieces, size, count = self._host.joiner.join(packets)
        else:
            pieces, size, count = frames_of(packets, self._frame)
        self._host.stats.bytes_sent += size
        outlet.send(pieces, size)
        return count

    def close(self, reason: CloseReason) -> None:
        """Begin the closing handshake; see `Transport`."""
        self._reported = True
        if self._lost:
            return
        code = _CLOSE_CODES.get(reason, _NORMAL_CLOSURE)
        self._call_autobahn().say_close(code, reason.value.encode("ascii"))
        # Whether it is our Close frame that is not answered, or the rest of what we
        # wrote that is not read: the socket must not stay for ever.
        self._host.closing.start(self)
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

    def open(
        self, exchange: Exchange, headers: Sequence[tuple[str, str]], *, says_more: bool
    ) -> None:
        """
        Take the connection of a request over and complete the opening handshake.

        Args:
            exchange: see `WebSocketFactory.accept`.
            headers: likewise.
            says_more: likewise.
        """
        extension = ""
        if self._host.deflates:
            autobahn = self._host.autobahn
            offers = exchange.read_head().get("sec-websocket-extensions", ())
            extension, compression = autobahn.negotiate(offers)
            if compression is not None:
                self._frame = autobahn.framer_of(self.version, compression)
                # It unpacks, so it stays.
                self._autobahn = autobahn.begin(self, compression)
        response = opening_response(exchange, headers, extension)
        self.early = take_over(exchange, self, self._host.poller)
        greeting = self._outlet = Greeting(response, self._outlet, self._greeted)
        if not says_more:
            greeting.send((), 0)

    def _greeted(self, outlet: Outlet | Descriptor | Greeting) -> None:
        self._outlet = outlet

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
        assert isinstance(self._outlet, Outlet)
        self._outlet.resume()
        self.taken()

    def taken(self) -> None:
        """Go on: the client has read something of what waited; see `Descriptor`."""
        if self._paused_by_peer and not self._outlet.full:
            self._paused_by_peer = False
            self._adjust_reading()
        self.owner.transport_ready()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` says so too."""

    def _adjust_reading(self) -> None:
        if self._paused_by_owner or self._paused_by_peer:
            self.transport.pauseProducing()
        elif self._autobahn is None or not self._autobahn.dropped:
            self.transport.resumeProducing()

    # -- from Twisted ---------------------------------------------------------

    def makeConnection(self, transport: Any) -> None:
        """Begin."""
        self.transport = transport
        self._outlet = transport if type(transport) is Descriptor else Outlet(transport)
        self._host.connections += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the owner, once."""
        self._lost = True
        self._host.connections -= 1
        self._host.closing.stop(self)
        clean = reason.check(ConnectionDone) is not None
        if self._autobahn is not None:
            clean = clean or self._autobahn.client_closed
            self._autobahn.let_go()
            self._autobahn = None
        self._gathering = None
        if not self._reported:
            self._reported = True
            lost = CloseReason.TRANSPORT_CLOSE if clean else CloseReason.TRANSPORT_ERROR
            self.owner.transport_lost(self, lost)

    # -- from the frames ------------------------------------------------------

    def message_received(self, data: str | bytes) -> None:
        """Take a message, of a common frame or from Autobahn."""
        # Nearly all are messages of the session's, and need not be packets before.
        if isinstance(data, str):
            if data[:1] == "4":
                self.owner.message_received(data[1:])
                return
        elif self.version is VERSION_4:
            self.owner.message_received(data)
            return
        try:
            packet = self.version.decode_message(data)
        except PacketError as exc:
            self._fail(CloseReason.PARSE_ERROR, str(exc))
        else:
            self.owner.packet_received(packet)

    def answer(self, data: bytes) -> None:
        """
        Write a control frame, in its turn: never into the middle of a frame.

        It is always an answer.  A client that pings and does not read would fill our
        memory with pongs, so it is not read until it does.
        """
        self._outlet.send([data], len(data))
        if self._outlet.full:
            self._paused_by_peer = True
            self._adjust_reading()

    def say_goodbye(self, answer: bytes) -> None:
        """Answer the client's Close frame, and close the socket."""
        self._outlet.send_last(answer)
        self.drop(abort=False)

    def drop(self, *, abort: bool) -> None:
        """Close the socket: the closing handshake is over."""
        if abort:
            self.transport.abortConnection()
        else:
            self._outlet.finish(self.transport.loseConnection)
            if self._outlet.full or self._outlet.unsent:
                self._host.closing.start(self)

    def broken(self, detail: str) -> None:
        """Say no more, and read on until the client has read why; see `FrameReader`."""
        self._outlet.finish(partial(close_for_writing, self.transport))
        self._host.closing.start(self)
        self._fail(CloseReason.TRANSPORT_ERROR, detail)

    def _fail(self, reason: CloseReason, detail: str) -> None:
        if not self._reported:
            self._reported = True
            self.owner.transport_failed(self, reason, detail)


class WebSocketFactory:
    """
    Makes the WebSocket transports of one server.

    Args:
        clock: for the closing handshake.
        options: the server's.
        stats: the server's.
        batches: who is told that frames are read, and that they were.

    Attributes:
        connections: how many sockets are open, that of a closed session among them.
        poller: watches the sockets that are not Twisted's any more.
    """

    def __init__(
        self, clock: IReactorTime, options: EngineOptions, stats: EngineStats, batches: Batches
    ) -> None:
        self.stats = stats
        self.max_payload = options.max_payload
        #: Whether messages may be compressed.
        self.deflates = options.per_message_deflate is not False
        self.poller = Poller(batches)
        self.joiner = Joiner()
        self._clock = clock
        self._options = options
        self._autobahn: AutobahnFactory | None = None
        self.connections = 0
        #: Connections that were sent a Close frame, until they are gone.
        self.closing: Deadlines[WebSocketTransport] = Deadlines(
            clock, options.close_timeout, _abort
        )
        if self.deflates:
            # Each client may need it, from its opening handshake on.
            self._autobahn = load_autobahn()(clock, options)

    @property
    def autobahn(self) -> AutobahnFactory:
        """What makes Autobahn's state machines; see `load_autobahn`."""
        if self._autobahn is None:
            self._autobahn = load_autobahn()(self._clock, self._options)
        return self._autobahn

    def accept(
        self,
        exchange: Exchange,
        owner: TransportOwner,
        version: Version = VERSION_4,
        headers: Sequence[tuple[str, str]] = (),
        *,
        says_more: bool = False,
    ) -> WebSocketTransport:
        """
        Take the connection of a request over and complete the opening handshake.

        Args:
            exchange: an upgrade request that passed `check_upgrade`; it must not be
                answered afterwards.
            owner: whom the transport reports to.
            version: the session's version of the protocol.
            headers: more headers of the response, which were checked.
            says_more: whether the transport is sent something before the turn ends, with
                which the response may leave.
        """
        transport = WebSocketTransport(self, owner, version)
        transport.open(exchange, headers, says_more=says_more)
        return transport


def load_autobahn() -> type[AutobahnFactory]:
    """
    Import Autobahn, if it was not yet.

    That takes a third of the time in which a server starts, for what common frames do not need.  A
    server imports it a moment after its start, in a thread, so that no client waits for it.
    """
    from mojo.engineio.transports.autobahn_protocol import AutobahnFactory  # noqa: PLC0415

    return AutobahnFactory


def _abort(transport: WebSocketTransport) -> None:
    transport.transport.abortConnection()
