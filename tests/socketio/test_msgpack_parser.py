"""`mojo.socketio.msgpack_parser`: bytes worked out by hand from the MessagePack specification."""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import PacketError, UnsendableError
from mojo.socketio import event
from mojo.socketio.encoders import encode_common
from mojo.socketio.msgpack_parser import MsgpackParser
from mojo.socketio.packet import Packet, PacketType
from tests.socketio.world import World, remembering

PARSER = MsgpackParser()


def wire(message, namespace="/") -> bytes:
    (packet,) = message.packets(namespace)
    return packet.data


def packet(data=b"", *, type=b"\x02", nsp=b"\xa1/", more=b"", count=3) -> bytes:
    """A packet of fields that are MessagePack already."""
    fields = b"\xa4type" + type + (b"\xa4data" + data if data else b"") + b"\xa3nsp" + nsp + more
    return bytes([0x80 + count]) + fields


def read(data: bytes) -> Packet:
    return PARSER.decoder(10).feed(data)


def argument(value: bytes):
    """Read the one argument of an event."""
    (name, result) = read(packet(b"\x92\xa1a" + value)).data
    assert name == "a"
    return result


class WireFormTests(SynchronousTestCase):
    def test_events(self) -> None:
        self.assertEqual(
            wire(PARSER.event("foo", [])), b"\x83\xa4type\x02\xa4data\x91\xa3foo\xa3nsp\xa1/"
        )
        self.assertEqual(
            wire(PARSER.event("foo", [1, None], 12), "/admin"),
            b"\x84\xa4type\x02\xa4data\x93\xa3foo\x01\xc0\xa3nsp\xa6/admin\xa2id\x0c",
        )

    def test_bytes(self) -> None:
        """They are part of the packet, which stays one message."""
        for value in (b"\x01\x02", bytearray(b"\x01\x02"), memoryview(b"\x01\x02")):
            self.assertEqual(
                wire(PARSER.event("a", [{"b": value}])),
                b"\x83\xa4type\x02\xa4data\x92\xa1a\x81\xa1b\xc4\x02\x01\x02\xa3nsp\xa1/",
            )

    def test_others(self) -> None:
        self.assertEqual(
            wire(PARSER.ack(300, ["x"])),
            b"\x84\xa4type\x03\xa4data\x91\xa1x\xa3nsp\xa1/\xa2id\xcd\x01\x2c",
        )
        self.assertEqual(
            wire(PARSER.connect({"sid": "abc"})),
            b"\x83\xa4type\x00\xa4data\x81\xa3sid\xa3abc\xa3nsp\xa1/",
        )
        self.assertEqual(wire(PARSER.disconnect(), "/a"), b"\x82\xa4type\x01\xa3nsp\xa2/a")
        self.assertEqual(
            wire(PARSER.connect_error("no", b"\x07")),
            b"\x83\xa4type\x04\xa4data\x82\xa7message\xa2no\xa4data\xc4\x01\x07\xa3nsp\xa1/",
        )

    def test_dates(self) -> None:
        """With a time zone they are a Date; milliseconds, rounded down, before 1970 too."""
        zone = timezone(timedelta(hours=1))
        for moment, content in (
            (datetime(1970, 1, 1, tzinfo=UTC), bytes(8)),
            (datetime(1970, 1, 1, 1, 0, 0, 1999, zone), bytes(7) + b"\x01"),
            (datetime(1969, 12, 31, 23, 59, 59, 999000, UTC), b"\xff" * 8),
            (datetime(2026, 1, 1, tzinfo=UTC), struct.pack(">q", 1767225600000)),
        ):
            self.assertIn(b"\x92\xa1a\xd7\x00" + content, wire(PARSER.event("a", [moment])))
            self.assertEqual(
                argument(b"\xd7\x00" + content),
                moment.replace(microsecond=moment.microsecond // 1000 * 1000),
            )

    def test_encoded_once(self) -> None:
        """However many names the namespace has, and who receives it."""
        asked = []

        def encode(value):
            asked.append(value)
            return "there"

        message = MsgpackParser(encode).event("a", [object()])
        self.assertIs(message.packets("/"), message.packets("/"))
        message.packets("/a")
        message.stamped("x").packets("/b")
        self.assertEqual(len(asked), 1)

    def test_stamped(self) -> None:
        """One argument more, also where the list's header grows; the first stays as it was."""
        for count, before, after in (
            (0, b"\x91\xa1a", b"\x92\xa1a"),
            (14, b"\x9f\xa1a", b"\xdc\x00\x10\xa1a"),
            (15, b"\xdc\x00\x10\xa1a", b"\xdc\x00\x11\xa1a"),
            (65534, b"\xdc\xff\xff\xa1a", b"\xdd\x00\x01\x00\x00\xa1a"),
        ):
            message = PARSER.event("a", [7] * count, volatile=True, compress=False)
            stamped = message.stamped("off")
            self.assertEqual(wire(message), packet(before + b"\x07" * count))
            self.assertEqual(wire(stamped), packet(after + b"\x07" * count + b"\xa3off"))
            self.assertEqual(stamped.event, ("a", (*[7] * count, "off")))
            self.assertEqual((stamped.volatile, stamped.compress), (True, False))

    def test_keys_are_text(self) -> None:
        """As in JSON, so that a client sees no difference."""
        name = StrEnum("Name", ["N"]).N
        value = {1: 1, False: 2, None: 3, 1.5: 4, name: 5, "x": ({2: 6},)}
        self.assertEqual(
            wire(PARSER.event("a", [value])),
            packet(
                b"\x92\xa1a\x86\xa11\x01\xa5false\x02\xa4null\x03\xa31.5\x04\xa1n\x05"
                b"\xa1x\x91\x81\xa12\x06"
            ),
        )

    def test_size(self) -> None:
        self.assertEqual(PARSER.event("foo", []).size, 5)


class ReadTests(SynchronousTestCase):
    def test_packets(self) -> None:
        for data, expected in (
            (packet(type=b"\x00", count=2), Packet(PacketType.CONNECT, "/")),
            # The client writes what is undefined, too.
            (packet(b"\xd4\x00\x00", type=b"\x00"), Packet(PacketType.CONNECT, "/")),
            (packet(b"\x80", type=b"\x00"), Packet(PacketType.CONNECT, "/", {})),
            (packet(type=b"\x01", nsp=b"\xa2/a", count=2), Packet(PacketType.DISCONNECT, "/a")),
            (packet(b"\x91\xa1a"), Packet(PacketType.EVENT, "/", ["a"])),
            (packet(b"\x91\x05"), Packet(PacketType.EVENT, "/", [5])),
            (
                packet(
                    b"\x91\xa1a",
                    more=b"\xa2id\x0c\xa7options\x81\xa8compress\xc3",
                    count=5,
                ),
                Packet(PacketType.EVENT, "/", ["a"], 12),
            ),
            (
                packet(b"\x91\xa1a", more=b"\xa2id\xd4\x00\x00", count=4),
                Packet(PacketType.EVENT, "/", ["a"]),
            ),
            (
                packet(b"\x90", type=b"\x03", more=b"\xa2id\x00", count=4),
                Packet(PacketType.ACK, "/", [], 0),
            ),
            (packet(b"\xa2no", type=b"\x04"), Packet(PacketType.CONNECT_ERROR, "/", "no")),
        ):
            self.assertEqual(read(data), expected)

    def test_extensions(self) -> None:
        """What is of one length or eight is told apart by its first byte, wherever it is."""
        for value, expected in (
            (b"\xd4\x00\x00", None),
            (b"\xc7\x01\x00\x09", b"\x09"),
            (b"\xc7\x00\x00", b""),
            (b"\xc7\x08\x00" + b"12345678", b"12345678"),
            (b"\xc8\x00\x08\x00" + b"12345678", b"12345678"),
            (b"\xc9\x00\x00\x00\x08\x00" + b"12345678", b"12345678"),
            (b"\xd6\xff\x00\x00\x00\x01", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ):
            self.assertEqual(argument(value), expected)

    def test_extensions_behind_everything(self) -> None:
        """Every kind of value may stand before an extension, and none looks like one."""
        before = (
            b"\x05", b"\xff", b"\xc0", b"\xc2", b"\xc3", b"\xa2\xc3\x97",
            b"\xc4\x02\xd4\x00", b"\xc5\x00\x01\xd4", b"\xc6\x00\x00\x00\x01\xd4",
            b"\xd9\x02ab", b"\xda\x00\x01a", b"\xdb\x00\x00\x00\x01a",
            b"\xca" + bytes(4), b"\xcb" + bytes(8), b"\xcc\xd4", b"\xcd\xd4\x00",
            b"\xce\xd4\x00\x00\x00", b"\xcf\xd4" + bytes(7), b"\xd0\xd4", b"\xd1\xd4\x00",
            b"\xd2\xd4\x00\x00\x00", b"\xd3\xd4" + bytes(7), b"\x81\xa1k\x91\x01",
            b"\xdc\x00\x01\x01", b"\xdd\x00\x00\x00\x01\x01", b"\xde\x00\x01\xa1k\x01",
            b"\xdf\x00\x00\x00\x01\xa1k\x01", b"\xd6\xff\x00\x00\x00\x01",
            b"\xd7\xff" + bytes(8), b"\xc7\x0c\xff" + bytes(12),
        )  # fmt: skip
        data = b"\xdc" + struct.pack(">H", 2 * len(before))
        data += b"".join(value + b"\xd4\x00\x00" for value in before)
        result = argument(data)
        self.assertEqual(len(result), 2 * len(before))
        self.assertEqual(result[1::2], [None] * len(before))

    def test_numbers(self) -> None:
        self.assertEqual(argument(b"\xcf" + b"\xff" * 8), 2**64 - 1)
        self.assertEqual(argument(b"\xcb\x7f\xf0" + bytes(6)), float("inf"))

    def test_round_trip(self) -> None:
        """What we write is what we read."""
        args = [1, -2.5, "ü\u2028\U0001f600\ud800", b"\x00\xff", {"a": [b"", None, {"b": b"x"}]}]
        args += [datetime(2026, 2, 3, 4, 5, 6, 789000, UTC), 2**64 - 1, -(2**63)]
        result = read(wire(PARSER.event("name", args, 7), "/a"))
        self.assertEqual(result, Packet(PacketType.EVENT, "/a", ["name", *args], 7))


class MalformedTests(SynchronousTestCase):
    def refused(self, data: bytes | str) -> str:
        with self.assertRaises(PacketError, msg=repr(data)[:80]) as caught:
            read(data)
        return str(caught.exception)

    def test_not_messagepack(self) -> None:
        good = packet(b"\x91\xa1a")
        for data in (b"", b"\xc1", good[:-1], good + b"\x00", good + good, b"\x84" + good[1:]):
            self.refused(data)
        self.assertEqual(self.refused('2["a"]'), "text, where MessagePack had to come")

    def test_no_map(self) -> None:
        for data in (b"\x90", b"\x05", b"\xc0", b"\xa1a", b"\xd4\x00\x00"):
            self.assertEqual(self.refused(data), "a packet is a map")

    def test_types(self) -> None:
        """Whole numbers of five types; those of binary packets are none here."""
        for value in (
            b"\x05", b"\x06", b"\x07", b"\xff", b"\xc3", b"\xc0", b"\xa12", b"\x90", b"\x80",
            b"\xcb\x40" + bytes(7), b"\xd4\x00\x00",
        ):  # fmt: skip
            self.assertEqual(
                self.refused(packet(b"\x91\xa1a", type=value)), "unknown Socket.IO packet type"
            )
        self.refused(b"\x82\xa4data\x91\xa1a\xa3nsp\xa1/")

    def test_namespaces(self) -> None:
        """Only names that JSON's grammar could carry too."""
        for name in (b"\xc0", b"\x01", b"\xa0", b"\xa1a", b"\xc4\x01/", b"\xa3/,a", b"\x90"):
            self.assertEqual(self.refused(packet(b"\x91\xa1a", nsp=name)), "malformed namespace")
        self.refused(packet(b"\x91\xa1a", nsp=b"\xa4/\xed\xa0\x80"))
        self.refused(b"\x82\xa4type\x02\xa4data\x91\xa1a")

    def test_ids(self) -> None:
        for value in (b"\xff", b"\xc3", b"\xa11", b"\xcb\x3f\xf0" + bytes(6), b"\x90"):
            self.assertEqual(
                self.refused(packet(b"\x91\xa1a", more=b"\xa2id" + value, count=4)),
                "malformed acknowledgement id",
            )

    def test_payloads(self) -> None:
        """Each type has its payload; see the same test of the JSON codec."""
        for type, data in (
            (b"\x00", b"\x90"), (b"\x00", b"\xa1a"), (b"\x00", b"\xc4\x01a"), (b"\x01", b"\x80"),
            (b"\x02", b"\x90"), (b"\x02", b"\x80"), (b"\x02", b"\xa1a"), (b"\x02", b"\x91\xc0"),
            (b"\x02", b"\x91\xc3"), (b"\x02", b"\x91\x90"), (b"\x02", b"\x91\x80"),
            (b"\x02", b"\x91\xc4\x01a"), (b"\x02", b"\x91\xd7\x00" + bytes(8)),
            (b"\x02", b"\x91\xa7connect"), (b"\x02", b"\x91\xaadisconnect"),
            (b"\x02", b"\x91\xcb\x7f\xf0" + bytes(6)), (b"\x02", b"\x91\xcb\x7f\xf8" + bytes(6)),
            (b"\x03", b"\x90"), (b"\x04", b"\x90"), (b"\x04", b"\x01"),
        ):  # fmt: skip
            self.assertIn("invalid payload", self.refused(packet(data, type=type)))
        for type in (b"\x02", b"\x03", b"\x04"):
            self.refused(packet(type=type, count=2))

    def test_keys(self) -> None:
        """No client writes other keys than text, and no handler expects them."""
        for key in (
            b"\x01",
            b"\xc0",
            b"\xc4\x01a",
            b"\x90",
            b"\xd4\x00\x00",
            b"\xd7\x00" + bytes(8),
        ):
            self.refused(packet(b"\x92\xa1a\x81" + key + b"\x01"))

    def test_text(self) -> None:
        self.refused(packet(b"\x92\xa1a\xa1\xff"))

    def test_extensions(self) -> None:
        """Types that nobody writes, lengths that the type has not, dates out of range."""
        for value in (
            b"\xd4\x01\x00", b"\xc7\x01\x7f\x00", b"\xd5\x00\x00\x00", b"\xd6\x00" + bytes(4),
            b"\xd8\x00" + bytes(16), b"\xd7\x00\x7f" + bytes(7), b"\xd7\x00\x80" + bytes(7),
            b"\xd4\xff\x00", b"\xc7\x0c\xff\xff" + bytes(11),
            b"\xc7\x0c\xff" + bytes(4) + b"\x7f" * 8,
        ):  # fmt: skip
            self.refused(packet(b"\x92\xa1a" + value))

    def test_depth(self) -> None:
        for opening in (b"\x91", b"\x81\xa1k"):
            self.refused(packet(b"\x92\xa1a" + opening * 100_000 + b"\xc0"))

    def test_claims(self) -> None:
        """A header that claims more than there is costs nothing."""
        for header in (b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xc9"):
            self.refused(packet(b"\x92\xa1a" + header + b"\xff\xff\xff\xff"))

    def test_error_shows_no_payload(self) -> None:
        with self.assertRaises(PacketError) as caught:
            read(packet(b"\x91\xa1a") + b"\xa6secret")
        self.assertNotIn("secret", str(caught.exception))
        self.assertIsNone(caught.exception.__cause__)


class UnsendableTests(SynchronousTestCase):
    def test_values(self) -> None:
        """The error names the event; what JSON refuses is refused, but what this format has."""
        circle: list = []
        circle.append(circle)
        deep: list = []
        for _ in range(100_000):
            deep = [deep]
        for value in (
            object(), {1, 2}, circle, deep, {(1, 2): 3}, {b"a": 1}, datetime(2026, 1, 1), 2**64,
            Decimal(1), -(2**63) - 1,
        ):  # fmt: skip
            with self.assertRaises(UnsendableError) as caught:
                PARSER.event("said", [value])
            self.assertTrue(str(caught.exception).startswith("event 'said': "))
            self.assertIsNotNone(caught.exception.__cause__)

    def test_names(self) -> None:
        for name in ("connect", "disconnect", 1, None, b"a"):
            with self.assertRaises(UnsendableError):
                PARSER.event(name, [])


class EncoderTests(SynchronousTestCase):
    def sent(self, value, encoder=encode_common):
        return read(wire(MsgpackParser(encoder).event("a", [value]))).data[1]

    def test_encoder(self) -> None:
        """It is asked for what MessagePack has not, at any depth; bytes stay bytes."""

        @dataclass
        class Point:
            x: Decimal
            raw: dict

        point = Point(Decimal("1.10"), {1: b"\x01", "set": {IntEnum("Number", ["ONE"]).ONE}})
        self.assertEqual(self.sent([point]), [{"x": "1.10", "raw": {"1": b"\x01", "set": [1]}}])

    def test_dates(self) -> None:
        """An encoder that knows dates decides; one that does not leaves them to the format."""
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.assertEqual(self.sent(moment), "2026-01-01T00:00:00+00:00")

        def knows_nothing(value):
            raise TypeError("never heard of it")

        self.assertEqual(self.sent(moment, knows_nothing), moment)
        with self.assertRaises(UnsendableError) as caught:
            self.sent(object(), knows_nothing)
        self.assertEqual(str(caught.exception), "event 'a': never heard of it")

    def test_encoder_fails(self) -> None:
        """Whatever it raises is an UnsendableError where the event is emitted."""
        with self.assertRaises(UnsendableError) as caught:
            self.sent(object(), lambda value: value.nothing)
        self.assertIsInstance(caught.exception.__cause__, AttributeError)


class ConnectionTests(SynchronousTestCase):
    """A server whose packets are MessagePack, over both transports."""

    def setUp(self) -> None:
        @event
        def echo(handler, *args):
            return args

        self.handler = remembering(echo=echo)
        self.world = World({"/ChatSocket": self.handler}, parser=PARSER)

    def clients(self):
        for transport in ("websocket", "polling"):
            client = self.world.client(transport)
            client.send(packet(type=b"\x00", nsp=b"\xab/ChatSocket", count=2))
            (answer,) = client.received()
            self.assertTrue(answer.startswith(b"\x83\xa4type\x00\xa4data\x81\xa3sid\xa4cid"))
            yield client

    def test_exchange(self) -> None:
        """Bytes, acknowledgements and broadcasts, each one message."""
        for client in self.clients():
            client.send(
                packet(
                    b"\x92\xa4echo\xc4\x01\xff",
                    nsp=b"\xab/ChatSocket",
                    more=b"\xa2id\x07",
                    count=4,
                )
            )
            self.assertEqual(
                client.received(),
                [b"\x84\xa4type\x03\xa4data\x91\xc4\x01\xff\xa3nsp\xab/ChatSocket\xa2id\x07"],
            )
            self.handler.handlers[-1].namespace.emit("a")
            self.assertEqual(client.received(), [packet(b"\x91\xa1a", nsp=b"\xab/ChatSocket")])

    def test_refusal(self) -> None:
        for transport in ("websocket", "polling"):
            client = self.world.client(transport)
            client.send(packet(type=b"\x00", nsp=b"\xa2/x", count=2))
            self.assertEqual(
                client.received(),
                [packet(b"\x81\xa7message\xb1Invalid namespace", type=b"\x04", nsp=b"\xa2/x")],
            )

    def test_json_client(self) -> None:
        """A client that speaks JSON is not understood, and closed."""
        for transport in ("websocket", "polling"):
            client = self.world.client(transport)
            client.send("0")
            self.assertTrue(client.closed)
