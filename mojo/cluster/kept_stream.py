"""What Redis keeps for servers of a cluster: a stream that can be read again, and places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from mojo.cluster.bus import Bus, Entry
from mojo.cluster.redis_stream import StreamReader, entries_of
from mojo.errors import RedisUnavailable
from mojo.redis.connection import RedisConnection
from mojo.redis.resp import RespError

Item = TypeVar("Item")

#: What the keys of places begin with, and seconds in which Redis may answer.
SESSION_PREFIX, ASK_SECONDS = "sio:session:", 5.0


class KeptStream:
    """
    What is kept; see `mojo.cluster.bus.Kept`.

    Args:
        bus: tells whether Redis is there.
        mouth: the connection that it is asked over.
        reader: reads the stream.
        stream: its key.
        clock: for the time limit.
    """

    def __init__(
        self,
        bus: Bus,
        mouth: RedisConnection,
        reader: StreamReader | None,
        stream: bytes,
        clock: Any,
    ) -> None:
        self._bus = bus
        self._mouth = mouth
        self._reader = reader
        self._stream = stream
        self._reactor = clock

    @property
    def is_up(self) -> bool:
        """Whether Redis is there."""
        return self._bus.is_up

    @property
    def position(self) -> str:
        """The id of the last entry that was handed on; see `Kept`."""
        return "0-0" if self._reader is None else self._reader.position

    def keep(self, name: str, value: bytes, seconds: float) -> None:
        """Keep something until it is taken; see `Kept`."""
        if self._mouth.is_up:
            key = SESSION_PREFIX + name
            self._mouth.send("SET", key, value, "PX", str(round(seconds * 1000)))

    def take_kept(self, name: str) -> Deferred[bytes | None]:
        """Give what is kept, once; see `Kept`."""
        return self._ask(_bulk_of, "GETDEL", SESSION_PREFIX + name)

    def read(self, first: str, last: str, count: int) -> Deferred[list[tuple[str, Entry]]]:
        """Give a range of the stream; see `Kept`."""
        parts = ("XRANGE", self._stream, first, last, "COUNT", str(count))
        return self._ask(entries_of, *parts)

    def _ask(self, read: Callable[[Any], Item], *parts: str | bytes) -> Deferred[Item]:
        asked: Deferred[Item] = Deferred()
        if not self._mouth.is_up:
            asked.errback(RedisUnavailable(f"{self._mouth.address}: not connected"))
            return asked

        def answered(reply: Any) -> None:
            if asked.called:
                return
            if isinstance(reply, RespError):
                asked.errback(RedisUnavailable(f"{self._mouth.address}: {reply}"))
            else:
                asked.callback(read(reply))

        def late(failure: object, seconds: float) -> Item:
            raise RedisUnavailable(f"{self._mouth.address}: it does not answer")

        self._mouth.send(*parts, answered=answered)
        return asked.addTimeout(ASK_SECONDS, self._reactor, late)


def _bulk_of(reply: Any) -> bytes | None:
    return reply if isinstance(reply, bytes) else None
