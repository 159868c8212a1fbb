"""`mojo.cluster.wire` and `mojo.cluster.names`, against bytes that the official packages make."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster import wire
from mojo.cluster.names import (
    read_app_rooms,
    read_hosted,
    read_room,
    read_target,
    write_room,
    write_target,
)
from mojo.cluster.wire import Kind
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import EVERYONE, Target
from mojo.socketio.json_parser import JsonParser
from tests.cluster.memory_bus import Exchange, Server, Someone

#: A broadcast of "x" with 1 in "/chat", as notepack writes it.
BROADCAST = (
    b"\x93\xa4node"
    b"\x83\xa4type\x02\xa4data\x92\xa1x\x01\xa3nsp\xa5/chat"
    b"\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80"
)


class RoomNameTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        """No two rooms have one name, and each name leads back."""
        rooms = [
            "room", "", "mojo", "mojo:", "mojo:user:ada", "mojo:room:x", "mojo:room:mojo:room:x",
            "mojo:both:x", ("user", "ada"), ("session", "ada"), ("user", "room:x"), ("user", ""),
        ]  # fmt: skip
        names = [write_room(room) for room in rooms]
        self.assertEqual(len(set(names)), len(rooms))
        self.assertEqual([read_room(name) for name in names], rooms)

    def test_of_others(self) -> None:
        """What a Node server emits to."""
        self.assertEqual(write_room("room"), "room")
        self.assertEqual(read_room("mojo:user:ada"), ("user", "ada"))
        self.assertEqual(read_room("mojo:session:s:1"), ("session", "s:1"))
        self.assertEqual(read_room("mojo:else"), "mojo:else")

    def test_app_rooms(self) -> None:
        """No other server makes a socket a user's."""
        self.assertEqual(read_app_rooms(["a", 1, "mojo:room:mojo:x"]), ["a", "1", "mojo:x"])
        self.assertRaises(PacketError, read_app_rooms, ["a", "mojo:user:ada"])

    def test_targets(self) -> None:
        within = Target(frozenset({"a"}), frozenset({"b"}), within=("user", "ada"))
        opts = {"rooms": ["mojo:both:mojo:user:ada"], "except": ["b"], "among": ["a"]}
        self.assertEqual(write_target(within), opts)
        self.assertEqual(read_target(opts), within)
        self.assertEqual(read_hosted(opts["rooms"][0]), ("user", "ada"))
        self.assertEqual(read_target({"rooms": [], "except": []}), EVERYONE)
        self.assertEqual(read_target({}), EVERYONE)

    def test_no_targets(self) -> None:
        for opts in (
            None, [], "", {"rooms": "a"}, {"rooms": {"a": 1}}, {"rooms": [None]},
            {"rooms": [True]}, {"rooms": [1.5]}, {"rooms": [["a"]]}, {"except": 1},
            {"rooms": ["mojo:both:a"]}, {"rooms": ["mojo:both:a"], "among": 1},
        ):  # fmt: skip
            self.assertRaises(PacketError, read_target, opts)


class BroadcastTests(SynchronousTestCase):
    def test_read(self) -> None:
        sent = wire.read_broadcast(BROADCAST)
        self.assertEqual(sent, ("node", "/chat", "x", [1], EVERYONE, _flags()))

    def test_write(self) -> None:
        data = wire.pack_message(
            ["node", wire.write_packet("/chat", "x", [1]), {**write_target(EVERYONE), "flags": {}}],
            None,
        )
        self.assertEqual(data, BROADCAST)

    def test_flags(self) -> None:
        data = BROADCAST[:-1] + b"\x82\xa8volatile\xc3\xa8compress\xc2"
        self.assertEqual(wire.read_broadcast(data).flags, _flags(volatile=True, compress=False))

    def test_no_namespace(self) -> None:
        """It is the root's, as old emitters have it; flags may be missing as well."""
        data = b"\x93\xa7emitter\x82\xa4type\x02\xa4data\x91\xa1x\x81\xa5rooms\x91\xa1r"
        sent = wire.read_broadcast(data)
        self.assertEqual((sent.namespace, sent.args, sent.flags), ("/", [], {}))
        self.assertEqual(sent.target, Target(frozenset({"r"})))

    def test_javascript_values(self) -> None:
        """``undefined``, a ``Date`` and an ``ArrayBuffer``, as notepack writes them."""
        values = (
            b"\xd4\x00\x00\xd7\x00\x00\x00\x00\x00\x00\x00\x03\xe8\xc7\x02\x00\x01\x02\xc4\x01\xff"
        )
        data = BROADCAST.replace(b"\x92\xa1x\x01", b"\x95\xa1x" + values)
        date = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
        args = wire.read_broadcast(data).args
        self.assertEqual(args, [None, date, b"\x01\x02", b"\xff"])
        message = wire.make_event(JsonParser(), "x", [{"when": [date]}])
        self.assertEqual(message.pieces("/"), ('2["x",{"when":["1970-01-01T00:00:01.000Z"]}]',))

    def test_none(self) -> None:
        """Whatever else comes is refused, and nothing but `PacketError` is raised."""
        for data in (
            b"", b"\xc1", b"\x93", b"{}", b"\x90", b"\x93\x01\x02\x03", b"\x80", BROADCAST[:-1],
            BROADCAST.replace(b"\xa4node", b"\x01\x01\x01\x01\x01"),
            BROADCAST.replace(b"\xa4type\x02", b"\xa4type\x03"),
            BROADCAST.replace(b"\xa1x", b"\x01"),
            BROADCAST.replace(b"\x92\xa1x\x01", b"\x90"),
            BROADCAST.replace(b"\x92\xa1x\x01", b"\x82\xa1x\x01\xa1y\x01"),
            BROADCAST.replace(b"\xa5rooms\x90", b"\xa5rooms\x91\xc0"),
            BROADCAST.replace(b"\xa5/chat", b"\x05"),
            b"\x91" * 5000 + b"\x01",
            b"\xdd\xff\xff\xff\xff",
        ):  # fmt: skip
            self.assertRaises(PacketError, wire.read_broadcast, data)

    def test_unsendable(self) -> None:
        for value in (object(), 2**64, {1: object()}):
            self.assertRaises(UnsendableError, wire.pack_message, [value], None)

    def test_encoder(self) -> None:
        """What the project's encoder makes of a value goes to the other servers too."""
        parser = JsonParser(lambda value: {"made": [str(value)]})
        exchange = Exchange()
        one, two = (Server(exchange, parser=parser) for _ in range(2))
        someone = Someone("id1")
        two.adapter.add(someone)
        one.adapter.broadcast(parser.event("x", [1 + 2j]), EVERYONE)
        exchange.turn()
        self.assertEqual(someone.got, [("x", {"made": ["(1+2j)"]})])

    def test_what_cannot_be_sent_on(self) -> None:
        """An app's own clients get it; the others do not, and the log says so."""
        exchange = Exchange()
        one, _two = (Server(exchange) for _ in range(2))
        someone = Someone("id1")
        one.adapter.add(someone)
        one.adapter.broadcast(one.parser.event("x", [2**70]), EVERYONE)
        self.assertEqual(someone.got, [("x", 2**70)])
        self.assertEqual((exchange.published, one.stats.unsent), ([], 1))


def _flags(volatile=False, compress=True):
    return {"volatile": volatile, "compress": compress}


class RequestTests(SynchronousTestCase):
    """What other servers ask of one, field by field, and what they are told."""

    def setUp(self) -> None:
        self.exchange = Exchange()
        self.server = Server(self.exchange)
        self.people = [Someone("id1"), Someone("id2")]
        for person in self.people:
            self.server.adapter.add(person)
            self.server.adapter.join(person, person.id)
        self.server.adapter.join(self.people[0], "room")
        self.people[0].rooms = lambda: self.server.local.rooms_of(self.people[0])

    def ask(self, **request):
        """Make a request; give the responses."""
        self.receive(json.dumps({"uid": "node", **request}).encode())
        return [(channel, data) for channel, data in self.exchange.published]

    def receive(self, data: bytes, channel=b"socket.io-request#/chat#") -> None:
        self.exchange.published.clear()
        self.server.adapter._line.received(channel, data)
        self.exchange.turn()

    def test_sockets(self) -> None:
        ((channel, data),) = self.ask(type=0, requestId="r", rooms=["room"])
        self.assertEqual(channel, b"socket.io-response#/chat#")
        self.assertEqual(json.loads(data), {"requestId": "r", "sockets": ["id1"]})

    def test_rooms(self) -> None:
        self.server.adapter.join(self.people[0], ("user", "ada"))
        ((_, data),) = self.ask(type=1, requestId="r")
        self.assertEqual(json.loads(data), {"requestId": "r", "rooms": ["id1", "id2", "room"]})

    def test_one_socket(self) -> None:
        """The old form of requests, which is answered by the server that has the socket."""
        ((_, data),) = self.ask(type=2, requestId="r", sid="id2", room="new")
        self.assertEqual(json.loads(data), {"requestId": "r"})
        self.assertIn("new", self.server.local.rooms_of(self.people[1]))
        self.assertEqual(len(self.ask(type=3, requestId="r", sid="id2", room="new")), 1)
        self.assertNotIn("new", self.server.local.rooms_of(self.people[1]))
        self.assertEqual(len(self.ask(type=4, requestId="r", sid="id2", close=True)), 1)
        self.assertEqual([person.ended for person in self.people], [None, True])
        # A room is no socket, whoever is in it.
        for kind in (2, 3, 4):
            for sid in ("id9", "room"):
                self.assertEqual(self.ask(type=kind, requestId="r", sid=sid, room="new"), [])
        self.assertIsNone(self.people[0].ended)

    def test_many_sockets(self) -> None:
        opts = {"rooms": ["room"], "except": []}
        self.assertEqual(self.ask(type=2, opts=opts, rooms=["a", "b"]), [])
        self.assertEqual(self.server.local.rooms_of(self.people[0]), ("id1", "room", "a", "b"))
        self.assertEqual(self.server.local.rooms_of(self.people[1]), ("id2",))
        self.assertEqual(self.ask(type=3, opts=opts, rooms=["a"]), [])
        self.assertEqual(self.ask(type=4, opts=opts, close=False), [])
        self.assertEqual([person.ended for person in self.people], [False, None])

    def test_fetch(self) -> None:
        self.people[0].data = {"good": 1, "bad": object()}
        ((_, data),) = self.ask(type=5, requestId="r", opts={"rooms": ["room"], "except": []})
        (one,) = json.loads(data)["sockets"]
        self.assertEqual(
            (one["id"], one["data"], one["rooms"]), ("id1", {"good": 1}, ["id1", "room"])
        )
        self.assertEqual((one["handshake"]["headers"], one["handshake"]["auth"]), ({}, {}))

    def test_server_event(self) -> None:
        self.assertEqual(self.ask(type=6, data=["hello", 1]), [])
        ((channel, data),) = self.ask(type=6, requestId="r", data=["hello"])
        self.assertEqual(channel, b"socket.io-response#/chat#")
        heard = {"requestId": "r", "type": 6, "data": f"{self.server.uid} heard"}
        self.assertEqual(json.loads(data), heard)
        self.assertEqual(self.server.server_events, [("hello", [1]), ("hello", [])])

    def question(self, **more):
        request = {
            "uid": "node", "requestId": "r", "type": 7,
            "packet": {"type": 2, "data": ["question", b"\x01"], "nsp": "/chat"},
            "opts": {"rooms": [], "except": [], "flags": {"timeout": 2000}}, **more,
        }  # fmt: skip
        self.receive(wire.pack_message(request, None))
        return self.exchange.published

    def test_question_of_node(self) -> None:
        """How many are asked, as JSON; each answer, as MessagePack; and nothing of who goes."""
        ((channel, data),) = self.question()
        self.assertEqual(channel, b"socket.io-response#/chat#")
        self.assertEqual(json.loads(data), {"requestId": "r", "type": 8, "clientCount": 2})
        self.assertEqual(self.people[0].got, [("question", b"\x01")])
        self.exchange.published.clear()
        self.people[0].asked.pop()[0]([b"\x02", "more"])
        self.people[1].asked.pop()[1](Exception("gone"))
        ((_, data),) = self.exchange.published
        self.assertEqual(data, b"\x83\xa9requestId\xa1r\xa4type\x09\xa6packet\xc4\x01\x02")
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_question_of_ours(self) -> None:
        """On the channel of whoever asks, with the ids of those who are asked."""
        ((channel, data),) = self.question(mojo=1)
        self.assertEqual(channel, b"socket.io-response#/chat#node#")
        self.assertEqual(json.loads(data)["ids"], ["id1", "id2"])
        self.exchange.published.clear()
        self.people[1].asked.pop()[1](Exception("gone"))
        ((_, data),) = self.exchange.published
        self.assertEqual(json.loads(data), {"requestId": "r", "type": 100, "sid": "id2"})

    def test_question_runs_out(self) -> None:
        self.question()
        self.server.clock.advance(2)
        self.assertEqual([person.forgotten for person in self.people], [[1], [1]])
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_answers_that_cannot_be_sent(self) -> None:
        """They are counted; a client's counts as lost, where that can be said."""
        self.receive(b'{"uid":"node","type":5,"opts":{},"requestId":NaN}')
        self.assertEqual(([where for where, _ in self.server.refused], self.exchange.published), (
            ["answer to a request"], []))  # fmt: skip
        self.question(mojo=1)
        self.exchange.published.clear()
        self.people[0].asked.pop()[0]([2**70])
        ((_, data),) = self.exchange.published
        self.assertEqual(json.loads(data), {"requestId": "r", "type": 100, "sid": "id1"})
        self.assertEqual([where for where, _ in self.server.refused][1:], ["client's answer"])

    def test_malformed(self) -> None:
        """It is counted, nobody is sent anything, and nothing is raised."""
        nothing = (
            b"", b"{", b"{]", b"[]", b"\xc1", b"\x90", b"{" * 100_000, b"\x93\x01\x02\x03",
            b'{"type":99}', b'{"type":"5"}', b'{"type":true,"requestId":"r"}', b'{"type":[]}',
            b'{"type":2}', b'{"type":2,"sid":1,"room":"a"}', b'{"type":2,"sid":"id1"}',
            b'{"type":2,"opts":[],"rooms":["a"]}', b'{"type":2,"opts":{},"rooms":[{}]}',
            b'{"type":2,"opts":{},"rooms":["mojo:user:ada"]}', b'{"type":4,"opts":1}',
            b'{"type":5}', b'{"type":5,"opts":{"rooms":5}}', b'{"type":6}', b'{"type":6,"data":[]}',
            b'{"type":6,"data":[1]}', b'{"type":7}', b'{"type":7,"opts":{}}',
            b'{"type":7,"opts":{},"packet":{"type":2,"data":["connect"],"nsp":"/chat"}}',
            b'{"type":7,"opts":{},"packet":{"type":2,"data":["x"],"nsp":"/other"}}',
            b'{"type":0,"rooms":1}', b'{"type":1' + b"1" * 5000 + b"}", b'{"a":"\xff"}',
        )  # fmt: skip
        for number, data in enumerate(nothing, 1):
            self.receive(data)
            self.assertEqual(len(self.server.refused), number, data[:60])
            self.assertEqual(self.exchange.published, [])
        for data in (b"", b"\x93\xc0\xc0\xc0", BROADCAST.replace(b"\xa1x", b"\xa7connect")):
            self.receive(data, b"socket.io#/chat#")
        for data in (b"{}", b'{"requestId":5}', b"\xc1", b"[]"):
            self.receive(data, b"socket.io-response#/chat#")
        self.assertEqual(len(self.server.refused), len(nothing) + 7)
        self.assertEqual([person.got for person in self.people], [[], []])
        self.assertEqual([person.ended for person in self.people], [None, None])
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_deep(self) -> None:
        """What is nested so deep that it cannot be made an event is refused as well."""
        for depth in (500, 900, 1000):
            deep = b"\x91" * depth + b"\x01"
            self.receive(
                BROADCAST.replace(b"\x92\xa1x\x01", b"\x92\xa1x" + deep), b"socket.io#/chat#"
            )
        self.receive(b'{"type":6,"data":["x",' + b"[" * 900 + b"]" * 900 + b"]}")
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(self.people[0].got) + len(self.server.refused), 3)

    def test_malformed_responses(self) -> None:
        """What a server gives that cannot be read is as if it had not answered."""
        Server(self.exchange)
        self.exchange.listeners[-1].received = lambda channel, data: None
        fetching = self.server.adapter.fetch_sockets(EVERYONE)
        self.exchange.turn()
        request_id = json.loads(self.exchange.published[0][1])["requestId"]
        for response in (
            {}, {"sockets": [1]}, {"sockets": [{"id": 5}]}, {"sockets": 1}, {"type": 99},
        ):  # fmt: skip
            self.receive(
                json.dumps({"requestId": request_id, **response}).encode(),
                b"socket.io-response#/chat#",
            )
        self.assertEqual(len(self.server.refused), 5)
        self.assertNoResult(fetching)
        self.server.clock.advance(5)
        self.assertEqual(self.successResultOf(fetching).missing, 1)

    def test_unread(self) -> None:
        """What is for a room in which nobody is, or is our own, is not even looked at."""
        self.receive(b"\xc1", b"socket.io#/chat#nobody's#")
        self.receive(b"\xc1", b"socket.io#/chat#mojo:user:bob#")
        self.receive(b"\xc1", b"socket.io#/chat#mojo:both:mojo:user:bob#")
        uid = self.server.uid.encode()
        self.receive(b"\x93" + bytes([0xA0 + len(uid)]) + uid + b"\xc1", b"socket.io#/chat#")
        self.assertEqual(self.server.refused, [])
        self.receive(b"\xc1", b"socket.io#/chat#room#")
        self.assertEqual(len(self.server.refused), 1)

    def test_own(self) -> None:
        """What comes back of our own was done when it was sent."""
        self.ask(uid=self.server.uid, type=4, opts={"rooms": [], "except": []}, close=True)
        own = BROADCAST.replace(
            b"\xa4node", bytes([0xA0 + len(self.server.uid)]) + self.server.uid.encode()
        )
        self.receive(own, b"socket.io#/chat#")
        self.assertEqual([(person.got, person.ended) for person in self.people], [([], None)] * 2)

    def test_kinds(self) -> None:
        """The numbers of the reference."""
        self.assertEqual([kind.value for kind in Kind][:10], list(range(10)))
