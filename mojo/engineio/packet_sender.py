"""
The sending half of a session: what waits for the client, within a limit, and when it leaves.

Packets leave in the order in which they were sent, on whichever transport is current when they
leave, and when the turn ends: see `mojo.engineio.flushing`.  What more waits than may is
dropped, or ends the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail

from mojo.engineio.flushing import FlushQueue
from mojo.engineio.outbox import Outbox
from mojo.engineio.packet import Packet, checked_message
from mojo.engineio.ports import OPEN, CloseReason, SessionHost, SessionState, Transport
from mojo.errors import Disconnected


class PacketSender:
    """
    The half of an `EngineSession`, which is made from it, that sends.

    It is no object of its own because there is one for each connection.

    Args:
        host: what a session needs of its server.

    Attributes:
        transport: what carries the session now.
        state: see `SessionState`.
        flushes: what ends its turns.
    """

    __slots__ = (
        "_clogged",
        "_dropping",
        "_flush_pending",
        "_host",
        "_outbox",
        "_overflow",
        "_reason",
        "flushes",
        "state",
        "transport",
    )

    def __init__(self, host: SessionHost[Any]) -> None:
        self.transport: Transport
        self.state = SessionState.OPEN
        self._host = host
        self.flushes: FlushQueue[Any] = host.flushes
        self._reason: CloseReason | None = None
        self._outbox = Outbox(host.options, host.stats)
        self._flush_pending = False
        # The client is not read because it does not read.
        self._clogged = False
        self._dropping = False  # since the outbox was empty
        self._overflow = ""  # what the operator is told when the turn ends

    # -- for the application ------------------------------------------------

    @property
    def writable(self) -> bool:
        """
        Whether the client can take a message at this moment.

        It cannot while it is behind with reading, and on long-polling between two GETs.
        """
        return self.state is SessionState.OPEN and self.transport.writable

    @property
    def buffered(self) -> int:
        """
        How many bytes wait for the client to take them.

        Each packet counts for its data and `mojo.engineio.packet.PACKET_COST`.
        """
        self._settle()
        return self._outbox.size + self.transport.unsent

    @property
    def dropped(self) -> int:
        """How many messages were dropped because the client could not take them."""
        self._settle()
        return self._outbox.dropped

    def drain(self) -> Deferred[None]:
        """
        Wait until nothing is `buffered`.

        Returns:
            A Deferred; it fails with `Disconnected` when the session ends.
        """
        self._settle()
        if self.state is not SessionState.OPEN:
            assert self._reason is not None
            return fail(Disconnected(self._reason.value))
        return self._outbox.drain(self.transport.unsent)

    def send(self, data: str | bytes, *, volatile: bool = False) -> None:
        """
        Send one message; after the end it is dropped.

        Args:
            data: the message.
            volatile: whether it may be dropped if the client cannot take it now.
        Raises:
            ValueError: see `checked_message`.
        """
        self.send_packets((checked_message(data, volatile=volatile),))

    def new_outbox(self) -> Outbox:
        """Make another one for what may not be sent yet; see `fit`."""
        return Outbox(self._host.options, self._host.stats, self._outbox)

    def send_packets(self, packets: Sequence[Packet]) -> None:
        """
        Send the packets of one message, made before and perhaps for many sessions.

        What is volatile is dropped here if the client cannot take it; if too much waits,
        the ``overflow`` option says what is.
        """
        owing = self.flushes.owing
        if owing.messages:
            owing.settle(self)
        if self.state is not OPEN:
            return
        first = packets[0]
        if first.volatile and not self.writable and self._outbox.refuses(first):
            self._outbox.count_dropped()
            return
        if self._outbox.put(packets):
            self.relieve(len(packets))
        if not self._flush_pending:
            self._flush_pending = True
            self.flushes.add(self)

    def send_now(self, packets: list[Packet]) -> bool:
        """
        Send packets past the outbox, if nothing waits and the client takes them.

        Args:
            packets: less than a WebSocket takes at once.
        Returns:
            Whether they were sent: all of them, or none.
        """
        transport = self.transport
        if (
            self.state is not OPEN
            or self._outbox.packets
            # A GET may have room for some of them only, and bring the next one meanwhile.
            or transport.closes_in_band
            or not transport.write(packets)
        ):
            return False
        self._host.stats.packets_sent += len(packets)
        return True

    def put_owed(self, messages: Iterable[Sequence[Packet]]) -> bool:
        """
        Do what `send_packets` does with messages that are not volatile, but do not `relieve`.

        Returns:
            Whether that must follow.
        """
        high = False
        if self.state is OPEN:
            outbox = self._outbox
            for packets in messages:
                high = outbox.put(packets)
            self._flush_soon()
        return high

    # -- within and below ---------------------------------------------------

    def _settle(self) -> None:
        """Have what is owed to it in the outbox, before that is looked at; see `Owing`."""
        owing = self.flushes.owing
        if owing.messages:
            owing.settle(self)

    def _send_first(self, packet: Packet) -> None:
        self._outbox.put_first(packet)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flush_pending:
            self._flush_pending = True
            self.flushes.add(self)

    def flush(self) -> None:
        """Hand the transport what it can take, and see what that changes."""
        self._flush_pending = False
        if self._overflow:
            self.fail(CloseReason.TRANSPORT_ERROR, self._overflow)
            return
        outbox = self._outbox
        outbox.hand_over(self.transport)
        if self._clogged and not outbox.high:
            self._clogged = False
            self._adjust_reading()
        if not outbox.packets:
            self._dropping = False
            if self.state is SessionState.CLOSING:
                assert self._reason is not None
                self.lose(self._reason)
            elif outbox.drains and not self.transport.unsent:
                outbox.drained()

    def relieve(self, newest: int) -> None:
        """Look at what waits, which is a good deal; see `fit`."""
        outbox = self._outbox
        outbox.hand_over(self.transport)
        unsent = self.transport.unsent
        if not self._clogged and self.buffered > self._host.options.max_buffered // 2:
            # It may be waiting for answers that it does not take, and asking on.
            self._clogged = True
            self._adjust_reading()
        self.fit(outbox, newest, unsent)

    def fit(self, outbox: Outbox, newest: int, unsent: int) -> None:
        """
        See to it that no more waits for the client than may: drop messages, or end the session.

        Args:
            outbox: the session's, or one that is held back.
            newest: how many packets the message has that was added to it last.
            unsent: bytes that wait elsewhere.
        """
        if self.state is not SessionState.OPEN or not outbox.overflows(newest, unsent):
            return
        waiting = outbox.size + unsent
        if outbox.make_room(newest, unsent) and not self._dropping:
            self._dropping = True
            self._note("{size} bytes wait, messages are dropped", size=waiting)
        if outbox.overflows(newest, unsent):
            # The end is put off to the end of the turn: whoever sends may be sending this
            # to others too, and must not hear of the end of a session in between.
            limit = self._host.options.max_buffered
            self._overflow = f"{waiting} bytes wait, and max_buffered is {limit}"
            self._reason = CloseReason.TRANSPORT_ERROR
            self.state = SessionState.CLOSING
            outbox.clear()
            self._outbox.clear()
            self._flush_soon()

    # -- what the other half does -----------------------------------------------

    def lose(self, reason: CloseReason) -> None:
        """End the session at once: the client is gone."""
        raise NotImplementedError

    def fail(self, reason: CloseReason, detail: str) -> None:
        """End the session at once: the client broke the protocol, or is too far behind."""
        raise NotImplementedError

    def _adjust_reading(self) -> None:
        raise NotImplementedError

    def _note(self, what: str, **facts: object) -> None:
        raise NotImplementedError
