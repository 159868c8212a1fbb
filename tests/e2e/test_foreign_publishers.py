"""
Others publish on the channels of a cluster, and add to its stream: what is bad hurts nobody.

What they send is random, or was sent by real servers and is changed somewhere, or is well written
and means nothing; on every channel that Redis knows somebody to listen to.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import msgpack
from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from mojo.cluster import streams_wire, wire
from mojo.cluster.streams_wire import MessageType
from mojo.errors import PacketError
from mojo.redis.resp import RespReader, command
from tests.e2e.processes import HERE, NODE, start
from tests.e2e.test_mesh import NO_STREAMS, MeshTestCase

SEED, CHANGED, AT_ONCE = 20_131, 3000, 500
MESH = "/MeshSocket"


class Tap(Protocol):
    """Keeps what is published."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, bytes]] = []
        self._reader = RespReader(1_000_000)

    def connectionMade(self) -> None:
        self.transport.write(command("PSUBSCRIBE", "*"))

    def dataReceived(self, data: bytes) -> None:
        self.heard += [
            (reply[2], reply[3]) for reply in self._reader.feed(data) if reply[0] == b"pmessage"
        ]


#: What means the most: MessagePack's kinds of values, and JSON's signs and numbers.
TOKENS = (
    b"\xc0", b"\xdd\xff\xff\xff\xff", b"\xcb\x7f\xf8" + bytes(6), b"\xdb\xff\xff\xff\xff",
    b"\xc7\x05\x00", b"null", b"NaN", b"1e999", b"[", b"{}", b"\\ud800", b"-1", b"9" * 30,
)  # fmt: skip


def change(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a message somewhere."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        at = random.randrange(len(changed) + 1)
        end = min(len(changed), at + random.randrange(9))
        match random.randrange(7):
            case 0:
                changed[at:at] = random.randbytes(random.randrange(1, 5))
            case 1:
                del changed[at:end]
            case 2:
                del changed[at:]
            case 3:
                changed[at:end] = changed[at:end] * 2
            case 4:
                other = random.choice(others)
                changed[at:] = other[random.randrange(len(other) + 1) :]
            case 5:
                changed[at:end] = random.choice(TOKENS)
            case _ if at < len(changed):
                changed[at] ^= 1 << random.randrange(8)
    return bytes(changed)


def deep(depth: int) -> bytes:
    return b"\x91" * depth + b"\x01"


#: What no reader of MessagePack or JSON likes.
NOISE = (
    b"", b"{", b"}", b"[]", b"null", b"\x00", b"\xc1", b"\x93", b"\x80", b"\xff" * 100,
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
    b"\xc6\x7f\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x00", b"\x81\x90\x01", b"\x81\xc0\x01",
    b"\xd8\x05" + bytes(16), b"\xd7\xff" + b"\xff" * 8, b"\xd7\x00" + b"\x7f" * 8,
    b"\xc7\x0c\xff" + b"\xff" * 12, deep(100_000), b"\x93\xa1a" + deep(900), b"{" * 100_000,
    b'{"type":' + b"[" * 100_000, b'{"type":' + b"9" * 5000, b'{"a":"\xff\xfe"}',
    b'{"type":1e999}', b"x" * 3_000_000, b"\xc6\x00\x10\x00\x00" + bytes(1_048_576),
)  # fmt: skip


def senseless(uid: str) -> Iterable[dict[str, Any]]:
    """Give messages in which something is not what it is to be; some are as if of ``uid``."""
    strange = (
        None, True, -1, 1.5, float("nan"), float("inf"), 2**63, "", "\ud800", "x" * 10_000, [], {},
        [[]], {"a": {}}, ["a"] * 1000, [None], [{"id": {}}], b"\xff",
    )  # fmt: skip
    packet = {"type": 2, "data": ["question", 1], "nsp": MESH}
    opts = {"rooms": [], "except": [], "flags": {}}
    whole = {
        "uid": "somebody", "nsp": MESH, "requestId": "of nobody", "packet": packet, "opts": opts,
        "rooms": ["room"], "room": "room", "sid": "nobody", "close": False, "data": ["hello", 1],
        "sockets": [], "clientCount": 5, "args": [1], "mojo": 1, "act": "no such act",
    }  # fmt: skip
    for kind in (*range(-1, 16), 99, 100, 2**40, "5", None, 3.0):
        yield {**whole, "type": kind, "opts": {**opts, "rooms": ["nobody is here"]}}
        yield {**whole, "type": kind, "uid": uid}
    for kind in (0, 1, 2, 3, 5, 6, 7, 8, 9, 100):
        for field in whole:
            for value in strange:
                yield {**whole, "type": kind, field: value}
        for flags in strange:
            yield {**whole, "type": kind, "opts": {**opts, "flags": flags}}
            yield {**whole, "type": kind, "opts": {**opts, "flags": {"timeout": flags}}}
            yield {**whole, "type": kind, "packet": {**packet, "data": flags}}
            yield {**whole, "type": kind, "packet": {**packet, "data": ["x", flags]}}
            yield {**whole, "type": kind, "opts": {**opts, "rooms": flags}}
            yield {**whole, "type": kind, "data": ["hello", flags]}


def pack(value: Any) -> bytes:
    return msgpack.packb(value, unicode_errors="surrogatepass")


def dump(value: Any) -> bytes:
    return json.dumps(value, default=lambda value: "bytes").encode()


class ForeignPublisherTests(MeshTestCase):
    """In the format of publish and subscribe."""

    timeout = 120

    async def setUp(self) -> None:
        await super().setUp()
        self.random = Random(SEED)
        tap = Tap()
        await connectProtocol(UNIXClientEndpoint(reactor, str(self.redis.socket)), tap)
        for name in ("broadcasts", "answers", "sockets", "servers", "logins"):
            await self.scenario(name)
        tap.transport.loseConnection()
        self.heard = sorted(set(tap.heard))
        entries = await self.redis.ask("XRANGE", "socket.io", "-", "+")
        # A field and its value in turn.
        self.entries = [fields for _, fields in RespReader(100_000).feed(entries)[0]]
        # Node's server would not survive what comes now.
        await self.processes.pop(0).stop()
        self.bases.pop(1)

    async def channels(self) -> list[bytes]:
        """Give the channels that somebody listens to, and one for each pattern."""
        listened = await self.redis.ask("PUBSUB", "CHANNELS")
        (channels,) = RespReader(1000).feed(listened)
        # Patterns have no command that lists them: what was heard did not come by others.
        return sorted({*channels, *(channel for channel, _ in self.heard)})

    def is_order(self, data: bytes) -> bool:
        """Tell whether it is well written, and sends clients away."""
        try:
            return wire.read_message(data).get("type") == wire.Kind.REMOTE_DISCONNECT
        except PacketError:
            return False

    def make_own(self, uid: str) -> list[bytes]:
        """Give what is well written and means nothing."""
        made: list[bytes] = []
        for message in senseless(uid):
            made += (pack(message), dump(message))
            broadcast = [message[name] for name in ("uid", "packet", "opts")]
            made.append(pack(broadcast))
        return made

    async def publish(self, messages: Iterable[tuple[bytes, bytes]]) -> None:
        await self.send([command("PUBLISH", *message) for message in messages])

    async def send(self, commands: Sequence[bytes]) -> None:
        for at in range(0, len(commands), AT_ONCE):
            answer = await self.redis.send(b"".join(commands[at : at + AT_ONCE]))
            self.assertNotIn(b"-ERR", answer)
            await self.look()

    async def look(self) -> None:
        """Have the clients look whether all is well."""
        self.client.transport.write(b"look\n")
        self.looks += 1
        found = await self.client.wait_for(rf"LOOK {self.looks}\.|Error")
        if found[0] == "Error":
            await self.succeed(self.client)

    async def test_bad_input(self) -> None:
        script = HERE / "js" / "run.mjs"
        self.client = start(NODE, script, "mesh.bothered", *self.bases)
        self.processes.append(self.client)
        self.looks = 0
        await self.client.wait_for(r"LOOK 0\.")
        channels = await self.channels()
        (uid, *_) = re.findall(rb"(?:response|own)#/MeshSocket#([^#]+)#", b"\n".join(channels)) or [
            b"x"
        ]
        await self.publish((channel, data) for channel in channels for data in NOISE)
        own = self.make_own(uid.decode())
        await self.publish(
            (channel, data) for data in own if not self.is_order(data)
            for channel in self.random.sample(channels, 2)
        )  # fmt: skip
        everything = [data for _, data in self.heard]
        changed = (
            (channel, change(self.random, data, everything))
            for channel, data in self.random.choices(self.heard, k=CHANGED)
        )
        await self.publish(message for message in changed if not self.is_order(message[1]))
        await self.add_entries(own, everything)
        self.client.transport.write(b"end\n")
        await self.succeed(self.client)
        self.check()

    async def add_entries(self, own: Sequence[bytes], everything: Sequence[bytes]) -> None:
        """Nothing here reads a stream."""

    def check(self) -> None:
        """Each server has counted, and has told each kind once; nothing was raised."""
        counted = re.findall(r"COUNTED \S+ (\d+) (\d+)\.", self.client.output)
        self.assertEqual(len(counted), 2)
        for (refused, reconnects), (process, _) in zip(counted, self.mojos, strict=True):
            self.assertGreater(int(refused), 1000)
            self.assertEqual(reconnects, "0")
            self.assertNotIn("Traceback", process.output)
            kinds = re.findall(r"cluster: (.*); more", process.output)
            self.assertEqual(len(set(kinds)), len(kinds))
            self.assertLess(len(kinds), 120)


class StreamPublisherTests(ForeignPublisherTests):
    """In that of streams, with recovery."""

    skip = NO_STREAMS
    adapter = "streams"
    node_more = ("recovery",)
    mojo_more = ("--settings", "SOCKET_IO.recovery={}")

    def is_order(self, data: bytes) -> bool:
        try:
            message = streams_wire.unpack_message(data)
        except PacketError:
            return False
        return message.get("type") == MessageType.DISCONNECT_SOCKETS

    def make_own(self, uid: str) -> list[bytes]:
        made = []
        for message in senseless(uid):
            head = {name: message.pop(name) for name in ("uid", "nsp", "type")}
            made.append(pack({**head, "data": message}))
        return made

    async def add_entries(self, own: Sequence[bytes], everything: Sequence[bytes]) -> None:
        made = []
        for number in range(CHANGED):
            fields = list(self.random.choice(self.entries))
            for _ in range(self.random.choice((1, 1, 2))):
                at = self.random.randrange(len(fields))
                fields[at] = change(self.random, fields[at], everything)
            if number % 20 == 0:
                fields = fields[:-1] or [b"x"]
            made.append(fields if len(fields) % 2 == 0 else [*fields, b""])
        for packed in own:
            message = msgpack.unpackb(packed, unicode_errors="surrogatepass")
            head = ["nsp", MESH, "type", str(message["type"]), "data"]
            made.append(["uid", str(message["uid"]), *head, dump(message["data"])])
            made.append(["uid", "x", *head, b64encode(pack(message["data"]))])
        for data in NOISE:
            made.append(["uid", "x", "nsp", MESH, "type", "3", "data", data])
            made.append(["uid", "x", "nsp", MESH, "type", data, "data", "{}"])
            made.append(["uid", data, "nsp", MESH, "type", "3", "data", b64encode(data)])
            made.append([data, data, "nsp", MESH])
        away = b"%d" % MessageType.DISCONNECT_SOCKETS
        await self.send([
            command("XADD", "socket.io", "*", *fields)
            for fields in made
            if away not in fields and str(MessageType.DISCONNECT_SOCKETS.value) not in fields
        ])  # fmt: skip
