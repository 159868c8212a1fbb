"""`mojo.engineio.outbox`: whole messages, oldest first, within a limit."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio import EngineOptions
from mojo.engineio.outbox import Outbox
from mojo.engineio.packet import Packet, PacketType, message
from mojo.engineio.stats import EngineStats


class Taker:
    """A transport that takes so many packets, and then no more."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken: list[str | bytes] = []

    @property
    def writable(self) -> bool:
        return self.count > 0

    def write(self, packets: list[Packet]) -> int:
        count = min(self.count, len(packets))
        self.count -= count
        self.taken += [packet.data for packet in packets[:count]]
        return count


def whole(*data: str | bytes, **flags: bool) -> tuple[Packet, ...]:
    """The packets of one message, each of 128 bytes and its data."""
    packets = tuple(map(message, data))
    for followers, packet in enumerate(reversed(packets)):
        packet.followers = followers
        for name, value in flags.items():
            setattr(packet, name, value)
    return packets


class OutboxTestCase(SynchronousTestCase):
    def make(self, **options: object) -> Outbox:
        self.stats = EngineStats()
        return Outbox(EngineOptions(**options), self.stats)

    def waiting(self, outbox: Outbox) -> list[str | bytes]:
        return [packet.data for packet in outbox.packets]


class SizeTests(OutboxTestCase):
    def test_size(self) -> None:
        """128 bytes for each packet and its data; what has left counts no more."""
        outbox = self.make()
        outbox.put(whole("abc"))
        outbox.put(whole("x", b"12345678"))
        self.assertEqual(outbox.size, 131 + 129 + 136)
        outbox.hand_over(Taker(1))
        self.assertEqual(outbox.size, 129 + 136)
        outbox.hand_over(Taker(5))
        self.assertEqual((outbox.size, outbox.packets), (0, []))
        self.assertEqual(self.stats.packets_sent, 3)

    def test_first(self) -> None:
        """What is put first passes everything, also the rest of a message half sent."""
        outbox = self.make(overflow="drop_oldest", max_buffered=400)
        outbox.put(whole("head", b"one", b"two", droppable=True))
        outbox.hand_over(Taker(1))
        outbox.put_first(Packet(PacketType.PING))
        self.assertEqual(self.waiting(outbox), ["", b"one", b"two"])
        self.assertEqual(outbox.size, 128 + 131 + 131)
        outbox.put(whole("next", droppable=True))
        self.assertEqual(outbox.make_room(0, 0), 1)
        self.assertEqual(self.waiting(outbox), ["", b"one", b"two"])
        outbox.hand_over(Taker(1))
        outbox.put(whole("next", droppable=True))
        outbox.put(whole("last", droppable=True))
        self.assertEqual(outbox.make_room(1, 0), 1)
        self.assertEqual(self.waiting(outbox), [b"one", b"two", "last"])


class DropTests(OutboxTestCase):
    """Three messages of 228 bytes fit into 700."""

    def fill(self, overflow: str, *messages: tuple[Packet, ...]) -> Outbox:
        outbox = self.make(overflow=overflow, max_buffered=700)
        for packets in messages:
            outbox.put(packets)
        return outbox

    def test_close(self) -> None:
        """Nothing is dropped."""
        outbox = self.fill("close", *[whole("a" * 100, droppable=True, volatile=True)] * 4)
        self.assertEqual(outbox.make_room(1, 0), 0)
        self.assertTrue(outbox.overflows(1, 0))

    def test_drop_oldest(self) -> None:
        """The oldest that may go goes, and no more than must."""
        outbox = self.fill(
            "drop_oldest",
            whole("k" * 100),
            whole("1" * 100, droppable=True),
            whole("2" * 100, droppable=True),
            whole("3" * 100, droppable=True),
        )
        self.assertEqual(outbox.make_room(1, 0), 2)  # 684 is over 700 - 700 // 16
        self.assertEqual(self.waiting(outbox), ["k" * 100, "3" * 100])
        self.assertFalse(outbox.overflows(1, 0))
        self.assertEqual((outbox.dropped, self.stats.dropped), (2, 2))

    def test_drop_volatile(self) -> None:
        """Only volatile messages go."""
        outbox = self.fill(
            "drop_volatile",
            whole("1" * 100, droppable=True),
            whole("2" * 200, droppable=True, volatile=True),
            whole("3" * 100, droppable=True),
            whole("4" * 100, droppable=True),
        )
        self.assertEqual(outbox.make_room(1, 0), 1)
        self.assertEqual(self.waiting(outbox), ["1" * 100, "3" * 100, "4" * 100])

    def test_whole_messages(self) -> None:
        """A message goes with all its packets."""
        outbox = self.fill(
            "drop_oldest",
            whole("h" * 100, b"1" * 100, b"2" * 100, droppable=True),
            whole("n" * 100, b"3" * 100, droppable=True),
        )
        self.assertEqual(outbox.make_room(2, 0), 1)
        self.assertEqual(self.waiting(outbox), ["n" * 100, b"3" * 100])

    def test_half_sent(self) -> None:
        """What is left of a message that is half sent stays, whatever it may."""
        outbox = self.fill("drop_oldest", whole("h" * 100, b"1" * 100, b"2" * 100, droppable=True))
        outbox.hand_over(Taker(1))
        outbox.put(whole("n" * 100, droppable=True))
        outbox.put(whole("m" * 100, droppable=True))
        self.assertEqual(outbox.make_room(1, 0), 1)
        self.assertEqual(self.waiting(outbox), [b"1" * 100, b"2" * 100, "m" * 100])

    def test_newest(self) -> None:
        """The one that was added last goes only if nothing else helps."""
        outbox = self.fill("drop_oldest", *[whole("k" * 100)] * 3, whole("n", droppable=True))
        self.assertEqual(outbox.make_room(1, 0), 1)
        self.assertEqual(self.waiting(outbox), ["k" * 100] * 3)

    def test_alone(self) -> None:
        """A message that is longer than the limit fits if nothing else waits."""
        outbox = self.fill("drop_oldest", whole("x", droppable=True))
        outbox.put(whole("h", b"y" * 1000, droppable=True))
        self.assertTrue(outbox.overflows(2, 0))
        self.assertEqual(outbox.make_room(2, 0), 1)
        self.assertEqual(self.waiting(outbox), ["h", b"y" * 1000])
        self.assertFalse(outbox.overflows(2, 0))

    def test_what_the_transport_holds(self) -> None:
        """Bytes that a transport took and holds count too."""
        outbox = self.fill("drop_oldest", *[whole("1" * 100, droppable=True)] * 3)
        self.assertFalse(outbox.overflows(1, 16))
        self.assertTrue(outbox.overflows(1, 17))
        self.assertEqual(outbox.make_room(1, 500), 2)
