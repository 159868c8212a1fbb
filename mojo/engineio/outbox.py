"""
What waits to be sent to one client: counted in bytes, within a limit.

A message may be several packets (text, and what follows it in binary); it waits, leaves and
is dropped as a whole, except that a transport may have taken the first of its packets
already: then the others go after them, whatever happens.

Nothing here is done per packet but to add its size up: what is slow is done when more than
a watermark waits, and for a client that keeps up it never does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from twisted.internet.defer import Deferred, succeed

from mojo.engineio.options import EngineOptions
from mojo.engineio.packet import Packet, size_of
from mojo.engineio.ports import Transport
from mojo.engineio.stats import EngineStats
from mojo.errors import Disconnected

# Bytes that may wait before anybody looks at whether it is too much.
_WATERMARK = 65_536

# What may be dropped to make room, by the ``overflow`` option.
_MAY_DROP: dict[str, Callable[[Packet], bool]] = {
    "close": lambda packet: False,
    "drop_volatile": attrgetter("volatile"),
    "drop_oldest": attrgetter("droppable"),
}


class Outbox:
    """
    Packets in the order in which they leave.

    Args:
        options: ``max_buffered`` and ``overflow``.
        stats: counts what leaves, and what is dropped.
        main: where what is dropped here is counted, for one that is beside another.

    Attributes:
        packets: what waits; changed by the methods here and by nobody else.
        size: what the packets count for, in bytes; see `size_of`.
        dropped: how many messages were dropped.
        drains: who waits for nothing to wait.
    """

    __slots__ = (
        "_begun",
        "_handing_over",
        "_main",
        "_options",
        "_stats",
        "_watermark",
        "drains",
        "dropped",
        "packets",
        "size",
    )

    def __init__(
        self, options: EngineOptions, stats: EngineStats, main: Outbox | None = None
    ) -> None:
        self.packets: list[Packet] = []
        self.size = 0
        self.dropped = 0
        self._options = options
        self._stats = stats
        self._main = main
        self._watermark = min(_WATERMARK, options.max_buffered // 2)
        # How many of the first packets are the rest of something that is half sent.
        self._begun = 0
        self._handing_over = False
        self.drains: list[Deferred[None]] = []

    @property
    def high(self) -> bool:
        """Whether so much waits that it must be looked at."""
        return self.size > self._watermark

    def put(self, packets: Sequence[Packet]) -> bool:
        """Add the packets of a message, and say whether `high`."""
        size = self.size
        for packet in packets:
            size += packet.size or size_of(packet)
        self.size = size
        self.packets += packets
        return size > self._watermark

    def put_first(self, packet: Packet) -> None:
        """
        Add a packet that passes all others, also what is left of a message half sent.

        The packet must be of this outbox alone: it is told what comes after it.
        """
        packet.followers = self._begun
        self._begun += 1 if self._begun else 0
        self.packets.insert(0, packet)
        self.size += size_of(packet)

    def clear(self) -> None:
        """Forget everything that waits."""
        self.packets.clear()
        self.size = self._begun = 0

    def hand_over(self, transport: Transport) -> None:
        """Give a transport packets until it has enough."""
        if self._handing_over:
            return  # what answers a GET may bring the next one, before it is known what it took
        packets = self.packets
        self._handing_over = True
        try:
            while packets:
                count = transport.write(packets)
                if not count:
                    break
                self._stats.packets_sent += count
                if count == len(packets):
                    packets.clear()
                    self.size = self._begun = 0
                else:
                    self._begun = packets[count - 1].followers
                    self.size -= sum(map(size_of, packets[:count]))
                    del packets[:count]
        finally:
            self._handing_over = False

    # -- when too much waits --------------------------------------------------

    def refuses(self, packet: Packet) -> bool:
        """Tell whether a message must not wait; see `Packet.volatile`."""
        return packet.volatile and self._options.overflow != "drop_volatile"

    def count_dropped(self, count: int = 1) -> None:
        """Count messages that the client could not take."""
        (self._main or self).dropped += count
        self._stats.dropped += count

    def overflows(self, newest: int, unsent: int) -> bool:
        """
        Tell whether more waits than may.

        A message that is longer than the limit is let pass if it is alone: it cannot be
        cut, and must go somehow.

        Args:
            newest: how many packets the message has that was added last.
            unsent: bytes that the transport holds.
        """
        return self.size + unsent > self._options.max_buffered and len(self.packets) > newest

    def make_room(self, newest: int, unsent: int) -> int:
        """
        Drop what the ``overflow`` option lets go, and say how many messages.

        The oldest go first, the one that was added last only if nothing else helps.

        Args:
            newest: how many packets the message has that was added last.
            unsent: bytes that the transport holds.
        """
        limit = self._options.max_buffered
        # A little more than must be, so that not each message searches all that waits.
        dropped = self._drop(limit - limit // 16 - unsent, len(self.packets) - newest)
        if self.overflows(newest, unsent):
            dropped += self._drop(limit - unsent, len(self.packets))
        self.count_dropped(dropped)
        return dropped

    def _drop(self, goal: int, end: int) -> int:
        may_drop = _MAY_DROP[self._options.overflow]
        packets = self.packets
        index = self._begun
        kept = packets[:index]
        dropped = 0
        while index < end and self.size > goal:
            after = index + 1 + packets[index].followers
            if may_drop(packets[index]):
                self.size -= sum(map(size_of, packets[index:after]))
                dropped += 1
            else:
                kept += packets[index:after]
            index = after
        if dropped:
            packets[:] = kept + packets[index:]
        return dropped

    # -- who waits for it to be empty -----------------------------------------

    def drain(self, unsent: int) -> Deferred[None]:
        """Give a Deferred of the moment at which nothing waits any more."""
        if not self.packets and not unsent:
            return succeed(None)
        drain: Deferred[None] = Deferred(self.drains.remove)
        self.drains.append(drain)
        return drain

    def drained(self) -> None:
        """Tell those who wait in `drain` that nothing waits."""
        drains, self.drains = self.drains, []
        for drain in drains:
            drain.callback(None)

    def ended(self, reason: str) -> None:
        """Tell those who wait in `drain` that the session has ended."""
        drains, self.drains = self.drains, []
        for drain in drains:
            drain.errback(Disconnected(reason))
