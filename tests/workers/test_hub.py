"""`mojo.workers.hub`, and the workers' half of it: `mojo.workers.link` and `mojo.workers.bus`."""

from __future__ import annotations

from functools import partial

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import ClusterUnavailable, PacketError
from mojo.parts import make_cluster, make_store
from mojo.settings import Settings, SocketIOSettings
from mojo.workers import frames, kept, outlet
from mojo.workers.bus import WorkerBus
from mojo.workers.kept import Kept
from mojo.workers.link import Link, ParentGone
from mojo.workers.node import worker_node
from tests.cluster.ear import Ear
from tests.workers.machine import Machine, MemoryPipe


class MachineTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.machine = Machine()
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    def log(self, event) -> None:
        if event["log_namespace"] in ("mojo.workers.hub", "mojo.workers.bus"):
            self.lines.append(event["log_format"].format(**event))

    def up(self, name=b"x") -> tuple[WorkerBus, Ear]:
        bus, ear = self.machine.bus(), Ear(name)
        bus.listen(ear)
        self.machine.turn()
        return bus, ear


class CarryingTests(MachineTestCase):
    def test_messages(self) -> None:
        """Whoever listens gets them, in order, and nobody else; who has sent them too."""
        (one, first), (two, second) = self.up(), self.up()
        other = Ear(b"y")
        two.listen(other)
        sent = [(b"x#", b"1"), (b"x#room \xff*", b"\x00\r\n"), (b"x-request", b"2"), (b"x#", b"3")]
        for channel, data in sent:
            one.publish(channel, data)
        one.publish(b"x-own-not", b"no")
        two.publish(b"y#", b"yes")
        self.machine.turn()
        self.assertEqual((first.got, second.got), (sent, sent))
        self.assertEqual(other.got, [(b"y#", b"yes")])

    def test_count(self) -> None:
        """It is exact: of those that there are now."""
        (one, _), (two, ear) = self.up(), self.up()
        counts = [one.count(b"x-request"), one.count(b"nobody's"), one.count(b"x#")]
        self.machine.turn()
        self.assertEqual([self.successResultOf(count) for count in counts], [2, 0, 0])
        two.unlisten(ear)
        self.machine.turn()
        count = one.count(b"x-request")
        self.machine.turn()
        self.assertEqual(self.successResultOf(count), 1)

    def test_worker_that_is_gone(self) -> None:
        """It is not counted, and nothing is sent to it."""
        (one, _), _ = self.up(), self.up()
        gone = self.machine.members.pop()
        gone.line.lost()
        gone.line.lost()
        count = one.count(b"x-request")
        one.publish(b"x#", b"1")
        self.machine.turn()
        self.assertEqual(self.successResultOf(count), 1)
        self.assertEqual(bytes(gone.down.written), b"")

    def test_gone(self) -> None:
        """The others are told, who need not wait until nothing is heard of it; once."""
        names = iter(("one", "two", "three"))
        nodes = [
            worker_node(link, partial(next, names), max_message=1000, recovers=False)
            for link in (self.machine.join().link for _ in range(3))
        ]
        ended: list[tuple[str, str]] = []
        for node in nodes:
            self.patch(node, "server_ended", partial(lambda *pair: ended.append(pair), node.uid))
        redis = self.machine.join().link  # one that meets the others in Redis
        self.machine.turn()
        self.machine.members[1].line.lost()
        self.machine.members[1].line.lost()
        self.machine.members[3].line.lost()
        self.machine.turn()
        self.assertEqual(ended, [("one", "two"), ("three", "two")])
        self.assertTrue(redis.is_up)

    def test_unlisten(self) -> None:
        bus, ear = self.up()
        other = Ear(b"y")
        bus.listen(other)
        bus.unlisten(ear)
        bus.publish(b"x#", b"1")
        bus.publish(b"x-request", b"1")
        bus.publish(b"y#", b"2")
        self.machine.turn()
        self.assertEqual((ear.got, other.got), ([], [(b"y#", b"2")]))

    def test_too_long(self) -> None:
        """What is too long is not sent, and counted; the log says so once."""
        bus, ear = self.up()
        bus._max_message = 10
        bus.publish(b"x#", b"x" * 11)
        bus.keep("pid", b"x" * 11, 10)
        bus.publish(b"x#", b"x" * 10)
        taking = bus.take_kept("pid")
        self.machine.turn()
        self.assertEqual(len(ear.got), 1)
        self.assertIsNone(self.successResultOf(taking))
        self.assertEqual(bus._stats.unsent, 2)
        (line,) = self.lines
        self.assertIn("cluster: 11 bytes are too much for other workers", line)

    def test_other_settings(self) -> None:
        """A worker whose settings allow more than its parent's did sends no more than that."""
        link = Link(self.machine.clock, frames.most_for(100, 10))
        pipe = MemoryPipe()
        link.makeConnection(pipe)
        settings = Settings(socket_io=SocketIOSettings(max_buffered=5_000), session_max_size=5_000)
        cluster = make_cluster(settings, self.machine.clock, link)
        pipe.take()
        cluster.bus.publish(b"x", b"y" * 131)
        self.assertEqual((pipe.take(), link.stats.unsent), (b"", 1))
        cluster.bus.publish(b"x", b"y" * 130)
        self.assertEqual(pipe.take()[-130:], b"y" * 130)
        self.assertEqual(make_store(settings, self.machine.clock, None, link).max_size, 43)

    def test_nonsense(self) -> None:
        """A worker that says what none says is not listened to."""
        for frame in (
            frames.pack(b"?", 1, b"x"),
            frames.pack(frames.MESSAGE, 1),
            frames.pack_control("listen"),
            frames.pack_control("listen", channels=[1], prefix="x"),
            frames.pack_control("ask", id=1, what="nothing", args=[]),
            frames.pack_control("ask", id=1, what="count", args=[]),
            frames.pack_control("keep", name="x", value="x", seconds="x"),
            b"\xff\xff\xff\xff",
        ):
            member = self.machine.join()
            with self.assertRaises(PacketError):
                member.line.received(frame)

    def test_words(self) -> None:
        """What a worker says of itself comes to whoever has taken it in."""
        member = self.machine.join()
        member.link.tell("ready")
        self.machine.turn()
        self.assertEqual(member.heard, ["ready"])

    def test_no_parent(self) -> None:
        """Nothing is up any more, and whoever waits for an answer is told."""
        bus, _ = self.up()
        counting = bus.count(b"x-request")
        asking = bus._link.ask("count", "x")
        gone: list[bool] = []
        bus._link.gone = lambda: gone.append(True)
        self.machine.cut(bus)
        self.assertFalse(bus.is_up)
        self.assertIsNone(self.successResultOf(counting))
        self.assertIsNone(self.successResultOf(bus.count(b"x-request")))
        self.failureResultOf(asking, ParentGone)
        self.failureResultOf(bus._link.ask("count", "x"), ParentGone)
        self.assertEqual(gone, [True])


class SlowTests(MachineTestCase):
    """A process at one end of a pipe that does not read."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(outlet, "MAX_WAITING", 3)
        self.one, self.first = self.up()
        self.two, self.second = self.up()
        self.slow = self.machine.members[1]

    def test_worker(self) -> None:
        """What is for it waits; the others have theirs, and it gets its own in order."""
        self.slow.down.producer.pauseProducing()
        for number in range(3):
            self.one.publish(b"x#", b"%d" % number)
        self.machine.turn()
        self.assertEqual([len(self.first.got), len(self.second.got)], [3, 0])
        self.slow.down.producer.resumeProducing()
        self.one.publish(b"x#", b"3")
        self.machine.turn()
        self.assertEqual([data for _, data in self.second.got], [b"0", b"1", b"2", b"3"])
        self.assertEqual((self.machine.hub.stats.unsent, self.lines), (0, []))

    def test_bounds(self) -> None:
        """The oldest are dropped, and what may not wait; the log says so once each time."""
        self.slow.down.producer.pauseProducing()
        self.one.publish(b"x#", b"volatile", waits=False)
        for number in range(6):
            self.one.publish(b"x#", b"%d" % number)
        self.one.publish(b"x#", b"lasts", lasts=True)
        self.machine.turn()
        self.assertEqual(self.machine.hub.stats.unsent, 4)
        self.assertEqual(self.lines, ["worker 1.1 does not read: messages to it are dropped"])
        self.slow.down.producer.resumeProducing()
        self.machine.turn()
        self.assertEqual([data for _, data in self.second.got], [b"lasts", b"3", b"4", b"5"])
        self.one.publish(b"x#", b"6")
        self.machine.turn()
        self.slow.down.producer.pauseProducing()
        self.one.publish(b"x#", b"volatile", waits=False)
        self.machine.turn()
        self.assertEqual(len(self.lines), 2)

    def test_full_again(self) -> None:
        """What waited leaves only as long as there is room."""
        self.slow.down.producer.pauseProducing()
        for number in range(3):
            self.one.publish(b"x#", b"%d" % number)
        self.machine.turn()
        write = self.slow.down.write

        def write_and_fill(data: bytes) -> None:
            write(data)
            self.slow.down.producer.pauseProducing()

        self.slow.down.write = write_and_fill
        for number in range(3):
            self.slow.down.producer.resumeProducing()
            self.machine.turn()
            self.assertEqual(len(self.second.got), number + 1)

    def test_parent(self) -> None:
        """What a worker says waits within bounds while its parent does not read."""
        up = self.machine.members[0].up
        up.producer.pauseProducing()
        self.one.publish(b"x#", b"volatile", waits=False)
        for number in range(4):
            self.one.publish(b"x#", b"%d" % number)
        self.machine.turn()
        self.assertEqual(self.second.got, [])
        up.producer.resumeProducing()
        self.machine.turn()
        self.assertEqual([data for _, data in self.second.got], [b"1", b"2", b"3"])
        self.assertEqual(self.one._stats.unsent, 2)

    def test_questions(self) -> None:
        """Of what the parent is asked and told to keep there is only so much, and it is counted."""
        self.patch(outlet, "MAX_TOLD_BYTES", 1000)
        up = self.machine.members[0].up
        up.producer.pauseProducing()
        self.one.keep("small", b"x", 10.0)
        self.one.keep("large", b"x" * 1000, 10.0)
        asked = [self.one._link.ask("take", "small" + "_" * 350) for _ in range(3)]
        self.one.listen(Ear(b"z"))
        self.assertLess(len(up.written), 1500)
        self.assertEqual(self.one._stats.unsent, 2)
        self.failureResultOf(asked.pop(), ClusterUnavailable)
        self.machine.turn()
        up.producer.resumeProducing()
        self.assertEqual([self.successResultOf(one) for one in asked], [None, None])
        taking = [self.one.take_kept(name) for name in ("small", "large")]
        self.two.publish(b"z#", b"what must not be lost")
        self.machine.turn()
        self.assertEqual([self.successResultOf(one) for one in taking], [b"x", None])

    def test_answers(self) -> None:
        """Those to a worker that does not read have the same bound, and nobody waits for ever."""
        self.patch(outlet, "MAX_TOLD_BYTES", 1000)
        self.one.keep("large", b"x" * 600, 10.0)
        self.one.keep("larger", b"x" * 700, 10.0)
        self.machine.turn()
        self.slow.down.producer.pauseProducing()
        taking = [self.two.take_kept(name) for name in ("large", "larger")]
        up = self.slow.up.take()
        self.slow.line.received(up)
        self.assertEqual(self.machine.hub.stats.unsent, 1)
        self.assertEqual(self.lines, ["worker 1.1 does not read: messages to it are dropped"])
        self.machine.clock.advance(5)
        for one in taking:
            self.failureResultOf(one, ClusterUnavailable)
        self.assertEqual(self.two._link._asked, {})
        self.slow.down.producer.resumeProducing()
        self.machine.turn()  # the answer comes too late, and disturbs nobody

    def test_stream(self) -> None:
        """Whoever follows the stream is told when an entry of his does not leave."""
        cut: list[bool] = []
        self.one.follow("/", lambda *_: None, lambda: cut.append(True))
        self.machine.turn()
        entry = {"nsp": b"/", "data": b"1"}
        self.assertTrue(self.one.append(entry))
        self.machine.members[0].up.producer.pauseProducing()
        self.assertFalse(self.one.append(entry, waits=False))
        self.assertEqual(cut, [True])

    def test_position(self) -> None:
        """Where the stream is a worker is told when it has what came before."""
        got: list[tuple] = []
        for name in ("/", "/doc"):
            self.two.follow(name, lambda at, _: got.append((at, self.two.position)), lambda: None)
            self.machine.turn()
            self.slow.down.producer.pauseProducing()
            self.one.append({"nsp": b"/", "data": b"1"})
            self.machine.turn()
        self.assertEqual((got, self.two.position), ([], "0-0"))
        self.slow.down.producer.resumeProducing()
        self.machine.turn()
        self.assertEqual(got, [("1-0", "1-0"), ("2-0", "2-0")])
        self.assertEqual(self.two.position, "2-0")


class StreamTests(MachineTestCase):
    def test_entries(self) -> None:
        """All who follow a namespace get its entries, with the same ids."""
        buses = [self.machine.bus() for _ in range(3)]
        got: list[list] = [[], []]
        for bus, entries in zip(buses, got, strict=False):
            bus.follow("/ü", lambda *entry, e=entries: e.append(entry), lambda: None)
        self.machine.turn()
        for number in range(2):
            name = "/ü".encode() if number else b"/"
            buses[number].append({"nsp": name, "data": b"\x00\xff"})
        buses[2].append({"nsp": "/ü".encode(), "data": b""})
        self.machine.turn()
        expected = [
            ("2-0", {"nsp": "/ü".encode(), "data": b"\x00\xff"}),
            ("3-0", {"nsp": "/ü".encode(), "data": b""}),
        ]
        self.assertEqual(got, [expected, expected])
        self.assertEqual([bus.position for bus in buses], ["3-0", "3-0", "0-0"])
        buses[0].unfollow("/ü")
        buses[1].append({"nsp": "/ü".encode(), "data": b"4"})
        self.machine.turn()
        self.assertEqual((len(got[0]), len(got[1])), (2, 3))

    def test_read(self) -> None:
        bus = self.machine.bus()
        for number in range(4):
            bus.append({"nsp": b"/", "data": b"\xff%d" % number})
        ranges = [("-", 1), ("(1-0", 2), ("(3-0", 100), ("(4-0", 100)]
        reads = [bus.read(first, "+", count) for first, count in ranges]
        self.machine.turn()
        found = [self.successResultOf(one) for one in reads]
        ids = [[entry_id for entry_id, _ in entries] for entries in found]
        self.assertEqual(ids, [["0-0"], ["2-0", "3-0"], ["4-0"], []])
        self.assertEqual(found[2], [("4-0", {"nsp": b"/", "data": b"\xff3"})])

    def test_no_answer(self) -> None:
        """A parent that does not answer fails as a Redis that does not, and not as a Redis."""
        bus = self.machine.bus()
        reading, taking = bus.read("-", "+", 1), bus.take_kept("x")
        self.machine.clock.advance(5)
        for asked in (reading, taking):
            failure = self.failureResultOf(asked, ClusterUnavailable)
            self.assertIs(failure.type, ClusterUnavailable)
        self.machine.turn()  # the answers come too late, and disturb nobody

    def test_kept(self) -> None:
        one, two = self.machine.bus(), self.machine.bus()
        one.keep("pid", b"\xff\x00", 10.0)
        one.keep("late", b"x", 1.0)
        self.machine.turn()
        self.machine.clock.advance(1)
        takes = [two.take_kept(name) for name in ("pid", "pid", "late", "never")]
        self.machine.turn()
        taken = [self.successResultOf(take) for take in takes]
        self.assertEqual(taken, [b"\xff\x00", None, None, None])


class KeptTests(MachineTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.kept = Kept(self.machine.clock)

    def first(self) -> int:
        return self.kept.read(-1, 1)[0][0]

    def test_stream_is_bounded(self) -> None:
        self.patch(kept, "MAX_ENTRIES", 3)
        for _ in range(5):
            self.kept.append([b"12345"])
        self.assertEqual(([n for n, _ in self.kept.read(-1, 9)], self.first()), ([3, 4, 5], 3))
        self.patch(kept, "MAX_BYTES", 10)
        self.kept.append([b"12", b"34"])
        self.assertEqual([n for n, _ in self.kept.read(-1, 9)], [5, 6])
        self.kept.append([b"x" * 100])
        self.assertEqual([n for n, _ in self.kept.read(-1, 9)], [7])

    def test_answer_is_bounded(self) -> None:
        """An answer has no more than fits, and at least one entry."""
        self.patch(kept, "MAX_READ_BYTES", 10)
        for size in (6, 6, 20, 4, 4):
            self.kept.append([b"x" * size])
        for after, found in ((-1, [0, 1]), (1, [2]), (2, [3]), (3, [4, 5])):
            self.assertEqual([n for n, _ in self.kept.read(after, 9)], found)

    def test_places_are_bounded(self) -> None:
        self.patch(kept, "MAX_PLACES", 2)
        for name in "abc":
            self.kept.keep(name, "12345", 10)
        self.assertEqual([self.kept.take(name) for name in "abc"], [None, "12345", "12345"])
        self.patch(kept, "MAX_PLACE_BYTES", 9)
        for name in "abb":
            self.kept.keep(name, "12345", 10)
        self.assertEqual([self.kept.take(name) for name in "ab"], [None, "12345"])
        self.assertEqual(self.kept._place_bytes, 0)

    def test_old_places_go(self) -> None:
        self.kept.keep("a", "12345", 10)
        self.machine.clock.advance(10)
        self.kept.keep("b", "1", 10)
        self.assertEqual((list(self.kept._places), self.kept._place_bytes), (["b"], 1))
