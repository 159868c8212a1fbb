"""`mojo.cluster.streams_wire` and the line that speaks it, with bytes written by hand."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster import streams_wire
from mojo.cluster.streams import StreamsLine
from mojo.errors import PacketError, UnsendableError
from mojo.socketio.adapter import EVERYONE, Target
from tests.cluster.memory_bus import Exchange, Server, Someone


def entry(data: bytes, number: bytes = b"3", uid: bytes = b"node") -> dict[str, bytes]:
    return {"uid": uid, "nsp": b"/chat", "type": number, "data": data}


class WritingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange()
        self.server = Server(self.exchange, make_line=StreamsLine)
        self.uid = self.server.uid.encode()

    def test_broadcast(self) -> None:
        message = self.server.parser.event("said", ["ü"])
        self.server.adapter.broadcast(message, Target(frozenset({"room"}), frozenset({"not"})))
        ((offset, written),) = self.exchange.entries
        self.assertEqual(offset, "1-0")
        self.assertEqual(
            written,
            entry(
                b'{"packet":{"type":2,"data":["said","\\u00fc"],'
                b'"nsp":"/chat"},"opts":{"flags":{},"rooms":["room"],"except":["not"]}}',
                uid=self.uid,
            ),
        )

    def test_bytes(self) -> None:
        """With bytes in it, the data are base64 of MessagePack."""
        message = self.server.parser.event("x", [b"\x01"])
        self.server.adapter.broadcast(message, EVERYONE)
        ((_, written),) = self.exchange.entries
        packed = (
            b"\x82\xa6packet\x83\xa4type\x02\xa4data\x92\xa1x\xc4\x01\x01\xa3nsp\xa5/chat"
            b"\xa4opts\x83\xa5flags\x80\xa5rooms\x90\xa6except\x90"
        )
        self.assertEqual(written, entry(b64encode(packed), uid=self.uid))

    def test_orders(self) -> None:
        """What changes rooms or ends connections is in the stream too, in one order with events."""
        self.server.adapter.add_sockets(EVERYONE, ["a"])
        self.server.adapter.del_sockets(EVERYONE, ["a"])
        self.server.adapter.disconnect_sockets(EVERYONE, close=True)
        opts = b'"mojo":1,"opts":{"flags":{},"rooms":[],"except":[]},'
        self.assertEqual(
            [(written["type"], written["data"]) for _, written in self.exchange.entries],
            [
                (b"4", b"{" + opts + b'"rooms":["a"]}'),
                (b"5", b"{" + opts + b'"rooms":["a"]}'),
                (b"6", b"{" + opts + b'"close":true}'),
            ],
        )

    def test_dates(self) -> None:
        """As JSON.stringify has them, with bytes beside them and without."""
        when = datetime(2026, 1, 2, tzinfo=UTC)
        message = {"uid": "u", "nsp": "/", "type": 3, "data": {"a": when}}
        data = streams_wire.write_entry(message, None)["data"]
        self.assertEqual(data, b'{"a":"2026-01-02T00:00:00.000Z"}')
        message["data"]["b"] = b""
        data = streams_wire.write_entry(message, None)["data"]
        packed = b"\x82\xa1a\xb82026-01-02T00:00:00.000Z\xa1b\xc4\x00"
        self.assertEqual(data, b64encode(packed))

    def test_unsendable(self) -> None:
        for value in (object(), float("nan"), datetime(2026, 1, 2)):
            message = {"uid": "u", "nsp": "/", "type": 3, "data": {"a": value}}
            with self.assertRaises(UnsendableError):
                streams_wire.write_entry(message, None)


class ReadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.exchange = Exchange()
        self.server = Server(self.exchange, make_line=StreamsLine)
        self.someone = Someone("id1")
        self.server.adapter.add(self.someone)
        self.server.adapter.join(self.someone, "room")

    def take(self, **fields: bytes) -> list:
        self.exchange.add({**entry(b"{}"), **fields})
        self.exchange.turn()
        return self.someone.take()

    def test_broadcasts(self) -> None:
        """As Node and its emitter write them."""
        packet = b'{"packet":{"type":2,"data":["x",1]},"opts":'
        for opts, expected in (
            (b'{"rooms":[],"except":[],"flags":{}}}', [("x", 1)]),
            (b'{"rooms":["room"],"except":[]}}', [("x", 1)]),
            (b'{"rooms":["other"],"except":[],"flags":{}}}', []),
            (b'{"rooms":[],"except":["room"]}}', []),
        ):
            self.assertEqual(self.take(data=packet + opts), expected)
        first = b'{"opts":{"rooms":["room"],"except":[]},"packet":{"type":2,"data":["y"]}}'
        self.assertEqual(self.take(data=first), [("y",)])
        # {packet: {type: 2, data: ["z", <01>]}, opts: {rooms: [], except: []}}
        packed = (
            b"\x82\xa6packet\x82\xa4type\x02\xa4data\x92\xa1z\xc4\x01\x01"
            b"\xa4opts\x82\xa5rooms\x90\xa6except\x90"
        )
        self.assertEqual(self.take(data=b64encode(packed)), [("z", b"\x01")])
        self.assertEqual(self.server.refused, [])

    def test_not_read(self) -> None:
        """What is for a room without anybody here is not read; an event cannot pretend to be."""
        opts = b'"opts":{"rooms":["other"],"except":[]}}'
        self.assertEqual(self.take(data=b'{"packet":"broken",' + opts), [])
        self.assertEqual(self.server.refused, [])
        for said in (
            b'{"a":1,"opts":{"rooms":["other"]}}',
            b'"\\",\\"opts\\":{\\"rooms\\":[\\"other\\"]}}"',
        ):
            data = b'{"opts":{"rooms":[]},"packet":{"type":2,"data":["x",%b]}}' % said
            self.assertEqual(len(self.take(data=data)), 1, data)
        self.assertEqual(
            self.take(data=b'{"opts":{"rooms":[]},"a\\"opts":{"rooms":["other"]}}'), []
        )
        self.assertEqual(len(self.server.refused), 1)

    def test_signs_of_life(self) -> None:
        """Those of older versions mean nothing, and are no mistake."""
        for number in (b"1", b"2", b"13"):
            self.take(type=number, data=b"")
        self.assertEqual(self.server.refused, [])

    def test_our_own(self) -> None:
        data = b'{"packet":{"type":2,"data":["x"]},"opts":{"rooms":[],"except":[]}}'
        self.assertEqual(self.take(uid=self.server.uid.encode(), data=data), [])

    def test_bad_entries(self) -> None:
        """They are dropped and counted, and reach nobody."""
        good = b'"opts":{"rooms":[],"except":[]}}'
        bad = (
            {"data": b"{"},
            {"data": b"not base64!"},
            {"data": b64encode(b"\xc1")},
            {"data": b64encode(b"\x93")},
            {"data": b""},
            {"data": b"{}"},
            {"data": b'{"packet":{"type":2,"data":[]},' + good},
            {"data": b'{"packet":{"type":3,"data":["x"]},' + good},
            {"data": b'{"packet":{"type":2,"data":["x"]},"opts":{"rooms":1}}'},
            {"data": b'{"packet":{"type":2,"data":["x"]},"opts":[]}'},
            {"data": b"[" * 100_000},
            {
                "data": b'{"opts":{"rooms":["mojo:user:ada"]},"rooms":["mojo:user:bob"]}',
                "type": b"4",
            },
            {"type": b"x"},
            {"type": b"99"},
            {"type": b"9" * 5000},
            {"uid": b"\xff"},
        )
        for fields in bad:
            self.assertEqual(self.take(**fields), [], fields)
        self.assertEqual(len(self.server.refused), len(bad), self.server.refused)

    def test_bad_messages(self) -> None:
        bad = (b"", b"\xc1", b"\x01", b"\x80", b"\x81\xa4type\x90", b"\x81\xa4type\xc3")
        for data in bad:
            self.server.adapter._line.received(b"socket.io#/chat#", data)
        self.assertEqual(len(self.server.refused), len(bad), self.server.refused)

    def test_no_sender(self) -> None:
        """There is nobody to answer."""
        entry = {"nsp": b"/chat", "type": b"7", "data": b"{}"}
        with self.assertRaises(PacketError):
            streams_wire.read_entry(entry)
