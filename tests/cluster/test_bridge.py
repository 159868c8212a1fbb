"""
The bridge to python-socketio: `mojo.cluster.bridge`, its adapter and its messages.

What comes is written by python-socketio's own server, whose messages go by a bus in memory.
"""

from __future__ import annotations

import json
import pickle
from random import Random

import socketio
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster.requests import MAX_ACK_SECONDS
from tests.cluster.memory_bus import Exchange, Server, Someone

CHANNEL = b"socketio"
CHAT = "/chat"


class ExchangeManager(socketio.PubSubManager):
    """A server's manager, on a bus in memory."""

    def __init__(self, exchange: Exchange, **options) -> None:
        super().__init__(**options)
        self._exchange = exchange

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
