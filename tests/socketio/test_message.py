"""`mojo.socketio.message`."""

from datetime import date
from enum import Enum

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import UnsendableError
from mojo.socketio import message as messages
from mojo.socketio.codec import Decoder


def wire(message: messages.Message, namespace: str = "/") -> list[str | bytes]:
    return [packet.data for packet in message.packets(namespace)]


class WireFormTests(SynchronousTestCase):
    """The examples of the protocol text."""

    def test_events(self) -> None:
        self.assertEqual(wire(messages.event("foo", [])), ['2["foo"]'])
        self.assertEqual(wire(messages.event("bar", []), "/admin"), ['2/admin,["bar"]'])
        self.assertEqual(wire(messages.event("foo", [], 12)), ['212["foo"]'])
        self.assertEqual(
            wire(messages.event("a", [1, "é", None, {"b": [True]}])),
            ['2["a",1,"é",null,{"b":[true]}]'],
        )

    def test_binary(self) -> None:
        message = messages.event(
            "baz", [b"\x01\x02", {"x": bytearray(b"\x03")}, memoryview(b"\x04")]
        )
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
        self.assertEqual(wire(messages.ack(13, ["bar"]), "/admin"), ['3/admin,13["bar"]'])
        self.assertEqual(wire(messages.ack(0, [])), ["30[]"])
        self.assertEqual(
            wire(messages.ack(15, ["bar", b"\x01"])),
            ['61-15["bar",{"_placeholder":true,"num":0}]', b"\x01"],
        )

    def test_others(self) -> None:
        self.assertEqual(wire(messages.connect("abc")), ['0{"sid":"abc"}'])
        self.assertEqual(wire(messages.connect("abc"), "/a"), ['0/a,{"sid":"abc"}'])
        self.assertEqual(wire(messages.disconnect()), ["1"])
        self.assertEqual(wire(messages.disconnect(), "/a"), ["1/a,"])
        self.assertEqual(wire(messages.connect_error("no")), ['4{"message":"no"}'])
        self.assertEqual(
            wire(messages.connect_error("no", {"code": 1}), "/a"),
            ['4/a,{"message":"no","data":{"code":1}}'],
        )

    def test_one_encoding_per_name(self) -> None:
        """Every recipient under one name gets the same packets."""
        message = messages.event("foo", [])
        self.assertIs(message.packets("/a"), message.packets("/a"))
        self.assertEqual(wire(message, "/"), ['2["foo"]'])
        self.assertEqual(wire(message, "/a"), ['2/a,["foo"]'])

    def test_round_trip(self) -> None:
        """What we write is what we read."""
        args = [1, -2.5, "ü\u2028\U0001f600", b"\x00\xff", {"a": [b"", None, {"b": b"x"}]}, []]
        decoder = Decoder(10)
        packet = None
        for data in wire(messages.event("name", args, 7), "/a,b".partition(",")[0]):
            packet = decoder.feed(data)
        self.assertEqual(packet.data, ["name", *args])
        self.assertEqual((packet.namespace, packet.ack_id), ("/a", 7))


class UnsendableTests(SynchronousTestCase):
    def test_reserved_names(self) -> None:
        """An official client closes when it reads one."""
        for name in ("connect", "disconnect", "newListener"):
            with self.assertRaises(UnsendableError):
                messages.event(name, [])

    def test_name_is_text(self) -> None:
        for name in (1, None, b"a", ["a"]):
            with self.assertRaises(UnsendableError):
                messages.event(name, [])

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
                messages.event("said", [value])
            self.assertTrue(str(caught.exception).startswith("event 'said': "))
            self.assertIsNotNone(caught.exception.__cause__)

    def test_message_of_the_error(self) -> None:
        with self.assertRaises(UnsendableError) as caught:
            messages.event("said", [date(2026, 1, 1)])
        self.assertEqual(str(caught.exception), "event 'said': date cannot be sent")

    def test_bytes_in_a_refusal(self) -> None:
        with self.assertRaises(UnsendableError):
            messages.connect_error("no", b"bytes")

    def test_lone_surrogate(self) -> None:
        """Half a character has no UTF-8, but an escape in JSON; with bytes beside it too."""
        self.assertEqual(wire(messages.event("a", ["\ud800é"])), ['2["a","\\ud800\\u00e9"]'])
        self.assertEqual(
            wire(messages.event("a", ["\ud800", b"x"])),
            ['51-["a","\\ud800",{"_placeholder":true,"num":0}]', b"x"],
        )
