"""`mojo.socketio.codec`: the examples of the protocol text, and every malformed thing."""

import time

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import PacketError
from mojo.socketio.codec import Decoder, decode_text, read_event
from mojo.socketio.packet import Packet, PacketType


def decode(text: str, max_attachments: int = 10) -> tuple:
    packet = decode_text(text, max_attachments=max_attachments)
    return packet.type, packet.namespace, packet.ack_id, packet.data


class ExampleTests(SynchronousTestCase):
    """Socket.IO protocol v5, "Packet encoding", "Examples"."""

    def test_connect(self) -> None:
        packet = decode_text("0", max_attachments=10)
        self.assertEqual((packet.type, packet.namespace), (PacketType.CONNECT, "/"))
        self.assertEqual(
            decode('0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}'),
            (PacketType.CONNECT, "/admin", None, {"sid": "oSO0OpakMV_3jnilAAAA"}),
        )

    def test_namespace_without_comma(self) -> None:
        self.assertEqual(decode("0/random")[:2], (PacketType.CONNECT, "/random"))

    def test_event(self) -> None:
        self.assertEqual(decode('2["foo"]'), (PacketType.EVENT, "/", None, ["foo"]))
        self.assertEqual(decode('2/admin,["bar"]'), (PacketType.EVENT, "/admin", None, ["bar"]))
        self.assertEqual(decode('212["foo"]'), (PacketType.EVENT, "/", 12, ["foo"]))
        self.assertEqual(decode('2/a,12["b"]'), (PacketType.EVENT, "/a", 12, ["b"]))

    def test_ack(self) -> None:
        self.assertEqual(decode('3/admin,13["bar"]'), (PacketType.ACK, "/admin", 13, ["bar"]))
        self.assertEqual(decode("313[]"), (PacketType.ACK, "/", 13, []))

    def test_disconnect(self) -> None:
        for text in ("1", "1/admin,", "1/admin"):
            self.assertIs(decode(text)[0], PacketType.DISCONNECT)

    def test_binary(self) -> None:
        decoder = Decoder(10)
        self.assertIsNone(decoder.feed('51-["baz",{"_placeholder":true,"num":0}]'))
        self.assertEqual(
            decoder.feed(b"\x01\x02\x03\x04"),
            Packet(PacketType.EVENT, "/", ["baz", b"\x01\x02\x03\x04"]),
        )

    def test_several_attachments(self) -> None:
        """Placeholders may stand anywhere, in any order, at any depth."""
        decoder = Decoder(10)
        decoder.feed(
            '52-/admin,7["baz",{"a":[{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":0}]'
        )
        self.assertIsNone(decoder.feed(b"\x01"))
        packet = decoder.feed(b"\x02")
        self.assertEqual(
            packet, Packet(PacketType.EVENT, "/admin", ["baz", {"a": [b"\x02"]}, b"\x01"], 7)
        )

    def test_binary_ack(self) -> None:
        decoder = Decoder(10)
        decoder.feed('61-15["bar",{"_placeholder":true,"num":0}]')
        self.assertEqual(decoder.feed(b"\x01"), Packet(PacketType.ACK, "/", ["bar", b"\x01"], 15))

    def test_binary_without_attachments(self) -> None:
        """It is complete as it is, and what follows is another packet."""
        decoder = Decoder(10)
        self.assertEqual(decoder.feed('50-["a"]'), Packet(PacketType.EVENT, "/", ["a"]))
        self.assertEqual(decoder.feed('2["b"]'), Packet(PacketType.EVENT, "/", ["b"]))

    def test_numbers_as_names(self) -> None:
        """The protocol's reference takes numbers too, but not true and false."""
        self.assertEqual(decode("2[1]")[3], [1])
        self.assertEqual(decode("2[1.5]")[3], [1.5])

    def test_placeholder_in_a_plain_event(self) -> None:
        """It is an object like any other."""
        data = decode('2["a",{"_placeholder":true,"num":0}]')[3]
        self.assertEqual(data, ["a", {"_placeholder": True, "num": 0}])


class ReadEventTests(SynchronousTestCase):
    """The short way, on which nearly every packet is read."""

    def test_events(self) -> None:
        """It reads what the long way does."""
        for text in (
            '2["foo"]',
            '212["foo",1,{"a":[null]}]',
            '2/admin,["bar","]["]',
            '2/a[b,12["é"]',
            f'2{"9" * 308}["x"]',
        ):
            packet = decode_text(text, max_attachments=10)
            self.assertEqual(read_event(text), (packet.namespace, packet.data, packet.ack_id))

    def test_all_others(self) -> None:
        """They are left to the long way, be they packets or none."""
        for text in (
            "",
            "2",
            "0",
            "1",
            '3["x"]',
            '51-["x",{"_placeholder":true,"num":0}]',
            "2[]",
            "2[1]",
            "2{}",
            '2["x"',
            '2["x"] ',
            '2["connect"]',
            '2-1["x"]',
            '2٢["x"]',
            '2/admin["x"]',
            '2/admin,x["x"]',
            f'2{"9" * 309}["x"]',
            '2["x",NaN]',
            '2["x",1e999]',
            f'2["x",{"[" * 100_000}',
        ):
            self.assertIsNone(read_event(text), text[:20])


class MalformedTests(SynchronousTestCase):
    def refused(self, text: str) -> None:
        with self.assertRaises(PacketError, msg=text[:60]):
            Decoder(10).feed(text)

    def test_types(self) -> None:
        for text in ("", "7", "9", "a", "-1", " 2", "\u0662", '"2"'):
            self.refused(text)

    def test_payloads(self) -> None:
        """Each type has its payload; also where the reference lets one be missing."""
        for text in (
            "0[]", "0null", '0"a"', "0/a,[]",
            '1"a"', "1{}", "1/a,[]",
            "2", "2/a,", "2{}", '2"x"', "2[]", "2[null]", "2[true]", "2[{}]", "2[[]]",
            '2[{"toString":"foo"}]', "2abc", '2abc["x"]', '2["a"', '2["a"]x', '2["a"]["b"]',
            "3", "31", "3[]", '3{"a":1}', "31{}", "31null",
            "4", "41", "4[]",
        ):  # fmt: skip
            self.refused(text)

    def test_reserved_names(self) -> None:
        for name in (
            "connect", "connect_error", "disconnect", "disconnecting", "newListener",
            "removeListener",
        ):  # fmt: skip
            self.refused(f'2["{name}"]')
            self.refused(f'50-["{name}"]')

    def test_attachment_counts(self) -> None:
        """CVE-2026-33151, CVE-2020-36049: capped, and looked at no further than needed."""
        for count in ("", "-1", "11", "5999999", "1.5", "1e3", "0x1", " 1", "\u0661", "1" * 11):
            self.refused(f'5{count}-["a"]')
        for text in ('5["a"]', '51["a"]', "51", "5-"):
            self.refused(text)

    def test_placeholders(self) -> None:
        """CVE-2022-2421: only whole numbers of attachments that came, each once."""
        for number in ("-1", "2", "1e9", "0.0", '"0"', '"splice"', "true", "null", "[0]", "{}"):
            decoder = Decoder(10)
            decoder.feed(f'51-["a",{{"_placeholder":true,"num":{number}}}]')
            with self.assertRaises(PacketError, msg=number):
                decoder.feed(b"\x01")

    def test_placeholder_twice(self) -> None:
        decoder = Decoder(10)
        placeholder = '{"_placeholder":true,"num":0}'
        decoder.feed(f'51-["a",{placeholder},{placeholder}]')
        with self.assertRaises(PacketError):
            decoder.feed(b"\x01")

    def test_attachment_without_place(self) -> None:
        for text in ('51-["a"]', '51-["a",{"_placeholder":1,"num":0}]', '51-["a",{"num":0}]'):
            decoder = Decoder(10)
            decoder.feed(text)
            with self.assertRaises(PacketError, msg=text):
                decoder.feed(b"\x01")

    def test_placeholder_as_name(self) -> None:
        self.refused('51-[{"_placeholder":true,"num":0}]')

    def test_order(self) -> None:
        """Text while an attachment is due, and an attachment that is not."""
        decoder = Decoder(10)
        decoder.feed('51-["a",{"_placeholder":true,"num":0}]')
        with self.assertRaises(PacketError):
            decoder.feed('2["b"]')
        with self.assertRaises(PacketError):
            Decoder(10).feed(b"\x01")

    def test_numbers(self) -> None:
        """What is not JSON, and what no JavaScript number could be."""
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, "01", "+1"):
            self.refused(f'2["a",{number}]')

    def test_depth(self) -> None:
        for depth in (10_000, 100_000):
            self.refused('2["a",' + "[" * depth + "]" * depth + "]")
            self.refused('2["a",' + '{"a":' * depth)
            decoder = Decoder(10)
            text = '51-["a",{"_placeholder":true,"num":0},' + "[" * 900 + "]" * 900 + "]"
            try:
                if decoder.feed(text) is None:
                    decoder.feed(b"\x01")
            except PacketError:
                pass  # either is fine; anything else would be a crash

    def test_linear_time(self) -> None:
        """A megabyte of digits in each place is refused quickly."""
        digits = "1" * 1_000_000
        began = time.process_time()
        for text in (f"5{digits}-", f'2{digits}["a"]', f"2/{digits}", f'2/a,{digits}["a"]'):
            self.refused(text)
        self.assertLess(time.process_time() - began, 2)

    def test_error_shows_no_payload(self) -> None:
        with self.assertRaises(PacketError) as caught:
            Decoder(10).feed('2["secret"')
        self.assertNotIn("secret", str(caught.exception))
        self.assertIsNone(caught.exception.__cause__)


class AckIdTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """As far as a JavaScript number goes: 308 digits."""
        for digits in ("0", "007", str(2**53), "1" * 100, "1" * 308):
            self.assertEqual(decode(f'2{digits}["a"]')[2], int(digits))
        with self.assertRaises(PacketError):
            decode("2" + "1" * 309 + '["a"]')

    def test_lone_surrogate(self) -> None:
        """JSON has an escape for half a character; it is read as that."""
        self.assertEqual(decode('2["a","\\ud800"]')[3], ["a", "\ud800"])
