"""`mojo.socketio.json_parser`: what it makes, by hand from the protocol text."""

from datetime import date
from enum import Enum

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.packet import message as engine_message
from mojo.engineio.packet import size_of
from mojo.errors import UnsendableError
from mojo.socketio import json_parser
from mojo.socketio.json_parser import JsonParser
from mojo.socketio.message import Message
from mojo.socketio.packet import PacketType

PARSER = JsonParser()


def wire(sent: Message, namespace: str = "/") -> list[str | bytes]:
    return [packet.data for packet in sent.packets(namespace)]


class WireFormTests(SynchronousTestCase):
    """The examples of the protocol text."""

    def test_events(self) -> None:
        self.assertEqual(wire(PARSER.event("foo", [])), ['2["foo"]'])
        self.assertEqual(wire(PARSER.event("bar", []), "/admin"), ['2/admin,["bar"]'])
        self.assertEqual(wire(PARSER.event("foo", [], 12)), ['212["foo"]'])
        self.assertEqual(
            wire(PARSER.event("a", [1, "é", None, {"b": [True]}])),
            ['2["a",1,"é",null,{"b":[true]}]'],
        )

    def test_binary(self) -> None:
        message = PARSER.event("baz", [b"\x01\x02", {"x": bytearray(b"\x03")}, memoryview(b"\x04")])
        self.assertEqual(
            wire(message, "/admin"),
            [
                (
                    '53-/admin,["baz",{"_placeholder":true,"num":0},'
                    '{"x":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":2}]'
                ),
                b"\x01\x02",
                b"\x03",
                b"\x04",
            ],
        )

    def test_acks(self) -> None:
        self.assertEqual(wire(PARSER.ack(13, ["bar"]), "/admin"), ['3/admin,13["bar"]'])
        self.assertEqual(wire(PARSER.ack(0, [])), ["30[]"])
        self.assertEqual(
            wire(PARSER.ack(15, ["bar", b"\x01"])),
            ['61-15["bar",{"_placeholder":true,"num":0}]', b"\x01"],
        )

    def test_packets_of_an_ack(self) -> None:
        """An answer for one client has the form of a message's, whatever is in it."""
        for answer in ((), ("bar",), (1, None, {"a": [True]}), ("é", "\ud800"), ("x", b"\x01")):
            for namespace in ("/", "/admin"):
                packets = PARSER.ack_packets(13, answer, namespace)
                self.assertEqual(
                    [packet.data for packet in packets], wire(PARSER.ack(13, answer), namespace)
                )
                for packet in packets:
                    self.assertIn(packet.size, (0, size_of(engine_message(packet.data))))
        self.assertEqual(PARSER.ack_packets(13, ("bar",), "/admin")[0].data, '3/admin,13["bar"]')

    def test_ack_that_cannot_be_sent(self) -> None:
        with self.assertRaisesRegex(UnsendableError, "acknowledgement: object cannot be sent"):
            PARSER.ack_packets(1, (object(),), "/")

    def test_encoder_of_the_project(self) -> None:
        """It makes what an answer holds, too."""
        parser = JsonParser(lambda value: value.isoformat())
        packets = parser.ack_packets(1, (date(2026, 1, 2),), "/")
        self.assertEqual(packets[0].data, '31["2026-01-02"]')

    def test_others(self) -> None:
        self.assertEqual(wire(PARSER.connect({"sid": "abc"})), ['0{"sid":"abc"}'])
        self.assertEqual(wire(PARSER.connect({"sid": "abc"}), "/a"), ['0/a,{"sid":"abc"}'])
        self.assertEqual(wire(PARSER.disconnect()), ["1"])
        self.assertEqual(wire(PARSER.disconnect(), "/a"), ["1/a,"])
        self.assertEqual(wire(PARSER.connect_error("no")), ['4{"message":"no"}'])
        self.assertEqual(
            wire(PARSER.connect_error("no", {"code": 1}), "/a"),
            ['4/a,{"message":"no","data":{"code":1}}'],
        )

    def test_one_encoding_per_name(self) -> None:
        """Every recipient under one name gets the same packets."""
        message = PARSER.event("foo", [])
        self.assertIs(message.packets("/a"), message.packets("/a"))
        self.assertEqual(wire(message, "/"), ['2["foo"]'])
        self.assertEqual(wire(message, "/a"), ['2/a,["foo"]'])

    def test_without_the_c_encoder(self) -> None:
        """A Python that has none makes the same."""
        self.patch(json_parser, "_C_ENCODER", None)
        self.assertEqual(
            wire(PARSER.event("é", [1.5, b"x", {"1": None}])),
            ['51-["é",1.5,{"_placeholder":true,"num":0},{"1":null}]', b"x"],
        )
        self.assertRaises(UnsendableError, PARSER.event, "a", [float("nan")])

    def test_decoder_of_another(self) -> None:
        """Who has a decoder of their own reads every packet with it."""
        self.assertEqual(PARSER.read_event('2["x"]'), ("/", ["x"], None))

        class Own(JsonParser):
            def decoder(self, max_attachments):
                return super().decoder(1)

        class Other(Own):
            encoder = None

        for parser in (Own(), Other()):
            self.assertIsNone(parser.read_event('2["x"]'))

    def test_round_trip(self) -> None:
        """What we write is what we read."""
        args = [1, -2.5, "ü\u2028\U0001f600", b"\x00\xff", {"a": [b"", None, {"b": b"x"}]}, []]
        decoder = PARSER.decoder(10)
        packet = None
        for data in wire(PARSER.event("name", args, 7), "/a,b".partition(",")[0]):
            packet = decoder.feed(data)
        self.assertEqual(packet.data, ["name", *args])
        self.assertEqual((packet.namespace, packet.ack_id), ("/a", 7))


class MessageTests(SynchronousTestCase):
    """What the layers around a message ask of it."""

    def test_followers(self) -> None:
        """Each packet tells how many after it belong to it: none may be lost alone."""
        packets = PARSER.event("a", [b"x", b"y"]).packets("/")
        self.assertEqual([packet.followers for packet in packets], [2, 1, 0])

    def test_flags(self) -> None:
        """Every packet of a message is volatile, or compressed, if the message is."""
        usual = PARSER.event("a", [b"x"])
        self.assertEqual((usual.volatile, usual.compress), (False, True))
        special = PARSER.event("a", [b"x"], volatile=True, compress=False)
        for message in (usual, special):
            self.assertEqual(
                [(p.volatile, p.compress) for p in message.packets("/a")],
                [(message.volatile, message.compress)] * 2,
            )

    def test_size(self) -> None:
        self.assertEqual(PARSER.event("foo", []).size, len('["foo"]'))
        self.assertEqual(
            PARSER.event("foo", [b"12345"]).size,
            len('["foo",{"_placeholder":true,"num":0}]') + 5,
        )

    def test_event(self) -> None:
        """An event's name and arguments as they were given, for who listens to what is sent."""
        self.assertEqual(PARSER.event("foo", [b"x", 1]).event, ("foo", (b"x", 1)))
        self.assertIsNone(PARSER.ack(1, []).event)
        self.assertIsNone(PARSER.disconnect().event)

    def test_stamped(self) -> None:
        """The same event with one argument more; the first stays as it was."""
        message = PARSER.event("foo", [b"x", "\ud800"], 7, volatile=True, compress=False)
        stamped = message.stamped('off"set')
        self.assertEqual(
            wire(stamped, "/a"),
            ['51-/a,7["foo",{"_placeholder":true,"num":0},"\\ud800","off\\"set"]', b"x"],
        )
        self.assertEqual(stamped.event, ("foo", (b"x", "\ud800", 'off"set')))
        self.assertEqual((stamped.volatile, stamped.compress), (True, False))
        self.assertEqual(
            wire(message, "/a"), ['51-/a,7["foo",{"_placeholder":true,"num":0},"\\ud800"]', b"x"]
        )
        self.assertEqual(wire(PARSER.event("foo", []).stamped("o")), ['2["foo","o"]'])

    def test_packets_of_any_type(self) -> None:
        """Older dialects have payloads of their own."""
        self.assertEqual(wire(PARSER.message(PacketType.CONNECT)), ["0"])
        self.assertEqual(wire(PARSER.message(PacketType.CONNECT_ERROR, "no"), "/a"), ['4/a,"no"'])


class UnsendableTests(SynchronousTestCase):
    def test_reserved_names(self) -> None:
        """An official client closes when it reads one."""
        for name in ("connect", "disconnect", "newListener"):
            with self.assertRaises(UnsendableError):
                PARSER.event(name, [])

    def test_name_is_text(self) -> None:
        for name in (1, None, b"a", ["a"]):
            with self.assertRaises(UnsendableError):
                PARSER.event(name, [])

    def test_values(self) -> None:
        """The error names the event, and what is wrong; the cause is kept."""
        circle: list = []
        circle.append(circle)
        deep: list = []
        for _ in range(100_000):
            deep = [deep]
        red = Enum("Colour", ["RED"]).RED
        for value in (
            date(2026, 1, 1), object(), {1, 2}, red, circle, deep,
            float("nan"), float("inf"), {(1, 2): 3}, {b"a": 1},
        ):  # fmt: skip
            with self.assertRaises(UnsendableError) as caught:
                PARSER.event("said", [value])
            self.assertTrue(str(caught.exception).startswith("event 'said': "))
            self.assertIsNotNone(caught.exception.__cause__)

    def test_message_of_the_error(self) -> None:
        with self.assertRaises(UnsendableError) as caught:
            PARSER.event("said", [date(2026, 1, 1)])
        self.assertEqual(str(caught.exception), "event 'said': date cannot be sent")

    def test_bytes_in_a_refusal(self) -> None:
        with self.assertRaises(UnsendableError):
            PARSER.connect_error("no", b"bytes")

    def test_lone_surrogate(self) -> None:
        """Half a character has no UTF-8, but an escape in JSON; with bytes beside it too."""
        self.assertEqual(wire(PARSER.event("a", ["\ud800é"])), ['2["a","\\ud800\\u00e9"]'])
        self.assertEqual(
            wire(PARSER.event("a", ["\ud800", b"x"])),
            ['51-["a","\\ud800",{"_placeholder":true,"num":0}]', b"x"],
        )
