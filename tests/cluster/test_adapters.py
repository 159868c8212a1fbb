"""What every adapter does, whether it is of one process or of a cluster."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.shared_recovery import SharedRecovery
from mojo.cluster.streams import StreamsLine
from mojo.socketio.acks import AckCollector
from mojo.socketio.adapter import EVERYONE, LocalAdapter, Target
from mojo.socketio.json_parser import JsonParser
from mojo.socketio.recovery import Identity, RecoveringAdapter, RecoveryOptions
from tests.cluster.memory_bus import Exchange, Server, Someone
from tests.workers.machine import Machine

ROOM, OTHER = frozenset({"room"}), frozenset({"other"})
#: Names that mean something to Redis, to us, or to nobody.
NAMES = (
    "*", "a*", "ab", "a?", "[ab]", "a#b", "#", "a b", "ключ 🔑", "\\", "", "\ud800", "r" * 1000,
    "mojo:", "mojo:user:ada", "mojo:room:x", "mojo:both:ab", "mojo:zzz", "1", "user", "/chat#",
)  # fmt: skip


class Contract:
    """
    Four connections, in whatever processes: 1 and 2 are in "room", 2 and 3 in "other", 4 is Ada's.

    Attributes:
        adapters: the adapter of each of the four.
        extra: how many arguments there are at the end of an event that are not the app's.
    """

    adapters: list
    extra = 0

    def make_adapters(self) -> list:
        raise NotImplementedError

    def settle(self) -> None:
        """Let what is under way come."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.parser = JsonParser()
        self.adapters = self.make_adapters()
        self.people = [Someone(f"id{number}") for number in (1, 2, 3, 4)]
        for person, adapter in zip(self.people, self.adapters, strict=True):
            adapter.add(person)
            adapter.join(person, person.id)
            person.rooms = lambda person=person, adapter=adapter: adapter.rooms_of(person)
        for number, rooms in ((0, ["room"]), (1, ["room", "other"]), (2, ["other"])):
            for room in rooms:
                self.adapters[number].join(self.people[number], room)
        self.people[3].user_id = "ada"
        self.adapters[3].join(self.people[3], ("user", "ada"))
        self.settle()

    def tell(self, target, *args, adapter=0, **flags) -> list[int]:
        """Send an event; give the numbers of those who got it."""
        self.adapters[adapter].broadcast(self.parser.event("x", args, **flags), target)
        self.settle()
        heard = []
        for number, person in enumerate(self.people, 1):
            got = person.take()
            if got:
                (event,) = got
                self.assertEqual(event[: len(event) - self.extra], ("x", *args))
                heard.append(number)
        return heard

    def test_targets(self) -> None:
        """Who is meant gets it, whoever says it."""
        for target, expected in (
            (EVERYONE, [1, 2, 3, 4]),
            (Target(ROOM), [1, 2]),
            (Target(ROOM | OTHER), [1, 2, 3]),
            (Target(ROOM, OTHER), [1]),
            (Target(excluded=ROOM), [3, 4]),
            (Target(excluded=ROOM | OTHER), [4]),
            (Target(frozenset({"id3"})), [3]),
            (Target(excluded=frozenset({"id1"})), [2, 3, 4]),
            (Target(frozenset({"nobody's"})), []),
            (Target(within="room"), [1, 2]),
            (Target(OTHER, within="room"), [2]),
            (Target(ROOM | OTHER, frozenset({"id1"}), within="room"), [2]),
            (Target(frozenset({"nobody's"}), within="room"), []),
            (Target(within=("user", "ada")), [4]),
            (Target(frozenset({("user", "ada")})), [4]),
            (Target(within=("session", "ada")), []),
            (Target(ROOM, within=("user", "ada")), []),
            (Target(excluded=frozenset({("user", "ada")})), [1, 2, 3]),
        ):
            for adapter in range(4):
                self.assertEqual(self.tell(target, adapter=adapter), expected, target)

    def test_here_alone(self) -> None:
        """What is for this process stays in it."""
        for number in range(4):
            expected = [n for n in (1, 2, 3, 4) if self.adapters[n - 1] is self.adapters[number]]
            self.assertEqual(self.tell(Target(local=True), adapter=number), expected)

    def test_names(self) -> None:
        """Whatever rooms are called, each is itself and no other."""
        for number, name in enumerate(NAMES):
            self.adapters[number % 4].join(self.people[number % 4], name)
        for number, name in enumerate(NAMES):
            for target in (Target(frozenset({name})), Target(within=name)):
                for adapter in (0, 3):
                    heard = self.tell(target, adapter=adapter)
                    self.assertEqual(heard, [number % 4 + 1], name)

    def test_values(self) -> None:
        for value in (
            None, True, 0, -1, 2**40, 1.5, "", "ü 🔑", [], {}, [[{"a": [None]}]],
            b"\x00\xff", {"deep": [b"", {"b": b"x" * 300}]}, {"__proto__": 1},
        ):  # fmt: skip
            self.assertEqual(self.tell(EVERYONE, value), [1, 2, 3, 4])

    def test_flags(self) -> None:
        """How it is sent is so wherever it is sent on."""
        self.tell(EVERYONE)
        self.tell(EVERYONE, volatile=True)
        self.tell(EVERYONE, compress=False)
        for person in self.people:
            flags = [(message.volatile, message.compress) for message in person.messages]
            self.assertEqual(flags, [(False, True), (True, True), (False, False)])

    def test_order(self) -> None:
        for number in range(5):
            message = self.parser.event("x", [number])
            self.adapters[0].broadcast(message, EVERYONE)
        self.settle()
        for person in self.people:
            self.assertEqual([event[1] for event in person.got], [0, 1, 2, 3, 4])

    # -- answers ----------------------------------------------------------------

    def ask(self, target=EVERYONE, timeout=5.0):
        collector = AckCollector(self.clock, timeout)
        answers = []
        collector.result.addCallback(answers.append)
        message = self.parser.event("question", [1], 7)
        self.adapters[0].broadcast_with_ack(message, target, 7, collector)
        self.settle()
        return answers

    def answer(self, *numbers: int) -> None:
        for number in numbers:
            answered, _ = self.people[number - 1].asked.pop()
            answered([f"of {number}"])
            self.settle()

    def test_all_answer(self) -> None:
        answers = self.ask()
        self.answer(4, 2, 1)
        self.assertEqual(answers, [])
        self.answer(3)
        ((given, missing),) = answers
        self.assertEqual(given, ["of 4", "of 2", "of 1", "of 3"])
        self.assertEqual(missing, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_several_arguments(self) -> None:
        """An answer of several is a tuple, and of none None."""
        answers = self.ask(Target(excluded=ROOM))
        self.people[2].asked.pop()[0](["a", b"\x01"])
        self.people[3].asked.pop()[0]([])
        self.settle()
        self.assertEqual(answers[0].answers, [("a", b"\x01"), None])

    def test_some_are_late(self) -> None:
        answers = self.ask(timeout=3.0)
        self.answer(1, 3)
        self.clock.advance(3)
        self.assertEqual(answers[0].answers, ["of 1", "of 3"])
        self.assertEqual(sorted(answers[0].missing), ["id2", "id4"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.answer(2)
        self.assertEqual(len(answers), 1)

    def test_some_go(self) -> None:
        answers = self.ask()
        self.answer(1, 2, 3)
        self.people[3].asked.pop()[1](Exception("gone"))
        self.settle()
        self.assertEqual(answers[0].missing, ["id4"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_is_asked(self) -> None:
        answers = self.ask(Target(ROOM, frozenset({"id1"})))
        self.assertEqual([len(person.asked) for person in self.people], [0, 1, 0, 0])
        self.answer(2)
        self.assertEqual(answers[0].answers, ["of 2"])

    def test_nobody_is_asked(self) -> None:
        answers = self.ask(Target(frozenset({"nobody's"})))
        self.assertEqual(answers, [([], [])])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    # -- sockets ----------------------------------------------------------------

    def fetch(self, target=EVERYONE):
        found = []
        self.adapters[0].fetch_sockets(target).addCallback(found.append)
        self.settle()
        (gathered,) = found
        self.assertEqual(gathered.missing, 0)
        return {facts.id: facts for facts in gathered}

    def test_fetch(self) -> None:
        self.people[3].data = {"tag": "4", "list": [1]}
        found = self.fetch()
        self.assertEqual(sorted(found), ["id1", "id2", "id3", "id4"])
        ada = found["id4"]
        self.assertEqual((ada.session_id, ada.user_id), ("the session", "ada"))
        self.assertEqual(ada.data, {"tag": "4", "list": [1]})
        self.assertEqual(ada.handshake, {"address": "198.51.100.7", "path": "/socket.io/"})
        self.assertEqual(ada.rooms, {"id4"})
        self.assertEqual(found["id2"].rooms, {"id2", "room", "other"})
        self.assertEqual(sorted(self.fetch(Target(OTHER, frozenset({"id2"})))), ["id3"])
        self.assertEqual(sorted(self.fetch(Target(within=("user", "ada")))), ["id4"])

    def test_enter_and_leave(self) -> None:
        self.adapters[0].add_sockets(Target(OTHER), ["a", "mojo:user:ada"])
        self.settle()
        self.assertEqual(self.tell(Target(frozenset({"a"}))), [2, 3])
        self.assertEqual(self.tell(Target(frozenset({"mojo:user:ada"}))), [2, 3])
        self.assertEqual(self.tell(Target(within=("user", "ada"))), [4])
        self.adapters[3].del_sockets(Target(frozenset({"id3"})), ["a", "other"])
        self.settle()
        self.assertEqual(self.tell(Target(frozenset({"a", "other"}))), [2])

    def test_disconnect(self) -> None:
        self.adapters[0].disconnect_sockets(Target(OTHER), close=False)
        self.adapters[0].disconnect_sockets(Target(within=("user", "ada")), close=True)
        self.settle()
        self.assertEqual([person.ended for person in self.people], [None, False, False, True])

    def test_those_who_have_gone(self) -> None:
        self.adapters[1].remove(self.people[1])
        self.assertEqual(self.tell(EVERYONE), [1, 3, 4])
        self.assertEqual(self.tell(Target(ROOM)), [1])


class LocalTests(Contract, SynchronousTestCase):
    """One process."""

    def make_adapters(self):
        return [LocalAdapter()] * 4

    def test_other_servers(self) -> None:
        """There are none, and none is missing."""
        self.adapters[0].server_side_emit("x", [])
        gathered = self.successResultOf(self.adapters[0].server_side_call("x", []))
        self.assertEqual((gathered, gathered.missing), ([], 0))


class RecoveringTests(Contract, SynchronousTestCase):
    """One process, whose clients may come back."""

    extra = 1

    def make_adapters(self):
        return [RecoveringAdapter(self.clock, RecoveryOptions(), "epoch")] * 4


class PubSubTests(Contract, SynchronousTestCase):
    """Three processes."""

    make_line = PubSubLine
    make_exchange = Exchange
    bridged = False

    def make_server(self, *args, **options) -> Server:
        options = {"make_line": self.make_line, "bridged": self.bridged, **options}
        return Server(self.exchange, *args, clock=self.clock, **options)

    def make_adapters(self):
        self.exchange = self.make_exchange()
        self.servers = [self.make_server() for _ in range(3)]
        adapters = [server.adapter for server in self.servers]
        return [*adapters, adapters[2]]

    def settle(self) -> None:
        self.exchange.turn()
        self.assertEqual([server.refused for server in self.servers], [[], [], []])

    def test_one_message_for_all(self) -> None:
        """A broadcast is published once, however many servers and clients there are."""
        self.tell(EVERYONE)
        self.tell(Target(ROOM))
        self.assertEqual(len(self.exchange.published), 2)

    def test_other_servers(self) -> None:
        self.adapters[0].server_side_emit("x", [1, {"a": "ü"}])
        calling = self.adapters[0].server_side_call("y", [])
        self.settle()
        heard = [server.server_events for server in self.servers]
        self.assertEqual(heard, [[], [("x", [1, {"a": "ü"}]), ("y", [])], heard[1]])
        gathered = self.successResultOf(calling)
        self.assertEqual(sorted(gathered), [f"{one.uid} heard" for one in self.servers[1:]])
        self.assertEqual((gathered.missing, self.clock.getDelayedCalls()), (0, []))

    def silence(self, number: int) -> None:
        """Let a server be counted and say nothing."""
        self.servers[number].adapter._line.received = lambda channel, data: None

    def test_silent_server(self) -> None:
        """What the others gave is given, and how many are missing, when time is up."""
        self.silence(2)
        fetching = self.adapters[0].fetch_sockets(EVERYONE)
        calling = self.adapters[0].server_side_call("y", [])
        self.settle()
        self.clock.advance(4.9)
        self.assertNoResult(fetching)
        self.clock.advance(0.1)
        found = self.successResultOf(fetching)
        self.assertEqual(([facts.id for facts in found], found.missing), (["id1", "id2"], 1))
        heard = self.successResultOf(calling)
        self.assertEqual((heard, heard.missing), ([f"{self.servers[1].uid} heard"], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def know_each_other(self) -> None:
        names = {server.uid: f"host:{number}" for number, server in enumerate(self.servers)}
        for server in self.servers:
            server.names = {uid: name for uid, name in names.items() if uid != server.uid}

    def test_names_of_the_missing(self) -> None:
        """Which of Mojo's servers gave nothing; and nobody where all have."""
        self.know_each_other()
        fetching = self.adapters[0].fetch_sockets(EVERYONE)
        self.settle()
        self.assertEqual(self.successResultOf(fetching).missing_servers, ())
        self.silence(2)
        fetching = self.adapters[0].fetch_sockets(EVERYONE)
        self.settle()
        self.clock.advance(5)
        self.assertEqual(self.successResultOf(fetching).missing_servers, ("host:2",))

    def test_server_that_dies(self) -> None:
        """It is missing, and not waited for any longer."""
        self.know_each_other()
        self.silence(2)
        fetching = self.adapters[0].fetch_sockets(EVERYONE)
        self.settle()
        self.adapters[0].server_gone("of another kind")
        self.assertNoResult(fetching)
        self.adapters[0].server_gone(self.servers[2].uid)
        found = self.successResultOf(fetching)
        self.assertEqual((len(found), found.missing, found.missing_servers), (2, 1, ("host:2",)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_server_that_dies_when_clients_are_asked(self) -> None:
        """Its clients have not answered, and those of others are still waited for."""
        self.know_each_other()
        answers = self.ask(timeout=300.0)
        self.answer(1)
        self.adapters[0].server_gone(self.servers[2].uid)
        self.assertEqual(answers, [])
        self.answer(2)
        self.assertEqual(
            (answers[0].answers, answers[0].missing), (["of 1", "of 2"], ["id3", "id4"])
        )

    def test_silent_server_when_clients_are_asked(self) -> None:
        """It stands among the missing; whom it should have asked nobody knows."""
        self.silence(2)
        answers = self.ask(timeout=3.0)
        self.answer(1, 2)
        self.assertEqual(answers, [])
        self.clock.advance(3)
        self.assertEqual(answers[0].answers, ["of 1", "of 2"])
        (missing,) = answers[0].missing
        self.assertEqual(missing[0], "?")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_bus(self) -> None:
        """Without it our own clients get everything, and those of others are missing."""
        self.exchange.cut(self.servers[0].bus)
        self.assertEqual(self.tell(EVERYONE), [1])
        answers = self.ask()
        self.answer(1)
        self.assertEqual(answers[0].answers, ["of 1"])
        self.assertEqual(answers[0].missing[0][0], "?")
        self.people[0].take()
        found = self.successResultOf(self.adapters[0].fetch_sockets(EVERYONE))
        self.assertEqual(([facts.id for facts in found], found.missing), (["id1"], 1))
        self.adapters[0].add_sockets(EVERYONE, ["a"])
        self.assertEqual(self.tell(Target(frozenset({"a"}))), [1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_give_up(self) -> None:
        """A server that stops waits for nobody, neither for itself nor for others."""
        fetching = self.adapters[0].fetch_sockets(EVERYONE)
        self.ask(timeout=3.0)
        for server in self.servers:
            server.adapter.give_up()
        self.assertEqual(self.successResultOf(fetching).missing, 0)
        self.clock.advance(3)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.people[3].forgotten, [1])

    def test_namespaces_apart(self) -> None:
        """What is for one comes to no other, whatever they are called."""
        others = [
            self.make_server(name=name)
            for name in ("/", "/cha", "/chat2", "/chat/room", "/*", "/c?at", "/ch[a]t")
        ]
        strangers = []
        for server in others:
            strangers.append(Someone("id1"))
            server.adapter.add(strangers[-1])
            server.adapter.join(strangers[-1], "room")
        self.assertEqual(self.tell(EVERYONE), [1, 2, 3, 4])
        self.assertEqual(self.tell(Target(ROOM)), [1, 2])
        self.assertEqual([one.got for one in strangers], [[]] * len(others))
        others[4].adapter.broadcast(self.parser.event("x", []), EVERYONE)
        self.settle()
        self.assertEqual([len(one.got) for one in strangers], [0, 0, 0, 0, 1, 0, 0])

    def test_closed(self) -> None:
        """A namespace that has gone hears nothing."""
        self.adapters[1].close()
        self.assertEqual(self.tell(EVERYONE), [1, 3, 4])


class StreamsTests(PubSubTests):
    """Three processes that read a stream."""

    make_line = StreamsLine


class RecoveringPubSubTests(PubSubTests):
    """Three processes, whose clients may come back to the one where they were."""

    extra = 1

    def make_adapters(self):
        self.exchange = self.make_exchange()
        self.servers = [
            self.make_server(RecoveringAdapter(self.clock, RecoveryOptions(), f"e{n}"))
            for n in range(3)
        ]
        adapters = [server.adapter for server in self.servers]
        return [*adapters, adapters[2]]

    def test_missed(self) -> None:
        """Who is away gets what others have sent, stamped by the server that it was at."""
        local = self.servers[2].local
        local.save("pid", self.people[2], identity=Identity(None, None), data={}, since=0)
        self.adapters[2].remove(self.people[2])
        self.assertEqual(self.tell(Target(OTHER), "missed"), [2])
        self.assertEqual(self.tell(Target(ROOM), "for others"), [1, 2])
        restored = local.restore("pid", None, Identity(None, None))
        self.assertEqual([m.event for m in restored.missed], [("x", ("missed", "e2-1"))])


class SharedRecoveryTests(StreamsTests):
    """
    Three processes that read a stream, by whose entries' ids clients may come back.

    Attributes:
        gone: offsets that are before all that there is.
    """

    extra = 1
    gone = ("0-1",)

    def make_adapters(self):
        self.exchange = self.make_exchange()
        self.servers = [self.make_server(make_local=self.shared) for _ in range(3)]
        adapters = [server.adapter for server in self.servers]
        return [*adapters, adapters[2]]

    def shared(self, server):
        left = lambda *_: None  # noqa: E731
        return SharedRecovery(server.bus, server.parser, server.name, RecoveryOptions(), left)

    def come_back(self, server, offset, identity=Identity(None, None)):  # noqa: B008
        recalling = self.servers[server].local.recall("pid", offset, identity)
        self.settle()
        return self.successResultOf(recalling)

    def leave(self, identity=Identity(None, None)) -> None:  # noqa: B008
        self.people[2].data = {"a": 1, "no": object()}
        self.servers[2].local.save(
            "pid", self.people[2], identity=identity, data=self.people[2].data, since="1-0"
        )
        self.settle()
        self.adapters[2].remove(self.people[2])

    def test_late(self) -> None:
        """A stream that takes a second is waited for no longer; what it brings then is not new."""
        own, other = self.people[0], self.people[1]
        adapter = self.servers[0].adapter
        adapter.broadcast(self.servers[0].parser.event("first", []), EVERYONE)
        self.clock.advance(0.5)
        adapter.broadcast(self.servers[0].parser.event("second", []), EVERYONE)
        self.clock.advance(0.25)
        self.assertEqual(own.take(), [])
        self.clock.advance(0.25)
        self.assertEqual([name for name, _ in own.take()], ["first", "second"])
        self.settle()
        self.assertEqual(own.take(), [])
        self.assertEqual([name for name, _ in other.take()], ["first", "second"])
        adapter.broadcast(self.servers[0].parser.event("third", []), EVERYONE)
        self.settle()
        self.assertEqual([name for name, _ in own.take()], ["third"])
        adapter.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_offsets(self) -> None:
        """Everybody has the same, those of the sender too."""
        self.tell(EVERYONE, "a")
        self.tell(EVERYONE, "b", adapter=1)
        offsets = [[m.event[1][-1] for m in person.messages] for person in self.people]
        self.assertEqual(offsets, [["1-0", "2-0"]] * 4)

    def test_missed(self) -> None:
        """At whatever server, once: what was for its rooms, in order."""
        self.tell(EVERYONE, "had")
        self.leave()
        self.tell(Target(OTHER), "missed")
        self.tell(Target(ROOM), "for others")
        self.tell(EVERYONE, "volatile", volatile=True)
        self.tell(Target(frozenset({"id3"})), "its own", adapter=1)
        self.tell(Target(excluded=OTHER), "not for it")
        restored = self.come_back(0, "1-0")
        place = restored.place
        self.assertEqual((place.id, place.data), ("id3", {"a": 1}))
        self.assertEqual(set(place.rooms), {"id3", "other"})
        self.assertEqual(
            [m.event for m in restored.missed],
            [("x", ("missed", "2-0")), ("x", ("its own", "5-0"))],
        )
        self.assertIsNone(self.come_back(0, "1-0"))

    def test_nothing_seen(self) -> None:
        """A client that has got no event yet has missed what came since it was opened."""
        self.tell(EVERYONE, "before")
        self.leave()
        self.tell(EVERYONE, "after")
        restored = self.come_back(1, None)
        self.assertEqual([m.event for m in restored.missed], [("x", ("after", "2-0"))])

    def test_given_before_its_turn(self) -> None:
        """What others got at once, as its turn was long in coming, who comes back gets as well."""
        self.tell(EVERYONE, "had")
        self.leave()
        for adapter in self.adapters[1::-1]:
            adapter.broadcast(self.parser.event("x", []), EVERYONE)
        for _ in range(2):
            self.clock.advance(1)
        back = Someone("id3")

        def joined(restored):
            self.adapters[0].add(back)
            return restored

        recalling = self.servers[0].local.recall("pid", "1-0", Identity(None, None))
        recalling.addCallback(joined)
        self.settle()
        had = [*self.successResultOf(recalling).missed, *back.messages]
        events = [("x", ("2-0",)), ("x", ("3-0",))]
        self.assertEqual([message.event for message in had], events)

    def test_others(self) -> None:
        """Who is not the same visitor finds nothing, and nobody after that."""
        self.tell(EVERYONE)
        self.leave(Identity("hers", "ada"))
        self.assertIsNone(self.come_back(0, "1-0", Identity("hers", None)))
        self.assertIsNone(self.come_back(0, "1-0", Identity("hers", "ada")))

    def test_bad_offsets(self) -> None:
        self.tell(EVERYONE)
        for offset in (*self.gone, "x", "1", "1-0\n", "(1-0", "-", "9" * 30 + "-1"):
            self.leave()
            self.assertIsNone(self.come_back(0, offset), offset)
            self.adapters[2].add(self.people[2])

    def test_cut_off(self) -> None:
        """What we sent and may never come back our clients get at once, and only once."""
        self.adapters[0].broadcast(self.parser.event("x", ["a"]), EVERYONE)
        self.exchange.cut_off(self.servers[0].bus)
        self.assertEqual(self.people[0].take(), [("x", "a", "0-0")])
        self.settle()
        self.assertEqual(self.people[0].take(), [])
        self.assertEqual(self.people[1].take(), [("x", "a", "1-0")])


class WorkersTests(PubSubTests):
    """Three workers of one parent."""

    make_exchange = Machine


class WorkersStreamsTests(StreamsTests):
    """Three workers that read their parent's stream."""

    make_exchange = Machine


class RecoveringWorkersTests(SharedRecoveryTests):
    """Three workers, to any of which clients may come back."""

    make_exchange = Machine
    gone = ()


class BridgedTests(PubSubTests):
    """Three processes, beside which there may be python-socketio's."""

    bridged = True

    def test_one_message_for_all(self) -> None:
        """There is one for these as well."""
        self.tell(EVERYONE)
        self.tell(Target(ROOM))
        self.assertEqual(len(self.exchange.published), 4)


class BridgedRecoveryTests(SharedRecoveryTests):
    """The same, by a stream."""

    bridged = True
    test_one_message_for_all = BridgedTests.test_one_message_for_all
