"""
The bridge to python-socketio: `mojo.cluster.bridge`, its adapter and its messages.

What comes is written by python-socketio's own server, whose messages go by a bus in memory.
"""

from __future__ import annotations

import json
import pickle
from random import Random
from types import SimpleNamespace

import socketio
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster.adapter import ClusterAdapter
from mojo.cluster.bridge import Bridge
from mojo.cluster.bridged_adapter import MAX_GONE, BridgedAdapter
from mojo.cluster.node import ClusterNode
from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.python_wire import write_emitted
from mojo.cluster.requests import MAX_ACK_SECONDS
from mojo.cluster.stats import ClusterStats
from mojo.errors import UnsendableError
from mojo.socketio.acks import AckCollector
from mojo.socketio.adapter import EVERYONE, Target
from mojo.socketio.codec import Decoder
from mojo.socketio.json_parser import JsonParser
from tests.cluster.memory_bus import Exchange, Server, Someone
from tests.socketio.world import World, remembering

CHANNEL = b"socketio"
CHAT = "/chat"


class ExchangeManager(socketio.PubSubManager):
    """A server's manager, on a bus in memory."""

    def __init__(self, exchange: Exchange, **options) -> None:
        super().__init__(**options)
        self._exchange = exchange
        self.came: list[bytes] = []

    def _listen(self):
        while self.came:
            yield self.came.pop(0)

    def _publish(self, data) -> None:
        self._exchange.put(CHANNEL, json.dumps(data).encode())


class BridgeTestCase(SynchronousTestCase):
    """
    Two of Mojo's servers, with two people each: 1 and 3 are in "room".

    Attributes:
        python: a server of python-socketio.
        script: what only writes, as a task of Celery does.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.exchange = Exchange()
        self.servers = [self.make_server() for _ in range(2)]
        self.people = [Someone(f"id{number}") for number in range(4)]
        self.adapters = [self.servers[number // 2].adapter for number in range(4)]
        for person, adapter in zip(self.people, self.adapters, strict=True):
            adapter.add(person)
            adapter.join(person, person.id)
        for number in (1, 3):
            self.adapters[number].join(self.people[number], "room")
        self.manager = ExchangeManager(self.exchange)
        self.python = socketio.Server(client_manager=self.manager, namespaces="*")
        self.script = ExchangeManager(self.exchange, write_only=True)

    def make_server(self, name: str = CHAT, **options) -> Server:
        return Server(self.exchange, name=name, clock=self.clock, bridged=True, **options)

    def turn(self) -> list[list[tuple]]:
        """Let what is under way come, and give what each has got of it."""
        self.exchange.turn()
        return [person.take() for person in self.people]

    def put(self, message) -> None:
        self.exchange.put(CHANNEL, json.dumps(message).encode())

    def refused(self) -> list[str]:
        """Give what was refused, by each server alike."""
        one, other = [[why for _, why in server.refused] for server in self.servers]
        self.assertEqual(one, other)
        return one

    def rooms(self) -> list[set]:
        return [
            set(adapter.rooms_of(person)) - {person.id}
            for person, adapter in zip(self.people, self.adapters, strict=True)
        ]


class EmitTests(BridgeTestCase):
    def emit(self, *args, **options) -> list[list[tuple]]:
        self.script.emit("x", *args, namespace=CHAT, **options)
        got = self.turn()
        self.assertEqual(self.refused(), [])
        return got

    def who(self, **options) -> list[int]:
        return [number for number, got in enumerate(self.emit(1, **options)) if got == [("x", 1)]]

    def test_whom(self) -> None:
        """Everybody, rooms, ids, and without ids."""
        self.assertEqual(self.who(), [0, 1, 2, 3])
        self.assertEqual(self.who(room="room"), [1, 3])
        self.assertEqual(self.who(to="id0"), [0])
        self.assertEqual(self.who(to=["room", "id0", "nobody"]), [0, 1, 3])
        self.assertEqual(self.who(to="nobody"), [])
        self.assertEqual(self.who(skip_sid="id0"), [1, 2, 3])
        self.assertEqual(self.who(to=["room", "id0"], skip_sid=["id0", "id3"]), [1])
        self.assertEqual(self.who(skip_sid=[None, "id1"]), [0, 2, 3])

    def test_users(self) -> None:
        """A login is a room between servers."""
        self.adapters[2].join(self.people[2], ("user", "ada"))
        self.assertEqual(self.who(room="mojo:user:ada"), [2])

    def test_arguments(self) -> None:
        """A tuple is several arguments, anything else is one, and None is none."""
        for data, args in (
            ("ü\U0001f511", ("ü\U0001f511",)),
            ((1, [2], {"a": None}), (1, [2], {"a": None})),
            ([1, 2], ([1, 2],)),
            ({"_placeholder": True, "num": 0}, ({"_placeholder": True, "num": 0},)),
            (None, ()),
            ((), ()),
            ((None, None), (None, None)),
            (False, (False,)),
        ):
            self.assertEqual(self.emit(data), [[("x", *args)]] * 4, data)

    def test_bytes(self) -> None:
        """They come as they were, at any depth."""
        for data, args in (
            (b"\x00\xff", (b"\x00\xff",)),
            ((b"", {"a": [b"b", 1]}), (b"", {"a": [b"b", 1]})),
            ([b"a", b"b"], ([b"a", b"b"],)),
        ):
            self.assertEqual(self.emit(data), [[("x", *args)]] * 4, data)

    def test_older(self) -> None:
        """5.14 has one argument, and no list around it."""
        place = {"_placeholder": True, "num": 0}
        for data, binary, args in (
            ({"a": 1}, False, ({"a": 1},)),
            ("a", False, ("a",)),
            (None, False, ()),
            ([{"a": place}, "AA=="], True, ({"a": b"\x00"},)),
            ([place, "AA=="], True, (b"\x00",)),
        ):
            self.put({
                "method": "emit", "event": "x", "namespace": CHAT, "data": data, "binary": binary,
            })  # fmt: skip
            self.assertEqual(self.turn(), [[("x", *args)]] * 4)
        self.assertEqual(self.refused(), [])

    def test_goes_on_to_nobody(self) -> None:
        """All servers hear it themselves."""
        self.emit(1)
        self.emit(1, to="room")
        self.assertEqual(len(self.exchange.published), 2)

    def test_namespaces(self) -> None:
        """What is for a namespace that is not there is for nobody, and no fault."""
        for name in ("/", "/cha", "/chat/", "/chat2", "/Chat", "*"):
            self.script.emit("x", 1, namespace=name)
        self.assertEqual(self.turn(), [[]] * 4)
        self.assertEqual(self.refused(), [])
        root = self.make_server("/")
        root.adapter.add(visitor := Someone("id0"))
        self.script.emit("x", 1)
        self.assertEqual(self.turn(), [[]] * 4)
        self.assertEqual(visitor.take(), [("x", 1)])

    def test_closed(self) -> None:
        """A namespace that has gone hears nothing."""
        self.adapters[0].close()
        self.assertEqual(self.who(), [2, 3])

    def test_for_nobody(self) -> None:
        """No room is not everybody."""
        for room in ([], [None], 1.5, {}, [["room"]], True, [[]]):
            self.put({"method": "emit", "event": "x", "data": [1], "namespace": CHAT, "room": room})
        self.assertEqual(self.turn(), [[]] * 4)
        self.assertEqual(len(self.refused()), 7)

    def test_ours(self) -> None:
        """What another server of Mojo's has published came by Mojo's channels."""
        message = {"method": "emit", "event": "x", "data": [1], "namespace": CHAT}
        self.put({"host_id": f"mojo-{self.servers[0].uid}", **message})
        self.put({**message, "host_id": "mojo-another"})
        self.assertEqual(self.turn(), [[]] * 4)
        self.put({**message, "host_id": "a mojo-"})
        self.assertEqual(self.turn(), [[("x", 1)]] * 4)
        self.assertEqual(self.refused(), [])


class CallbackTests(BridgeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.answers: list[tuple] = []

    def ask(self, to: str) -> None:
        callback = lambda *args: self.answers.append(args)  # noqa: E731
        self.python.emit("x", 1, to=to, namespace=CHAT, callback=callback)
        self.turn()
        self.exchange.published.clear()

    def answer(self, person: int, *args) -> None:
        (answered, _), *_ = self.people[person].asked
        answered(list(args))
        for channel, data in self.exchange.published:
            self.assertEqual(channel, CHANNEL)
            self.manager._handle_callback(json.loads(data))
        self.turn()
        self.assertEqual(self.refused(), [])

    def test_one(self) -> None:
        """The server that asked gets the client's answer, whatever it is."""
        for args in ((), (1,), ("a", {"b": [None]})):
            self.ask("id2")
            self.answer(2, *args)
            self.people[2].asked.clear()
            self.assertEqual(self.answers.pop(), args)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_first(self) -> None:
        """Of many the first is told, and the others are waited for no longer."""
        self.adapters[0].join(self.people[0], "room")
        self.ask("room")
        self.answer(1, "first")
        self.assertEqual((self.people[0].forgotten, self.people[1].forgotten), ([1], []))
        self.assertEqual(self.answers, [("first",)])
        published = len(self.exchange.published)
        self.people[0].asked[0][0](["second"])
        self.assertEqual(len(self.exchange.published), published)

    def test_late(self) -> None:
        """It is not waited for without end."""
        self.ask("room")
        self.assertEqual(len(self.clock.getDelayedCalls()), 2)
        self.clock.advance(MAX_ACK_SECONDS)
        self.assertEqual([one.forgotten for one in self.people], [[], [1], [], [1]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost(self) -> None:
        """Who has gone answers nothing."""
        self.ask("id0")
        self.people[0].asked[0][1](ValueError("gone"))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.exchange.published, [])

    def test_given_up(self) -> None:
        """A server that stops leaves no timer."""
        self.ask("room")
        for server in self.servers:
            server.adapter.give_up()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bytes(self) -> None:
        """The format has none in answers: that is said, and no client's error."""
        self.ask("id0")
        self.people[0].asked[0][0]([b"\xff"])
        self.assertEqual(self.exchange.published, [])
        ((where, why),) = self.servers[0].refused
        self.assertEqual(where, "client's answer")
        self.assertIn("bytes", why)

    def test_bad(self) -> None:
        """What nobody could be answered by is not asked."""
        whole = {"method": "emit", "event": "x", "data": [1], "namespace": CHAT, "host_id": "h"}
        bad = [1, {}, [], ["room", CHAT], ["room", CHAT, "1"], [None, CHAT, 1], ["room", 1, 1]]
        for callback in bad:
            self.put({**whole, "callback": callback})
        self.put({**whole, "host_id": None, "callback": ["room", CHAT, 1]})
        self.assertEqual(self.turn(), [[]] * 4)
        self.assertEqual(len(self.refused()), len(bad) + 1)
        self.put({**whole, "callback": None})
        self.assertEqual(self.turn(), [[("x", 1)]] * 4)

    def test_not_ours(self) -> None:
        """Answers to others are heard too."""
        self.put({"method": "callback", "host_id": "h", "sid": "s", "id": 1, "args": []})
        self.turn()
        self.assertEqual(self.refused(), [])


class ConnectionTests(BridgeTestCase):
    """What is done to one client, and to a room."""

    def tell(self, method: str, *args, **options) -> None:
        getattr(self.python, method)(*args, namespace=CHAT, **options)
        self.turn()
        self.assertEqual(self.refused(), [])

    def test_disconnect(self) -> None:
        self.tell("disconnect", "id2")
        self.assertEqual([one.ended for one in self.people], [None, None, False, None])

    def test_rooms(self) -> None:
        self.tell("enter_room", "id0", "new")
        self.tell("enter_room", "id3", 5)
        self.assertEqual(self.rooms(), [{"new"}, {"room"}, set(), {"room", "5"}])
        self.tell("leave_room", "id3", "room")
        self.tell("leave_room", "id2", "room")
        self.assertEqual(self.rooms(), [{"new"}, {"room"}, set(), {"5"}])
        self.adapters[2].join(self.people[2], "new")
        self.tell("close_room", "new")
        self.assertEqual(self.rooms(), [set(), {"room"}, set(), {"5"}])
        self.assertEqual([one.ended for one in self.people], [None] * 4)

    def test_sids(self) -> None:
        """A room is nobody's id, whoever may be in it."""
        self.adapters[0].join(self.people[0], "id1")
        self.tell("disconnect", "room")
        self.tell("enter_room", "room", "new")
        self.tell("leave_room", "room", "room")
        self.tell("disconnect", "id1")
        self.tell("enter_room", "id1", "new")
        self.assertEqual([one.ended for one in self.people], [None, False, None, None])
        self.assertEqual(self.rooms(), [{"id1"}, {"room", "new"}, set(), {"room"}])

    def test_rooms_that_are_ids(self) -> None:
        """They are for one alone."""
        self.python.enter_room("id0", "id1", namespace=CHAT)
        self.python.close_room("id1", namespace=CHAT)
        self.python.leave_room("id1", "id1", namespace=CHAT)
        self.python.enter_room("id1", "id1", namespace=CHAT)
        self.turn()
        self.assertEqual(self.adapters[1].rooms_of(self.people[1]), ("id1", "room"))
        self.assertEqual(self.rooms()[0], set())
        found = [[why for _, why in server.refused] for server in self.servers]
        self.assertEqual(found, [["a room that is a connection's id"] * 3, []])

    def test_identities(self) -> None:
        """Who is which user is for no other server to say."""
        self.adapters[0].join(self.people[0], ("user", "ada"))
        self.python.enter_room("id1", "mojo:user:ada", namespace=CHAT)
        self.python.leave_room("id0", "mojo:user:ada", namespace=CHAT)
        self.python.close_room("mojo:user:ada", namespace=CHAT)
        self.turn()
        self.assertEqual(self.rooms()[:2], [{("user", "ada")}, {"room"}])
        self.assertEqual(self.refused(), ["a room that is no app's"] * 3)

    def test_bad(self) -> None:
        for method in ("enter_room", "leave_room", "disconnect", "close_room"):
            for sid, room in ((None, None), ([], []), ({}, {}), (1.5, 1.5)):
                self.put({"method": method, "namespace": CHAT, "sid": sid, "room": room})
        self.turn()
        self.assertEqual(len(self.refused()), 16)
        self.assertEqual(self.rooms(), [set(), {"room"}, set(), {"room"}])


class Unpickled:
    """Ends the tests if anybody unpickles it."""

    def __reduce__(self):
        return (self.fail, ())

    @staticmethod
    def fail():
        raise SystemExit("unpickled")


class BadInputTests(BridgeTestCase):
    def test_pickled(self) -> None:
        """What came before 5.14 is not read, and it is said what is needed."""
        message = {"method": "emit", "event": "x", "data": 1, "namespace": CHAT, "room": None}
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            self.exchange.put(CHANNEL, pickle.dumps({**message, "a": Unpickled()}, protocol))
        self.assertEqual(self.turn(), [[]] * 4)
        found = set(self.refused())
        self.assertEqual(
            found, {"it is pickled: the sender's python-socketio is to be 5.14 or newer"}
        )
        for protocol in (0, 1):
            self.exchange.put(CHANNEL, pickle.dumps({**message, "a": Unpickled()}, protocol))
        self.assertEqual(self.turn(), [[]] * 4)
        self.assertEqual(self.refused()[-2:], ["it is not JSON"] * 2)

    def test_noise(self) -> None:
        """No bytes whatever raise or reach anybody."""
        random = Random(20_140)
        whole = b'{"method":"emit","event":"x","namespace":"/chat","data":[1]}'
        noise = [
            b"{", b"[]", b"null", b"1e999", b"\x80", b"\x93", b"\xc1", b"[" * 100_000,
            b'{"namespace":"/chat","method":' + b"[" * 100_000, b'{"a":"\xff\xfe"}',
            b'{"namespace":' + b"9" * 5000 + b"}",
        ]  # fmt: skip
        noise += [whole[:at] for at in range(1, len(whole))]
        noise += [random.randbytes(random.randrange(1, 50)) for _ in range(500)]
        for data in noise:
            self.exchange.put(CHANNEL, data)
        self.assertEqual(self.turn(), [[]] * 4)
        self.assertEqual(len(self.refused()), len(noise))

    def test_senseless(self) -> None:
        """Nor does what is JSON, and means nothing."""
        strange = (
            True, -1, 1.5, float("nan"), 2**63, 10**400, "", "\ud800", "x" * 10_000, {}, [[]],
            {"a": {}}, ["a"] * 1000, [None], [1.5], [{"_placeholder": True, "num": 0}],
        )  # fmt: skip
        whole = {
            "method": "emit", "event": "x", "namespace": CHAT, "room": "nobody", "skip_sid": None,
            "data": [1], "binary": False, "callback": None, "host_id": "h", "sid": "nobody",
        }  # fmt: skip
        for method in ("emit", "disconnect", "enter_room", "leave_room", "close_room", "callback"):
            for field in whole:
                for value in strange:
                    self.put({**whole, "method": method, field: value})
        for value in strange:
            self.put({**whole, "binary": True, "data": value})
            self.put({**whole, "binary": True, "data": [value, value]})
            self.put({**whole, "binary": True, "data": [value, "AA=="]})
        self.assertEqual(self.turn(), [[]] * 4)
        self.refused()
        self.assertEqual([one.ended for one in self.people], [None] * 4)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_attachments(self) -> None:
        """Each has one place, and is base64."""
        place = {"_placeholder": True, "num": 0}
        for data in (
            [[place, place], "AA=="], [[place], "AA==", "AA=="], [[{**place, "num": True}], "AA=="],
            [[place], "A"], [[place], "A\u00e9=="], [[place], None], [[1], "AA=="], [],
            [{**place, "num": 1}, "AA=="], [[place], "A*A=="],
        ):  # fmt: skip
            self.put({
                "method": "emit", "event": "x", "namespace": CHAT, "binary": True, "data": data,
            })  # fmt: skip
        self.assertEqual(self.turn(), [[]] * 4)
        self.assertEqual(len(self.refused()), 10)

    def test_unsendable(self) -> None:
        """What clients would close on is not sent them."""
        for event, data in (("connect", [1]), ("disconnect", [1]), ("x", [float("nan")])):
            self.put({"method": "emit", "event": event, "namespace": CHAT, "data": data})
        self.assertEqual(self.turn(), [[]] * 4)
        self.assertEqual(len(self.refused()), 3)


class PythonServer(socketio.Server):
    """
    A server of python-socketio on a bus in memory, as a `mojo.cluster.bus.Listener`.

    Attributes:
        heard: what its clients were sent, by their ids: whole packets.
        raised: what it logged of messages that came.
    """

    channels, prefix = (CHANNEL,), b"no channel"

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(client_manager=ExchangeManager(exchange), namespaces="*")
        self.heard: dict[str, list] = {}
        self.raised: list[tuple] = []
        self._decoders: dict[str, Decoder] = {}
        # `exception` of what comes, and `error` at the end of what has come.
        self.logger = SimpleNamespace(
            exception=lambda *args: self.raised.append(args),
            error=lambda *args: None, info=lambda *args: None, debug=lambda *args: None,
        )  # fmt: skip
        exchange.listeners.append(self)

    def received(self, channel, data) -> None:
        self.manager.came.append(data)
        self.manager._thread()

    def join(self, *rooms: str) -> str:
        """Connect a client; give its id."""
        sid = self.manager.connect(f"eio{len(self.heard)}", CHAT)
        eio_sid = self.manager.eio_sid_from_sid(sid, CHAT)
        self.heard[sid], self._decoders[eio_sid] = [], Decoder(100)
        for room in rooms:
            self.manager.enter_room(sid, CHAT, room)
        return sid

    def _send_eio_packet(self, eio_sid, eio_pkt) -> None:
        packet = self._decoders[eio_sid].feed(eio_pkt.data)
        if packet is not None:
            sid = self.manager.sid_from_eio_sid(eio_sid, CHAT)
            self.heard[sid].append(packet)


class ToldTestCase(BridgeTestCase):
    """Beside Mojo's servers one of python-socketio, with two people: "p1" is in "room"."""

    def setUp(self) -> None:
        super().setUp()
        self.python = PythonServer(self.exchange)
        self.plain = self.python.join()
        self.roomy = self.python.join("room")
        self.local = self.adapters[0]
        self.exchange.published.clear()

    def say(self, target: Target, *args, **flags) -> list[list]:
        """Send an event, and give what each of python-socketio's has got of it."""
        self.local.broadcast(self.servers[0].parser.event("x", args, **flags), target)
        return self.got()

    def got(self) -> list[list]:
        self.exchange.turn()
        self.assertEqual(self.refused(), [])
        self.assertEqual(self.python.raised, [])
        found = []
        for heard in self.python.heard.values():
            found.append([packet.data for packet in heard])
            heard.clear()
        return found

    def told(self) -> list[dict]:
        """Give what was published for python-socketio."""
        self.exchange.turn()
        published = [data for channel, data in self.exchange.published if channel == CHANNEL]
        self.exchange.published.clear()
        return [json.loads(data) for data in published]


class ToldEventTests(ToldTestCase):
    def test_whom(self) -> None:
        """Everybody, rooms, and one of theirs by its id."""
        x = [["x", 1]]
        self.assertEqual(self.say(EVERYONE, 1), [x, x])
        self.assertEqual(self.say(Target(frozenset({"room"})), 1), [[], x])
        self.assertEqual(self.say(Target(frozenset({"room", "other", self.plain})), 1), [x, x])
        self.assertEqual(self.say(Target(frozenset({self.plain})), 1), [x, []])
        self.assertEqual(self.say(Target(frozenset({"nobody"})), 1), [[], []])

    def test_once(self) -> None:
        """Mojo's clients get it once, by Mojo's own channels."""
        self.say(EVERYONE, 1)
        self.assertEqual([person.take() for person in self.people], [[("x", 1)]] * 4)
        self.assertEqual(len(self.exchange.published), 2)
        (message,) = self.told()
        self.assertEqual(message["host_id"], f"mojo-{self.servers[0].uid}")

    def test_arguments(self) -> None:
        for args in (
            (), (1,), ([1, 2],), ([],), (1, [2], {"a": None}), ("\u2028\U0001f511",),
            (b"\x00\xff",), ({"a": [b"", b"b"]}, b"c", 1), (bytearray(b"a"), memoryview(b"b")),
            ({"_placeholder": True, "num": 0},),
        ):  # fmt: skip
            self.assertEqual(self.say(EVERYONE, *args), [[["x", *args]]] * 2, args)

    def test_encoder(self) -> None:
        """What only the project's encoder can send is sent as that has it."""
        self.servers[0].parser = JsonParser(lambda value: f"a {type(value).__name__}")
        self.assertEqual(self.say(EVERYONE, object()), [[["x", "a object"]]] * 2)

    def test_unsendable(self) -> None:
        """What is no JSON is the app's error, whoever finds it."""

        def refuse(value):
            raise ZeroDivisionError

        for value, encoder in ((float("nan"), None), (object(), None), (object(), refuse)):
            with self.assertRaises(UnsendableError):
                write_emitted("mojo-x", CHAT, "x", [value], None, encoder)

    def test_but_for_one(self) -> None:
        """A client of the sender's is none of theirs, also when it has just gone."""
        others = Target(excluded=frozenset({"id0"}))
        x = [["x", 1]]
        self.assertEqual(self.say(others, 1), [x, x])
        self.assertEqual(self.say(Target(frozenset({"room"}), frozenset({"id0"})), 1), [[], x])
        self.local.remove(self.people[0])
        self.assertEqual(self.say(others, 1), [x, x])

    def test_gone(self) -> None:
        """They are not kept for ever."""
        for number in range(MAX_GONE):
            self.local.add(one := Someone(f"gone{number}"))
            self.local.remove(one)
        self.assertEqual(self.say(Target(excluded=frozenset({"gone0"})), 1), [[["x", 1]]] * 2)
        self.local.add(one := Someone("the last"))
        self.local.remove(one)
        self.assertEqual(self.say(Target(excluded=frozenset({"gone0"})), 1), [[], []])

    def test_too_many(self) -> None:
        """What they have no word for reaches nobody there, and one line says so."""
        lines: list[str] = []
        observe = lambda event: lines.append(event["log_namespace"])  # noqa: E731
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        for target in (
            Target(excluded=frozenset({"room"})),
            Target(excluded=frozenset({"id0", "room"})),
            Target(excluded=frozenset({self.plain})),
            Target(frozenset({"room"}), frozenset({("user", "ada")})),
            Target(frozenset({"room"}), within=("user", "ada")),
            Target(excluded=frozenset({"id2"})),
        ):
            self.assertEqual(self.say(target, 1), [[], []], target)
        self.assertEqual(self.told(), [])
        self.assertEqual(lines.count("mojo.cluster.bridged_adapter"), 1)

    def test_ours_alone(self) -> None:
        """What is for this process, or for clients of ours, is not told."""
        self.say(Target(local=True), 1)
        self.say(Target(frozenset({"id0"})), 1)
        self.say(Target(frozenset({"id0", "id1"})), 1)
        self.assertEqual(self.told(), [])
        self.say(Target(frozenset({"id0", "room"})), 1)
        self.assertEqual([message["room"] for message in self.told()], ["room"])

    def test_users(self) -> None:
        self.say(Target(frozenset({("user", "ada")})), 1)
        self.say(Target(within=("session", "s")), 1)
        rooms = [message["room"] for message in self.told()]
        self.assertEqual(rooms, ["mojo:user:ada", "mojo:session:s"])

    def test_elsewhere(self) -> None:
        """A namespace that is not here is told of."""
        listeners = len(self.exchange.listeners)
        remote = self.servers[0].bridge.make_remote(self.servers[0], PubSubLine)
        self.assertEqual(len(self.exchange.listeners), listeners)
        remote.broadcast(self.servers[0].parser.event("x", [1]), EVERYONE)
        self.assertEqual(self.got(), [[["x", 1]]] * 2)
        # It has taken nobody's place.
        self.assertEqual([person.take() for person in self.people], [[]] * 2 + [[("x", 1)]] * 2)
        self.python.emit("y", namespace=CHAT)
        self.got()
        self.assertEqual([person.take() for person in self.people], [[("y",)]] * 4)

    def test_volatile(self) -> None:
        """It does not wait for Redis."""
        published = []
        bus = self.servers[0].bus
        bus.publish = lambda channel, data, *, waits: published.append((channel == CHANNEL, waits))
        self.say(EVERYONE, 1)
        self.say(EVERYONE, 1, volatile=True)
        self.assertEqual(published, [(False, True), (True, True), (False, False), (True, False)])

    def test_answers(self) -> None:
        """Those of many cannot be asked for there."""
        collector = AckCollector(self.clock, 1)
        question = self.servers[0].parser.event("x", [1], 5)
        self.local.broadcast_with_ack(question, EVERYONE, 5, collector)
        self.assertEqual(self.told(), [])
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(collector.result).answers, [])


class ToldActTests(ToldTestCase):
    """What is done to others' connections."""

    def rooms_there(self) -> list[list]:
        self.got()
        found = [self.python.manager.get_rooms(sid, CHAT) for sid in (self.plain, self.roomy)]
        return [sorted({*rooms} - {self.plain, self.roomy}) for rooms in found]

    def test_one(self) -> None:
        """One of theirs enters, leaves and goes."""
        plain = Target(frozenset({self.plain}))
        self.local.add_sockets(plain, ["a", "b"])
        self.assertEqual(self.rooms_there(), [["a", "b"], ["room"]])
        self.local.del_sockets(plain, ["b"])
        self.assertEqual(self.rooms_there(), [["a"], ["room"]])
        self.local.disconnect_sockets(plain, close=True)
        self.got()
        self.assertFalse(self.python.manager.is_connected(self.plain, CHAT))
        self.assertTrue(self.python.manager.is_connected(self.roomy, CHAT))

    def test_room(self) -> None:
        """All can leave a room, and no room's people be moved or ended."""
        room = Target(frozenset({"room"}))
        self.local.add_sockets(room, ["a"])
        self.local.del_sockets(room, ["a"])
        self.local.disconnect_sockets(room, close=False)
        self.assertEqual(self.rooms_there(), [[], ["room"]])
        self.assertTrue(self.python.manager.is_connected(self.roomy, CHAT))
        self.local.del_sockets(Target(frozenset({"room", "other"})), ["room"])
        self.assertEqual(self.rooms_there(), [[], []])
        self.python.manager.enter_room(self.plain, CHAT, "room")
        self.local.del_sockets(EVERYONE, ["room"])
        self.assertEqual(self.rooms_there(), [[], []])

    def test_not_told(self) -> None:
        """What they have no word for, and what is of our own."""
        named = frozenset({self.roomy, "room"})
        for target in (
            Target(frozenset({"id0"})),
            Target(named, excluded=frozenset({"id0"})),
            Target(named, within="room"),
            Target(named, local=True),
            Target(within="room"),
        ):
            self.local.add_sockets(target, ["a"])
            self.local.del_sockets(target, ["room"])
            self.local.disconnect_sockets(target, close=False)
        self.local.add_sockets(EVERYONE, ["a"])
        self.local.disconnect_sockets(EVERYONE, close=False)
        self.assertEqual(self.told(), [])


class NodeTests(BridgeTestCase):
    def test_adapters(self) -> None:
        """A node's are those of its bridge, if it has one."""
        for make_bridge, kind in (
            (None, ClusterAdapter),
            (lambda server: Bridge(server, "socketio"), BridgedAdapter),
        ):
            bus = self.exchange.bus()
            node = ClusterNode(bus, ClusterStats(), lambda: "id", make_bridge=make_bridge)
            server = self.servers[0]
            self.assertIs(type(node.make_adapter(server, server.local)), kind)
            self.assertIs(type(node.make_remote(server)), kind)


class HandlerTests(ToldTestCase):
    """What an app says, by whole connections."""

    def setUp(self) -> None:
        super().setUp()
        self.world = World({"/": remembering()})
        bridge = self.servers[0].bridge
        self.adapters[0].close()
        self.world.server.make_adapter = lambda namespace, local: bridge.make_adapter(
            namespace, local, PubSubLine
        )
        self.handler_class = remembering(
            on_open=lambda self, request: self.broadcast.emit("came", self.id),
            on_close=lambda self, reason: self.broadcast.emit("went", self.id),
        )
        self.world.server.add_namespace(CHAT, self.handler_class)

    def test_coming_and_going(self) -> None:
        """Others are told, of whoever says it while he comes and when he has gone."""
        client = self.world.client()
        sid = client.connect(CHAT)
        self.assertEqual(self.got(), [[["came", sid]]] * 2)
        client.send(f"1{CHAT},")
        self.world.turn()
        self.assertEqual(self.got(), [[["went", sid]]] * 2)

    def test_client(self) -> None:
        """What comes is done to a whole client."""
        client = self.world.client()
        sid = client.connect(CHAT)
        answers = []
        answered = lambda *args: answers.append(args)  # noqa: E731
        self.python.emit("q", (1, b"a"), to=sid, namespace=CHAT, callback=answered)
        self.got()
        text, attachment = client.received()
        self.assertEqual(attachment, b"a")
        head, _, data = text.partition("[")
        self.assertEqual(data, '"q",1,{"_placeholder":true,"num":0}]')
        client.send(f"3{CHAT},{head.rpartition(',')[2]}[2,3]")
        self.got()
        self.assertEqual(answers, [(2, 3)])
        self.python.disconnect(sid, namespace=CHAT)
        self.got()
        self.assertEqual(client.received(), [f"1{CHAT},"])
