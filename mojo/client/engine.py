"""
One Engine.IO connection, as its client sees it, whatever transport carries it.

An engine is ``OPENING`` until the server's open packet, ``OPEN``, ``CLOSING`` while what was
sent is still leaving, and ``CLOSED``.  It is not opened again: who wants to reconnect makes
another.  Packets leave in the order in which they were sent, and arrive in the order in
which the server sent them.

See: Engine.IO protocol v4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from mojo.client.opening import Opening, read_opening
from mojo.client.options import ClientOptions
from mojo.client.polling import PollingTransport
from mojo.client.probe import Probe
from mojo.client.transport import ClientTransport, MakeTransport
from mojo.engineio.packet import Packet, PacketType
from mojo.engineio.ports import CloseReason
from mojo.errors import ConnectError, PacketError, UnsendableError

_log = Logger()

# A text takes at most this many bytes per character: no need to count them in a short one.
_MAX_UTF8 = 4
# What base64, a type digit and a separator may add on long-polling.
_MAX_OVERHEAD = 2


class EngineState(Enum):
    """Where an engine is in its life."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class EngineReceiver(Protocol):
    """Whom an engine reports to."""

    def engine_opened(self, engine: ClientEngine) -> None:
        """The server has opened the connection."""

    def engine_pinged(self, engine: ClientEngine) -> None:
        """The server has sent a ping, and was answered."""

    def message_received(self, engine: ClientEngine, data: str | bytes) -> None:
        """A message came; exceptions are logged and the connection goes on."""

    def engine_closed(self, engine: ClientEngine, reason: CloseReason, error: Exception) -> None:
        """The connection ended, or was never made; called once."""

    def engine_gone(self, engine: ClientEngine) -> None:
        """Nothing of the connection is left: no socket, no timer; the very last call."""


class ClientEngine:
    """
    One Engine.IO connection.

    Args:
        clock: for the heartbeat and the time limits.
        options: see `ClientOptions`.
        transports: what makes each transport, by name.
        receiver: whom it reports to.

    Attributes:
        state: see `EngineState`.
        transport: what carries it now, once it was opened.
    """

    def __init__(
        self,
        clock: IReactorTime,
        options: ClientOptions,
        transports: Mapping[str, MakeTransport],
        receiver: EngineReceiver,
    ) -> None:
        self.state = EngineState.OPENING
        self.transport: ClientTransport
        self._clock = clock
        self._options = options
        self._make = transports
        self._receiver = receiver
        self._untried = list(options.transports)
        self._opening: Opening | None = None
        self._max_payload = options.max_payload
        self._outbox: list[Packet] = []
        self._flush_call: IDelayedCall | None = None
        self._probe: Probe | None = None
        self._paused = False
        self._told = False
        # Transports of which something is left.
        self._living = 0
        # One at a time: the limit on opening, then the heartbeat's, then on closing.
        self._limit_call: IDelayedCall | None = None
        self._deadline = float("inf")

    def __repr__(self) -> str:
        return f"<ClientEngine {self.state.value}>"

    def open(self) -> None:
        """Go to the server, by the first transport."""
        if self._options.timeout:
            self._limit_call = self._clock.callLater(self._options.timeout, self._opening_late)
        self._try_transport()

    # -- for the manager ----------------------------------------------------

    @property
    def writable(self) -> bool:
        """Whether a message would leave now, rather than wait."""
        return self.state is EngineState.OPEN and not self._switching and self.transport.writable

    @property
    def expired(self) -> bool:
        """Whether the server's ping is overdue, though nobody has noticed yet."""
        return self._clock.seconds() >= self._deadline

    def check_size(self, packets: Iterable[Packet]) -> None:
        """
        Check that the server takes what is to be sent.

        Raises:
            UnsendableError: a packet is longer than the ``maxPayload`` of its handshake,
                at which it would close the connection.
        """
        limit = self._max_payload
        for packet in packets:
            if len(packet.data) * _MAX_UTF8 + _MAX_OVERHEAD <= limit:
                continue
            size = self.transport.size_of(packet)
            if size > limit:
                raise UnsendableError(f"{size} bytes: the server takes messages of {limit}")

    def send_packets(self, packets: Iterable[Packet]) -> None:
        """Send packets; after the end they are dropped."""
        if self.state is EngineState.OPEN:
            self._outbox.extend(packets)
            if self._flush_call is None:
                # What one turn of the reactor sends leaves in one request, or one write.
                self._flush_call = self._clock.callLater(0, self._flush)

    def pause(self) -> None:
        """Take no more from the server until `resume`; its pings are not read either."""
        if not self._paused and self.state is EngineState.OPEN:
            self._paused = True
            self._stop_limit()
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            if self.state is EngineState.OPEN:
                self._await_ping()
                self.transport.resume_reading()

    def close(self) -> None:
        """End the connection after what was sent has left; the receiver is told at once."""
        error = ConnectError(CloseReason.FORCED_CLOSE.value)
        if self.state is EngineState.OPENING:
            self._end(CloseReason.FORCED_CLOSE, error)
        elif self.state is EngineState.OPEN:
            self.state = EngineState.CLOSING
            self._stop_limit()
            self._limit_call = self._clock.callLater(
                self._options.close_timeout, self._end, CloseReason.TRANSPORT_ERROR, error
            )
            self._abandon_probe()
            if self._paused:
                self.transport.resume_reading()
            self._tell(CloseReason.FORCED_CLOSE, error)
            self._flush()

    def fail(self, reason: CloseReason, error: Exception) -> None:
        """End the connection at once."""
        if self.state is not EngineState.CLOSED:
            self._end(reason, error)

    # -- TransportOwner -----------------------------------------------------

    def transport_opened(self, transport: ClientTransport) -> None:
        """The WebSocket is open; what counts is the server's open packet."""

    def transport_ready(self, transport: ClientTransport) -> None:
        """The transport became writable."""
        if transport is self.transport:
            self._flush()

    def packet_received(self, packet: Packet) -> None:
        """Take one packet of the server."""
        if self.state is EngineState.OPENING:
            if packet.type is PacketType.OPEN:
                self._opened(packet.data)
            else:
                self._violated(f"{packet.type.name} packet before the open packet")
        elif self.state is not EngineState.OPEN:
            return
        elif packet.type is PacketType.MESSAGE:
            try:
                self._receiver.message_received(self, packet.data)
            except Exception:
                _log.failure("a message failed")
        elif packet.type is PacketType.PING:
            self._await_ping()
            self.send_packets((Packet(PacketType.PONG),))
            self._receiver.engine_pinged(self)
        elif packet.type is PacketType.CLOSE:
            self._end(CloseReason.TRANSPORT_CLOSE, ConnectError("the server closed it"))
        elif packet.type is not PacketType.NOOP:
            self._violated(f"unexpected {packet.type.name} packet")

    def transport_lost(
        self, transport: ClientTransport, reason: CloseReason, error: Exception
    ) -> None:
        """The server is gone, or broke the protocol."""
        if transport is not self.transport or self.state is EngineState.CLOSED:
            return
        again = self._options.try_all_transports and self._untried
        if self.state is EngineState.OPENING and again:
            transport.close(reason)
            self._try_transport()
        else:
            self._end(reason, error)

    def transport_gone(self, transport: ClientTransport) -> None:
        """Nothing of a transport is left."""
        self._living -= 1
        self._tell_if_gone()

    # -- from the probe -----------------------------------------------------

    def switch_transport(self, transport: ClientTransport) -> None:
        """Go on with the WebSocket."""
        previous, self.transport = self.transport, transport
        self._probe = None
        # Nothing is under way on it, and the server has let go of it too.
        previous.abort()
        if self._paused:
            transport.pause_reading()
        self._flush()

    def probe_failed(self) -> None:
        """Go on with long-polling."""
        self._probe = None
        self._flush()

    # -- within -------------------------------------------------------------

    @property
    def _switching(self) -> bool:
        return self._probe is not None and self._probe.switching

    def _new(self, name: str) -> MakeTransport:
        self._living += 1
        return self._make[name]

    def _try_transport(self) -> None:
        name = self._untried.pop(0)
        self.transport = self._new(name)(self)
        self.transport.open(None)

    def _opened(self, data: str | bytes) -> None:
        try:
            self._opening = opening = read_opening(data)
        except PacketError as exc:
            self._violated(str(exc))
            return
        self.state = EngineState.OPEN
        if opening.max_payload is not None:
            self._max_payload = opening.max_payload
        self._stop_limit()
        self._await_ping()
        if isinstance(self.transport, PollingTransport):
            self.transport.opened(opening.eid)
        self._receiver.engine_opened(self)
        if self.state is EngineState.OPEN:
            self._begin_upgrade(opening)

    def _begin_upgrade(self, opening: Opening) -> None:
        options = self._options
        if (
            options.upgrade
            and isinstance(self.transport, PollingTransport)
            and "websocket" in opening.upgrades
            and "websocket" in options.transports
        ):
            self._probe = Probe(
                self, self.transport, self._new("websocket"), self._clock, options.timeout
            )
            self._probe.begin(opening.eid)

    def _await_ping(self) -> None:
        """Give the server time for its next ping; it is told dead when that is over."""
        assert self._opening is not None
        delay = self._opening.ping_interval + self._opening.ping_timeout
        if self._paused:
            return
        self._deadline = self._clock.seconds() + delay
        if self._limit_call is not None and self._limit_call.active():
            self._limit_call.reset(delay)
        else:
            self._limit_call = self._clock.callLater(delay, self._ping_late)

    def _stop_limit(self) -> None:
        if self._limit_call is not None and self._limit_call.active():
            self._limit_call.cancel()
        self._limit_call = None
        self._deadline = float("inf")

    def _opening_late(self) -> None:
        self._end(CloseReason.TRANSPORT_ERROR, ConnectError("timeout"))

    def _ping_late(self) -> None:
        self._end(CloseReason.PING_TIMEOUT, ConnectError("the server sent no ping"))

    def _violated(self, detail: str) -> None:
        self._end(CloseReason.PARSE_ERROR, PacketError(detail))

    def _flush(self) -> None:
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        if self.state not in (EngineState.OPEN, EngineState.CLOSING) or self._switching:
            return
        while self._outbox and self.transport.writable:
            taken = self.transport.write(self._outbox, self._max_payload)
            del self._outbox[:taken]
        if self.state is EngineState.CLOSING and not self._outbox:
            self._end(CloseReason.FORCED_CLOSE, ConnectError(CloseReason.FORCED_CLOSE.value))

    def _end(self, reason: CloseReason, error: Exception) -> None:
        self.state = EngineState.CLOSED
        self._stop_limit()
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        self._outbox.clear()
        self._abandon_probe()
        if reason in (CloseReason.TRANSPORT_ERROR, CloseReason.PING_TIMEOUT):
            self.transport.abort()
        else:
            self.transport.close(reason)
        self._tell(reason, error)
        self._tell_if_gone()

    def _tell(self, reason: CloseReason, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._receiver.engine_closed(self, reason, error)

    def _tell_if_gone(self) -> None:
        if self.state is EngineState.CLOSED and self._living == 0 and self._told:
            self._living = -1
            self._receiver.engine_gone(self)

    def _abandon_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.abandon()
