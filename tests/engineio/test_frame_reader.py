"""
Common frames, read without Autobahn: the same as with it, to the byte and the moment.

What breaks RFC 6455 is in `tests.engineio.test_websocket`, cut at every position.
"""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.transports.closed import read_close
from mojo.engineio.transports.frames import mask_frame
from mojo.engineio.transports.gathering import gather
from mojo.engineio.transports.masking import portable_in_place, unmask, unmask_in_place
from mojo.testing.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, client_frame
from tests.engineio.endpoint import Endpoint

MASK = b"\x37\xfa\x21\x3d"


class MaskingTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """Each of the ways, at each size, from wherever the mask begins."""
        for size in (*range(20), 79, 399, 400, 401, 1000, 70_001):
            plain = (bytes(range(251)) * (size // 251 + 1))[:size]
            masked = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(plain))
            self.assertEqual(unmask(masked, MASK), plain)
            for in_place in (unmask_in_place, portable_in_place):
                data = bytearray(b"head" + masked + b"tail")
                with memoryview(data) as whole, whole[4:-4] as part:
                    in_place(part, MASK)
                self.assertEqual(data, b"head" + plain + b"tail")
                data += b"it can still grow"

    def test_somebody_has_it_too(self) -> None:
        """Bytes that somebody else has are not changed under his hands."""
        for size in (400, 401, 70_000):
            masked = (MASK * size)[:size]
            also = [masked]
            self.assertEqual(unmask(masked, MASK), bytes(size))
            self.assertEqual(unmask(b"".join(also), MASK), bytes(size))
            self.assertEqual(also, [(MASK * size)[:size]])

    def test_no_copy(self) -> None:
        """A long payload that nobody else has stays where it is."""
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        pieces = [b"x" * 500_000, b"y" * 500_000]
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        unmask(b"".join(pieces), MASK)
        _, peak = tracemalloc.get_traced_memory()
        self.assertLess(peak - before, 1_100_000)

    def test_leading_zeros(self) -> None:
        """A payload that begins with zeros keeps its length."""
        self.assertEqual(unmask(MASK + b"\x01", MASK), b"\0\0\0\0\x36")


class GatheringTests(SynchronousTestCase):
    def test_as_sent(self) -> None:
        """At any moment it gives back what the client sent."""
        for payload in (b"4" + "\N{EURO SIGN}".encode() * 100, b"x" * 70_000):
            for first in (0x81, 0x82):
                frame = mask_frame(first, payload, MASK)
                head = len(frame) - len(payload)
                gathering = gather(first, len(payload), MASK)
                for start in range(head, len(frame), 997):
                    self.assertEqual(gathering.as_sent(), frame[:start])
                    gathering.add(frame[start : start + 997])
                self.assertEqual(gathering.missing, 0)
                expected = payload.decode() if first == 0x81 else payload
                self.assertEqual(gathering.message(), expected)

    def test_announced_is_not_allocated(self) -> None:
        """A head that promises a megabyte costs no megabyte."""
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for first in (0x81, 0x82):
            before, _ = tracemalloc.get_traced_memory()
            gathering = gather(first, 1_000_000, bytes(4))
            gathering.add(b"xy")
            after, _ = tracemalloc.get_traced_memory()
            self.assertLess(after - before, 2000)

    def test_byte_by_byte(self) -> None:
        """However small the pieces are, what has come costs about its own size."""
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for first in (0x81, 0x82):
            before, _ = tracemalloc.get_traced_memory()
            gathering = gather(first, 50_000, bytes(4))
            for index in range(50_000):
                gathering.add(b"%c" % (index & 127))
            after, _ = tracemalloc.get_traced_memory()
            self.assertLess(after - before, 150_000)
            self.assertEqual(len(gathering.message()), 50_000)


class CommonFrameTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint(max_payload=100_000)
        self.socket = self.endpoint.open_websocket()
        self.transport = self.endpoint.session.transport

    def test_no_autobahn(self) -> None:
        """There is none for common frames, whole, cut or many at once."""
        for size in (1, 125, 126, 65_535, 65_536, 100_000):
            self.socket.send_raw(client_frame(BINARY, b"x" * size))
            frame = client_frame(TEXT, b"4" + b"x" * (size - 1))
            middle = max(3, size // 2)
            self.socket.send_raw(frame[:3])
            self.socket.send_raw(frame[3:middle])
            self.socket.send_raw(frame[middle:] + frame * 2)
            self.assertIsNone(self.transport._autobahn)
        self.assertEqual(len(self.endpoint.log), 6 * 4)

    def test_autobahn_comes_and_goes(self) -> None:
        """A ping brings it and a message in fragments keeps it, until both are over."""
        self.socket.send_raw(client_frame(PING, b"a"))
        self.assertIsNone(self.transport._autobahn)
        self.assertEqual(self.socket.frames(), [Frame(PONG, b"a")])
        self.socket.send_raw(client_frame(TEXT, b"4a", fin=False))
        self.assertIsNotNone(self.transport._autobahn)
        self.socket.send_raw(client_frame(PING, b"b") + client_frame(CONTINUATION, b"b")[:5])
        self.assertIsNotNone(self.transport._autobahn)
        self.socket.send_raw(client_frame(CONTINUATION, b"b")[5:])
        self.assertIsNone(self.transport._autobahn)
        self.socket.send("4c")
        self.assertEqual(self.endpoint.log, ["ab", "c"])

    def test_it_is_collected(self) -> None:
        """Nothing is left of it, without a run of the garbage collector."""
        self.socket.send_raw(client_frame(TEXT, b"4a", fin=False))
        seen = []

        class Canary:
            def __del__(self) -> None:
                seen.append("gone")

        self.transport._autobahn.canary = Canary()
        self.socket.send_raw(client_frame(CONTINUATION, b"b"))
        self.assertEqual(seen, ["gone"])

    def test_close_in_the_middle_of_a_frame(self) -> None:
        """The rest of a frame whose beginning was read is no beginning of another."""
        for cut in range(1, 12):
            endpoint = Endpoint()
            socket = endpoint.open_websocket()
            frame = client_frame(TEXT, b"4\x81\x80abcd"[:1] + b"hello")
            socket.send_raw(frame[:cut])
            endpoint.session.close()
            socket.send_raw(frame[cut:])
            self.assertEqual([f.code for f in socket.frames()], [1000])
            self.assertIsNone(socket.closed)
            socket.send_raw(client_frame(CLOSE, b"\x03\xe8"))
            self.assertEqual(socket.closed, "aborted")
            self.assertEqual(endpoint.log, [("closed", "forced close")])

    def test_close_between_two_frames_of_a_piece(self) -> None:
        """What the app has closed reads no more messages, and reads the answer."""
        application = self.endpoint.applications[0]
        application.message_received = lambda data: self.endpoint.session.close()
        self.socket.send_raw(client_frame(TEXT, b"4a") * 3 + client_frame(CLOSE, b"\x03\xe8"))
        self.assertEqual(self.socket.closed, "aborted")
        self.assertEqual(self.endpoint.log, [("closed", "forced close")])

    def test_bad_utf8_is_noticed_at_once(self) -> None:
        """
        In a frame of which most is yet to come, as Autobahn would notice it.

        A surrogate is only noticed with its third byte, which Python's decoder waits for.
        """
        for bad in (b"\xff", b"\xed\xa0\x80", b"\xf4\x90", b"\xc3x"):
            endpoint = Endpoint()
            socket = endpoint.open_websocket()
            frame = client_frame(TEXT, b"4" + bad + b"x" * 1000)
            for index in range(8 + 1 + len(bad)):
                self.assertEqual(socket.frames(), [])
                socket.send_raw(frame[index : index + 1])
            self.assertEqual([f.code for f in socket.frames()], [1007])
            self.assertEqual(endpoint.log, [("closed", "transport error")])

    def test_a_message_that_fails(self) -> None:
        """None of the others in its piece is lost, nor one of which only a part has come."""
        raising = client_frame(TEXT, b"4raise")
        last = client_frame(TEXT, b"4last")
        self.socket.send_raw(client_frame(TEXT, b"4first") + raising + raising + last[:9])
        self.socket.send_raw(last[9:])
        self.assertEqual(self.endpoint.log, ["first", "last"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)


class CloseTests(SynchronousTestCase):
    def test_usual(self) -> None:
        """It is answered and the socket closed, and nothing was made for it."""
        for payload in (b"", b"\x03\xe8", b"\x03\xe9", b"\x03\xe8bye \xe2\x82\xac"):
            endpoint = Endpoint()
            socket = endpoint.open_websocket()
            host = endpoint.session.transport._host
            ping = client_frame(PING, b"too late")
            socket.send_raw(client_frame(TEXT, b"4a") + client_frame(CLOSE, payload) + ping)
            socket.send_raw(client_frame(TEXT, b"4too late"))
            self.assertEqual(socket.frames(), [Frame(CLOSE, b"\x03\xe8")])
            self.assertEqual(socket.closed, "closed")
            self.assertEqual(endpoint.log, ["a", ("closed", "transport close")])
            self.assertIsNone(host._autobahn)

    def test_nothing_follows(self) -> None:
        """Neither data nor a second Close frame, whoever says so."""
        endpoint = Endpoint()
        socket = endpoint.open_websocket()
        session = endpoint.session
        endpoint.applications[0].session_closed = lambda reason: session.close()
        session.send("on its way")
        socket.send_raw(client_frame(CLOSE, b"\x03\xe8"))
        endpoint.turn()
        session.send("too late")
        session.close()
        endpoint.turn()
        self.assertEqual([f.opcode for f in socket.frames()], [CLOSE])

    def test_others_are_autobahns(self) -> None:
        """Whatever it must look at: another code, a bad one, bad text, no mask, or half a frame."""
        usual = client_frame(CLOSE, b"\x03\xe8bye")
        self.assertTrue(read_close(b"before" + usual, 6).client_closed)
        self.assertFalse(read_close(client_frame(CLOSE), 0).client_closed)
        for frame in (
            client_frame(CLOSE, b"\x03"),
            client_frame(CLOSE, b"\x03\xed"),
            client_frame(CLOSE, b"\x0f\xa0"),
            client_frame(CLOSE, b"\x03\xe8\xe2\x82"),
            client_frame(CLOSE, b"\x03\xe8" + b"x" * 124),
            client_frame(CLOSE, b"\x03\xe8", mask=None) + b"1234",
            client_frame(CLOSE, b"\x03\xe8", rsv=4),
            client_frame(CLOSE, b"\x03\xe8", fin=False),
            client_frame(PING, b"\x03\xe8"),
            *(usual[:end] for end in range(2, len(usual))),
        ):
            self.assertIsNone(read_close(frame, 0), frame)


def stream(chance: random.Random) -> Iterator[bytes]:
    """Frames of a client that mostly keeps to the rules, until it does not."""
    inside = False
    for _ in range(chance.randrange(1, 25)):
        size = chance.choice((0, 1, 4, 30, 125, 126, 300, 999, 1000))
        payload = chance.choice((b"4", "4\N{EURO SIGN}\N{GRINNING FACE}".encode())) * (
            size // 8 + 1
        )
        payload = b"4" + payload[: max(0, size - 1)]
        mask = chance.randbytes(4)
        kind = chance.random()
        if kind < 0.5 and not inside:
            is_text = chance.random() < 0.7
            payload = payload.decode(errors="ignore").encode() if is_text else payload
            yield client_frame(TEXT if is_text else BINARY, payload, mask=mask)
        elif kind < 0.65:
            yield client_frame(chance.choice((PING, PONG)), payload[:125], mask=mask)
        elif kind < 0.85:
            fin = chance.random() < 0.4
            opcode = CONTINUATION if inside else chance.choice((TEXT, BINARY))
            yield client_frame(opcode, payload[:200], fin=fin, mask=mask)
            inside = not fin
        elif kind < 0.90:
            reason = chance.choice(
                (b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03", b"\x03\xed", b"\x0b\xb8\xff")
            )
            yield client_frame(CLOSE, reason, mask=mask)
        elif kind < 0.92:
            yield client_frame(TEXT, b"4" + chance.randbytes(chance.randrange(300)), mask=mask)
        elif kind < 0.94:
            yield client_frame(
                TEXT, chance.choice((b"4raise", b"9", b"", b"1", b"2", b"3", b"6")), mask=mask
            )
        elif kind < 0.96:
            yield client_frame(chance.randrange(16), payload, rsv=chance.randrange(8), mask=mask)
        elif kind < 0.97:
            yield client_frame(TEXT, payload, mask=chance.choice((None, mask)))
        elif kind < 0.98:
            yield chance.choice((b"\x81\xfe\x00\x7d", b"\x82\xff" + bytes(7) + b"\xff")) + mask * 50
        elif kind < 0.99:
            yield client_frame(BINARY, b"x" * 1001, mask=mask)
        else:
            yield chance.randbytes(chance.randrange(40))


def pieces(chance: random.Random, data: bytes) -> Iterator[bytes]:
    """Cut a stream as TCP may."""
    longest = chance.choice((1, 3, 20, 200, 5000))
    start = 0
    while start < len(data):
        end = start + chance.randrange(1, longest + 1)
        yield data[start:end]
        start = end


class DifferentialTests(SynchronousTestCase):
    def open(self, *, autobahn: bool) -> tuple:
        endpoint = Endpoint(max_payload=1000)
        socket = endpoint.open_websocket()
        if autobahn:
            transport = endpoint.session.transport
            transport._host.autobahn._protocol_class.idle = property(lambda _: False)
            transport._call_autobahn()
        return endpoint, socket

    def test_same_events_and_same_closes(self) -> None:
        """
        Random streams, cut at random, are read as by Autobahn alone.

        After each piece the app knows the same, the client has been sent the same bytes, and
        the socket is in the same state.  Now and then the server closes in between.
        """
        codes = set()
        by_ourselves = 0
        for seed in range(400):
            chance = random.Random(seed)
            data = b"".join(stream(chance))
            ours, our_socket = self.open(autobahn=False)
            theirs, their_socket = self.open(autobahn=True)
            for piece in pieces(chance, data):
                closes = chance.random() < 0.002
                for endpoint, socket in ((ours, our_socket), (theirs, their_socket)):
                    if closes:
                        endpoint.session.close()
                    socket.send_raw(piece)
                    endpoint.turn()
                sent, expected = our_socket.frames(), their_socket.frames()
                self.assertEqual(sent, expected, seed)
                self.assertEqual(ours.log, theirs.log, seed)
                self.assertEqual(our_socket.closed, their_socket.closed, seed)
                transports = (our_socket.wire.transport, their_socket.wire.transport)
                self.assertEqual(transports[0].half_closed, transports[1].half_closed, seed)
                self.assertEqual(ours.engine.stats.dump(), theirs.engine.stats.dump(), seed)
                codes.update(frame.code for frame in sent if frame.opcode == CLOSE)
            by_ourselves += ours.session.transport._autobahn is None
            self.flushLoggedErrors(ValueError)
        # The streams reach each way to end, and some that do not.
        self.assertEqual(codes, {1000, 1002, 1007, 1008, 1009})
        self.assertGreater(by_ourselves, 40)
