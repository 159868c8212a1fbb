"""`mojo.engineio.owing`: what many are owed leaves when the turn ends, once, in order, to all."""

from itertools import chain

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio import EngineOptions, EngineServer
from mojo.engineio.flushing import FlushQueue
from mojo.engineio.handshake import Handshake, Identity
from mojo.engineio.packet import checked_message, message
from mojo.engineio.ports import CloseReason
from mojo.engineio.transports.outlet import CHUNK


class Transport:
    """Takes nothing, or what it is given up to a chunk or more, and remembers it by the call."""

    name = "websocket"
    unsent = 0
    closes_in_band = False

    def __init__(self) -> None:
        self.writable = True
        self.fails = False
        self.written: list[list[str]] = []

    def write(self, packets) -> int:
        if self.fails:
            raise ValueError
        if not self.writable:
            return 0
        taken: list[str] = []
        for packet in packets:
            taken.append(packet.data)
            if sum(map(len, taken)) >= CHUNK:
                break
        self.written.append(taken)
        return len(taken)

    def close(self, reason) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Quiet:
    def session_closed(self, reason) -> None:
        pass


class OwingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.begin()

    def begin(self, **options: object) -> None:
        self.clock = Clock()
        self.engine = EngineServer(lambda session: Quiet(), self.clock, EngineOptions(**options))
        self.flushes: FlushQueue = self.engine.flushes
        self.transports = [Transport() for _ in range(3)]
        self.sessions = [self.open(transport) for transport in self.transports]

    def open(self, transport):
        handshake = Handshake(b"/", b"", "198.51.100.7", False, identity=Identity(), issued=0)
        session = self.engine.new_session(handshake)
        self.engine.start(session, transport)
        transport.written.clear()
        return session

    def owe(self, *data: str, to=None) -> None:
        packets = [message(item) for item in data]
        self.flushes.send_to_all(self.sessions if to is None else to, packets)

    def written(self) -> list[list[list[str]]]:
        return [transport.written for transport in self.transports]

    def timers(self) -> int:
        return sum(call.getTime() == self.clock.seconds() for call in self.clock.getDelayedCalls())

    def test_turn(self) -> None:
        """All that a turn owes leaves in one write, when it ends, by one timer."""
        self.owe("a")
        self.owe("b", "c", to=list(self.sessions))
        self.assertEqual((self.written(), self.timers()), ([[], [], []], 1))
        self.clock.advance(0)
        self.assertEqual(self.written(), [[["a", "b", "c"]]] * 3)
        self.assertEqual(self.engine.stats.packets_sent, 3 + 9)
        self.assertEqual(self.timers(), 0)

    def test_batch(self) -> None:
        """It leaves when a batch ends, without a timer."""
        self.flushes.hold()
        self.owe("a")
        self.flushes.release()
        self.assertEqual((self.written(), self.timers()), ([[["a"]]] * 3, 0))

    def test_one_is_sent_more(self) -> None:
        """To whom something else is sent, it is sent in order; the others are still owed."""
        self.owe("a")
        self.sessions[1].send("mine")
        self.owe("b")
        self.sessions[1].send("mine too")
        self.sessions[1].send("and this")
        self.clock.advance(0)
        mine = [["a", "mine", "b", "mine too", "and this"]]
        self.assertEqual(self.written(), [[["a", "b"]], mine, [["a", "b"]]])

    def test_flushed_meanwhile(self) -> None:
        """One that had it already, before the turn ended, does not get it again."""
        self.owe("a")
        self.sessions[0].send("mine")
        self.sessions[0].flush()
        self.clock.advance(0)
        self.assertEqual(self.written(), [[["a", "mine"]], [["a"]], [["a"]]])

    def test_others(self) -> None:
        """What others are owed is joined with what came before it."""
        self.owe("a")
        self.owe("b", to=self.sessions[:2])
        self.owe("c")
        self.clock.advance(0)
        self.assertEqual(self.written(), [[["a", "b", "c"]]] * 2 + [[["a", "c"]]])
        self.assertEqual(self.timers(), 0)

    def test_what_waits(self) -> None:
        """What is owed waits, for whoever looks, and then what could not be sent."""
        self.transports[0].writable = False
        self.owe("a")
        self.assertEqual([session.buffered for session in self.sessions], [129] * 3)
        self.clock.advance(0)
        self.assertEqual([session.buffered for session in self.sessions], [129, 0, 0])

    def test_behind(self) -> None:
        """Who cannot take it at once is sent it later, and waits for that without a timer."""
        self.transports[0].writable = False
        self.flushes.hold()
        self.owe("a")
        self.flushes.release()
        self.assertEqual(self.timers(), 0)
        drained = self.sessions[0].drain()
        self.assertEqual([session.buffered for session in self.sessions], [129, 0, 0])
        self.transports[0].writable = True
        self.sessions[0].transport_ready()
        self.assertEqual(self.written(), [[["a"]]] * 3)
        self.successResultOf(drained)

    def test_drain(self) -> None:
        """What is owed is waited for."""
        self.owe("a")
        drained = self.sessions[0].drain()
        self.assertNoResult(drained)
        self.clock.advance(0)
        self.successResultOf(drained)

    def test_ends(self) -> None:
        """Who is closed gets it first, and who is lost does not."""
        self.owe("a")
        self.sessions[0].close()
        self.sessions[1].lose(CloseReason.TRANSPORT_CLOSE)
        self.clock.advance(0)
        self.assertEqual(self.written(), [[["a"]], [], [["a"]]])

    def test_much(self) -> None:
        """More than a WebSocket takes as a whole goes by way of the outboxes, in order."""
        long, longer = "x" * 40_000, "y" * 70_000
        for several in (["a", long, "b", long, longer, "c"], [long, long, "d"]):
            for data in several:
                self.owe(data)
            self.clock.advance(0)
            for transport in self.transports:
                self.assertEqual(list(chain.from_iterable(transport.written)), several)
                transport.written.clear()

    def test_too_much(self) -> None:
        """What is owed is held to the limit before anybody is told how much was dropped."""
        self.begin(max_buffered=1000, overflow="drop_oldest")
        session, other = self.sessions[:2]
        for transport in self.transports:
            transport.writable = False
        for number in range(9):
            packet = checked_message(f"{number}" * 100)
            self.flushes.send_to_all([session], [packet])
            other.send_packets([packet])
        self.assertEqual((session.dropped, session.buffered), (other.dropped, other.buffered))
        self.assertGreater(session.dropped, 0)

    def test_one_fails(self) -> None:
        """The others are sent it."""
        self.transports[0].fails = True
        self.owe("a")
        self.clock.advance(0)
        self.assertEqual(self.written(), [[], [["a"]], [["a"]]])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_owed_by_what_leaves(self) -> None:
        """A client that takes something may bring more: all have what came before it."""
        self.owe("a")
        relieve = type(self.sessions[0]).relieve

        def bring_more(session, newest) -> None:
            patch.restore()
            relieve(session, newest)
            self.sessions[2].send("mine")
            self.owe("b")

        patch = self.patch(type(self.sessions[0]), "relieve", bring_more)
        self.transports[0].writable = False
        self.sessions[0]._outbox._watermark = 1
        self.clock.advance(0)
        self.transports[0].writable = True
        self.sessions[0].transport_ready()
        for transport, expected in zip(self.transports, ("a b", "a b", "a mine b"), strict=True):
            self.assertEqual(" ".join(chain.from_iterable(transport.written)), expected)
