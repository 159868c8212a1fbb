"""A `Bus` in memory: what was published comes when the test says so, in order."""

from __future__ import annotations

import itertools

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from mojo.cluster.adapter import ClusterAdapter
from mojo.cluster.bridge import Bridge
from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.stats import ClusterStats
from mojo.socketio.adapter import LocalAdapter, SocketFacts
from mojo.socketio.json_parser import JsonParser


class Exchange:
    """
    What joins the buses of some servers.

    Attributes:
        published: each channel and message there was.
    """

    def __init__(self) -> None:
        self.listeners = []
        self.position = "0-0"
        self.kept: dict[str, bytes] = {}
        self.followers: dict[bytes, list] = {}
        self.entries: list[tuple[str, dict]] = []
        self.published: list[tuple[bytes, bytes]] = []
        self._under_way: list = []
        self._asked: list = []

    def bus(self) -> MemoryBus:
        """Make the bus of one more server."""
        return MemoryBus(self)

    def cut(self, bus) -> None:
        """Let a bus be down."""
        bus.is_up = False

    def cut_off(self, bus) -> None:
        """Let what comes by the stream come no more to a bus."""
        bus.cut_off()

    def put(self, channel: bytes, data: bytes) -> None:
        self.published.append((channel, data))
        self._under_way.append((channel, data))

    def run(self, command) -> None:
        """Do what an emitter tells Redis."""
        if command[0] == "PUBLISH":
            self.put(*command[1:])
        else:
            self.add(dict(zip(command[6::2], command[7::2], strict=True)))

    def add(self, entry) -> None:
        """Put an entry into the stream."""
        self.entries.append((f"{len(self.entries) + 1}-0", entry))
        self.published.append((entry["nsp"], entry["data"]))
        self._under_way.append(self.entries[-1])

    def count(self, channel: bytes) -> Deferred:
        """Answer as Redis does: when what was published before has been taken."""
        counted: Deferred = Deferred()
        self._under_way.append((counted, channel))
        return counted

    def read(self, first: str, count: int) -> Deferred:
        """Answer in the next turn, whatever was handed on by then: it goes another way."""
        read: Deferred = Deferred()
        self._asked.append((read, first, count))
        return read

    def turn(self) -> None:
        """Hand on what is under way, and what comes of that."""
        while self._under_way or self._asked:
            asked, self._asked = self._asked, []
            for read, first, count in asked:
                number = int(first[1:].partition("-")[0]) if first.startswith("(") else 0
                read.callback(self.entries[number : number + count])
            if not self._under_way:
                continue
            what, data = self._under_way.pop(0)
            if isinstance(what, Deferred):
                what.callback(sum(data in one.channels for one in self.listeners))
                continue
            if isinstance(what, str):
                self.position = what
                for follower in list(self.followers.get(data["nsp"], ())):
                    follower(what, data)
                continue
            for listener in list(self.listeners):
                if what in listener.channels or what.startswith(listener.prefix):
                    listener.received(what, data)


class MemoryBus:
    """One server's bus."""

    def __init__(self, exchange: Exchange) -> None:
        self.is_up = True
        self._followed: dict = {}
        self._exchange = exchange

    def listen(self, listener) -> None:
        self._exchange.listeners.append(listener)

    def unlisten(self, listener) -> None:
        self._exchange.listeners.remove(listener)

    def publish(self, channel, data, *, waits=True, lasts=False) -> None:
        if self.is_up:
            self._exchange.put(channel, data)

    def append(self, entry, *, waits=True) -> bool:
        if self.is_up:
            self._exchange.add(entry)
        return self.is_up

    @property
    def position(self) -> str:
        return self._exchange.position

    def keep(self, name, value, seconds) -> None:
        self._exchange.kept[name] = value

    def take_kept(self, name):
        return succeed(self._exchange.kept.pop(name, None))

    def read(self, first, last, count):
        return self._exchange.read(first, count)

    def follow(self, namespace, follower, cut_off) -> None:
        name = namespace.encode("utf-8", "surrogatepass")
        self._followed[namespace] = follower
        self.cut_off = cut_off
        self._exchange.followers.setdefault(name, []).append(follower)

    def unfollow(self, namespace) -> None:
        name = namespace.encode("utf-8", "surrogatepass")
        self._exchange.followers[name].remove(self._followed.pop(namespace))

    def count(self, channel):
        return self._exchange.count(channel) if self.is_up else succeed(None)


class Server:
    """A server with one namespace; it is a `mojo.cluster.requests.Server` and a `Carried`."""

    _ids = itertools.count(1)
    prefix = "socket.io"

    def __init__(
        self,
        exchange,
        local=None,
        name="/chat",
        clock=None,
        parser=None,
        make_line=PubSubLine,
        make_local=None,
        bus=None,
        bridged=False,
    ) -> None:
        self.name = name
        self.uid = f"server{next(self._ids)}"
        self.new_id = lambda: f"request{next(self._ids)}"
        self.new_ack_id = itertools.count(1).__next__
        self.names: dict[str, str] = {}
        self.stats = ClusterStats() if bus is None else bus._stats
        self.clock = clock or Clock()
        self.parser = parser or JsonParser()
        self.bus = exchange.bus() if bus is None else bus
        self.refused: list[tuple[str, str]] = []
        self.server_events: list[tuple] = []
        self.local = LocalAdapter() if local is None else local
        if make_local is not None:
            self.local = make_local(self)
        if bridged:
            self.bridge = Bridge(self, "socketio")
            self.adapter = self.bridge.make_adapter(self, self.local, make_line)
        else:
            self.adapter = ClusterAdapter(self, self, self.local, make_line)

    def refuse(self, where, why) -> None:
        self.refused.append((where, str(why)))

    def server_event(self, name, args, answer) -> None:
        self.server_events.append((name, list(args)))
        if answer is not None:
            answer(f"{self.uid} heard")


class Someone:
    """A connection of an adapter."""

    def __init__(self, cid: str, user_id=None) -> None:
        self.id = cid
        self.user_id = user_id
        self.got: list[tuple] = []
        self.messages: list = []
        self.asked: list[tuple] = []
        self.forgotten: list[int] = []
        self.ended: bool | None = None
        self.data: dict = {}
        self.rooms = lambda: ()

    @property
    def facts(self):
        rooms = frozenset(room for room in self.rooms() if isinstance(room, str))
        handshake = {"address": "198.51.100.7", "path": "/socket.io/"}
        return SocketFacts(self.id, "the session", self.user_id, rooms, self.data, handshake)

    def send(self, message) -> None:
        name, args = message.event
        self.got.append((name, *args))
        self.messages.append(message)

    def send_expecting(self, message, ack_id, answered, failed) -> None:
        self.send(message)
        self.asked.append((answered, failed))

    def forget_ack(self, ack_id) -> None:
        self.forgotten.append(ack_id)

    def disconnect(self, *, close=False) -> None:
        self.ended = close

    def take(self) -> list:
        got, self.got = self.got, []
        return got
