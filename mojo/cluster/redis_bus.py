"""
A `Bus` on Redis: one connection that listens, one that publishes, and one that reads a stream.

A connection that went is made again by itself, and what is listened to is subscribed to
again; that it is, is not assumed: Redis confirms each subscription, and every few seconds it is
asked whether somebody listens to the channels to which only we do.

What is published while it cannot leave waits in an `Outbox`; so does what Redis refuses for reasons
of its own (`Refusal`).  Volatile events and questions, whose time is running, do not.  When
Redis is back, what waits then waits for the other servers (`Settling`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mojo.cluster import streams_wire
from mojo.cluster.bus import Entry, Follower, Listener
from mojo.cluster.kept_stream import KeptStream
from mojo.cluster.outbox import Command, Outbox
from mojo.cluster.redis_stream import StreamReader
from mojo.cluster.refusal import Refusal, is_state
from mojo.cluster.settling import Settling
from mojo.cluster.stats import ClusterStats
from mojo.redis.address import RedisAddress
from mojo.redis.connection import RedisConnection, User
from mojo.redis.patterns import literal
from mojo.redis.resp import TOO_LONG, RespError
from mojo.redis.sentinel import finder_of

_log = Logger()

#: Seconds between two looks at whether we are heard and hear.
CHECK_SECONDS = 5.0


class RedisBus:
    """
    A bus; see `mojo.cluster.bus.Bus`.

    Args:
        address: where the Redis is.
        reactor: makes connections and tells the time.
        stats: what is counted.
        max_message: most bytes of a message that is taken or sent.
        random: gives numbers from 0 to 1; see `RedisConnection`.
        stream: the key of the stream, where there is one.

    Attributes:
        kept: what is kept in Redis.
    """

    def __init__(
        self,
        address: RedisAddress,
        reactor: Any,
        stats: ClusterStats,
        *,
        max_message: int,
        random: Callable[[], float],
        stream: str | None = None,
    ) -> None:
        self.address = address
        self._reactor = reactor
        self._stats = stats
        self._max_message = max_message

        finder = finder_of(address, reactor, random)

        def connection(user: User, name: str) -> RedisConnection:
            return RedisConnection(
                finder, reactor, user, name=name, max_message=max_message, random=random
            )

        self._ear, self._mouth = connection(self, "mojo-sub"), connection(self, "mojo-pub")
        self._stream = b"" if stream is None else stream.encode()
        self._reader = None
        if stream is not None:
            self._reader = StreamReader(self._stream, connection, stats, self._look)
        self.kept = KeptStream(self, self._mouth, self._reader, self._stream, reactor)
        self._by_channel: dict[bytes, Listener] = {}
        self._by_pattern: dict[bytes, Listener] = {}
        # What Redis has confirmed of them, on the connection that there is.
        self._heard: set[bytes] = set()
        self._hears = False
        self._outbox = Outbox(reactor, stats)
        # How many messages Redis has not answered.
        self._under_way = 0
        self._settling = Settling(reactor, self._count_servers, self._flush)
        self._refusal = Refusal(reactor, self._try, self._look)
        self._checking = LoopingCall(self._check)
        self._checking.clock = reactor
        self._is_running = False
        # Since when it is down, if that was told.
        self._down_since: float | None = None
        self._logged: set[str] = set()

    def __repr__(self) -> str:
        return f"<RedisBus at {self.address}>"

    def start(self) -> None:
        """Connect."""
        self._is_running = True
        self._down_since = None
        self._ear.start()
        self._mouth.start()
        if self._reader is not None:
            self._reader.start()
        self._checking.start(CHECK_SECONDS, now=False)

    def stop(self) -> Deferred[Any]:
        """Let the connections go, after what was published has left."""
        self._is_running = False
        self._stats.up = False
        self._settling.forget()
        self._refusal.forget()
        if self._checking.running:
            self._checking.stop()
        self._outbox.forget()
        connections = [self._ear, self._mouth]
        stopping = [connection.stop() for connection in connections]
        return gatherResults(stopping if self._reader is None else [*stopping, self._reader.stop()])

    # -- Bus ------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether messages leave now, and come."""
        return self._stats.up

    def listen(self, listener: Listener) -> None:
        """Give a listener what is published; see `Bus`."""
        pattern = literal(listener.prefix) + b"*"
        self._by_pattern[pattern] = listener
        for channel in listener.channels:
            self._by_channel[channel] = listener
        if self._ear.is_up:
            self._subscribe(list(listener.channels), [pattern])
        self._look()

    def unlisten(self, listener: Listener) -> None:
        """Give it nothing any longer; see `Bus`."""
        pattern = literal(listener.prefix) + b"*"
        del self._by_pattern[pattern]
        for channel in listener.channels:
            del self._by_channel[channel]
        if self._ear.is_up:
            self._ear.push("UNSUBSCRIBE", *listener.channels)
            self._ear.push("PUNSUBSCRIBE", pattern)
        self._heard.difference_update((pattern, *listener.channels))
        self._look()

    def publish(
        self, channel: bytes, data: bytes, *, waits: bool = True, lasts: bool = False
    ) -> None:
        """Send a message; see `Bus`."""
        self._post((b"PUBLISH", channel), data, waits=waits, lasts=lasts)

    def append(self, entry: Entry, *, waits: bool = True) -> bool:
        """Add an entry to the stream; see `Bus`."""
        # The last field is the long one.
        *command, data = streams_wire.addition(self._stream, entry)
        assert isinstance(data, bytes)
        return self._post(tuple(command), data, waits=waits)

    def follow(self, namespace: str, follower: Follower, cut_off: Callable[[], object]) -> None:
        """Give a follower the entries of a namespace; see `Bus`."""
        if self._reader is not None:
            self._reader.follow(namespace.encode("utf-8", "surrogatepass"), follower, cut_off)

    def unfollow(self, namespace: str) -> None:
        """Give it nothing any longer; see `Bus`."""
        if self._reader is not None:
            self._reader.unfollow(namespace.encode("utf-8", "surrogatepass"))

    def _post(
        self,
        command: Command,
        data: bytes,
        *,
        waits: bool = True,
        lasts: bool = False,
    ) -> bool:
        """Send a command whose last part is ``data``, or let it wait."""
        if len(data) > self._max_message:
            self._stats.unsent += 1
            self._log_once("a message of {size} bytes is too long to be sent", size=len(data))
        elif self._flows and not (waits and (self._outbox or self._settling.is_on)):
            self._send(command, data, waits=waits, lasts=lasts)
            return self._stats.up
        elif lasts or (waits and self._is_running):
            self._outbox.put(command, data, lasts=lasts)
            return self._stats.up
        else:
            self._stats.unsent += 1
        return False

    def count(self, channel: bytes) -> Deferred[int | None]:
        """Tell how many listen to a channel; see `Bus`."""
        if not self._mouth.is_up:
            return succeed(None)
        counted: Deferred[int | None] = Deferred()

        def answered(reply: Any) -> None:
            good = isinstance(reply, list) and len(reply) == 2 and isinstance(reply[1], int)
            counted.callback(reply[1] if good else None)

        self._mouth.send("PUBSUB", "NUMSUB", channel, answered=answered)
        return counted

    # -- from the connections ----------------------------------------------------

    def connected(self, connection: RedisConnection) -> None:
        """There is a connection."""
        if connection is self._ear:
            self._heard.clear()
            self._subscribe(list(self._by_channel), list(self._by_pattern))
        self._look()

    def lost(self, connection: RedisConnection, why: str) -> None:
        """There is none any more, or it could not be made."""
        if connection is self._ear:
            self._heard.clear()
            self._hears = False
        elif connection is self._mouth:
            self._stats.unsent += self._under_way
            self._under_way = 0
            self._refusal.forget()
        if self._is_running:
            self._stats.reconnects += 1
            self._look(why)

    def pushed(self, message: list[Any]) -> None:
        """Take what was published, or the confirmation of a subscription."""
        kind = message[0]
        if kind == b"pmessage" and len(message) == 4:
            self._take(self._by_pattern.get(message[1]), message[2], message[3])
        elif kind == b"message" and len(message) == 3:
            self._take(self._by_channel.get(message[1]), message[1], message[2])
        elif kind in (b"subscribe", b"psubscribe") and isinstance(message[1], bytes):
            known = self._by_channel if kind == b"subscribe" else self._by_pattern
            if message[1] in known:
                self._heard.add(message[1])
                self._look()

    def refused(self, error: RespError) -> None:
        """Redis did not keep something."""
        self._log_once("Redis refuses to keep something: {error}", error=str(error))

    def flows(self, connection: RedisConnection) -> None:
        """There is room for more."""
        if connection is self._mouth and not self._settling.is_on:
            self._flush()

    # -- within -------------------------------------------------------------------

    def _subscribe(self, channels: list[bytes], patterns: list[bytes]) -> None:
        if channels:
            self._ear.push("SUBSCRIBE", *channels)
        if patterns:
            self._ear.push("PSUBSCRIBE", *patterns)

    def _take(self, listener: Listener | None, channel: bytes, data: Any) -> None:
        if data == b"":
            return  # see _try
        self._stats.received += 1
        if data is TOO_LONG:
            self._stats.refused += 1
            self._log_once("a message that is longer than {most} bytes", most=self._max_message)
        elif listener is not None and isinstance(channel, bytes):
            listener.received(channel, data)

    def _send(self, command: Command, data: bytes, *, waits: bool, lasts: bool) -> None:
        self._stats.published += 1
        self._under_way += 1
        answered = partial(self._answered, command, data, waits=waits, lasts=lasts)
        self._mouth.send(*command, data, answered=answered)

    def _answered(
        self, command: Command, data: bytes, reply: Any, *, waits: bool, lasts: bool
    ) -> None:
        self._under_way -= 1
        if not isinstance(reply, RespError):
            return
        self._stats.published -= 1
        is_passing = is_state(reply)
        if is_passing and (waits or lasts):
            self._outbox.put_back(command, data, lasts=lasts)
        else:
            self._stats.unsent += 1
        if is_passing:
            self._refusal.begin(command[0], reply)
            self._look(str(reply))
            return
        self._log_once("Redis refuses to carry something: {error}", error=str(reply))
        if self._reader is not None:
            self._reader.cut_off()

    def _try(self, command: str | bytes, answered: Callable[[Any], None]) -> None:
        """Send what means nothing: an entry of no namespace, or a message without a byte."""
        if command == "XADD":
            self._mouth.send("XADD", self._stream, "*", "nsp", "", answered=answered)
        else:
            channel = next((one.probe for one in self._by_pattern.values()), b"")
            self._mouth.send("PUBLISH", channel, b"", answered=answered)

    @property
    def _flows(self) -> bool:
        return self._mouth.is_up and not self._mouth.is_full and self._refusal.why is None

    def _count_servers(self, counted: Callable[[int], object]) -> None:
        """Tell how many listen to what all servers listen to, together."""
        shared = {one.shared for one in self._by_pattern.values() if one.shared is not None}

        def answered(reply: Any) -> None:
            # Pairs of a name and a number; what is refused nobody can be waited for by.
            counts = reply[1::2] if isinstance(reply, list) else []
            counted(sum(count for count in counts if isinstance(count, int)))

        if not shared:
            counted(0)
        elif self._mouth.is_up:
            self._mouth.send("PUBSUB", "NUMSUB", *shared, answered=answered)

    def _flush(self) -> None:
        self._outbox.trim()
        while self._outbox and self._flows:
            command, data, lasts = self._outbox.take()
            self._send(command, data, waits=True, lasts=lasts)

    def _look(self, why: str = "") -> None:
        """See whether the bus is up, and say so if that has changed."""
        # All that was listened to when the connection was made; what comes later does not
        # make the rest deaf.
        if len(self._heard) == len(self._by_channel) + len(self._by_pattern):
            self._hears = self._ear.is_up
        up = (
            self._mouth.is_up
            and self._refusal.why is None
            and self._hears
            and (self._reader is None or self._reader.is_up)
        )
        was_up, self._stats.up = self._stats.up, up
        now = self._reactor.seconds()
        if up and not was_up:
            self._settling.begin()
        elif was_up and not up:
            self._settling.end()
            if self._reader is not None:
                self._reader.cut_off()
        if up and self._down_since is not None:
            _log.info(
                "cluster: {address} is back after {seconds:.1f} s",
                address=str(self.address),
                seconds=now - self._down_since,
            )
            self._down_since = None
        elif up and not was_up and not self._logged:
            _log.info("cluster: connected to {address}", address=str(self.address))
            self._logged.add("connected")
        elif not up and why and self._down_since is None:
            self._down_since = now
            _log.error(
                "cluster: {address} is away ({why}); what is sent reaches our own clients only",
                address=str(self.address),
                why=why,
            )

    def _check(self) -> None:
        """Ask Redis whether it takes us to listen where only we do."""
        self._outbox.trim()
        if not self._stats.up:
            return
        self._count_servers(self._settling.note)
        for listener in self._by_pattern.values():
            self.count(listener.probe).addCallback(self._checked, listener)

    def _checked(self, listeners: int | None, listener: Listener) -> None:
        known = listener.probe in self._heard and listener in self._by_pattern.values()
        if listeners == 0 and known and self._stats.up:
            # Each of the two may be connected to a server that the other one is not.
            self._ear.abort("it does not know what we subscribed to")
            self._mouth.abort("it does not know what we subscribed to")

    def _log_once(self, text: str, **fields: Any) -> None:
        if text not in self._logged:
            self._logged.add(text)
            _log.warn("cluster: " + text + "; more like it are only counted", **fields)
