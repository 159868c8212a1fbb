"""
Reads a stream of Redis: one connection, which waits for entries, for all namespaces.

Where it begins is the stream's end when it first connects; from then on each entry is had once,
in order, also what others have added while there was no connection.  An entry is past when it was
handed on, so that one whose answer was cut off is read again.

A stream may go, as with a Redis that keeps nothing and starts again, or with one that takes over
and has less: what is beyond its end would be waited for in vain.  So its end is asked for at each
connection, and whenever nothing has come for a while.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mojo.cluster.bus import Entry, Follower
from mojo.cluster.stats import ClusterStats
from mojo.redis.connection import RedisConnection, User
from mojo.redis.resp import RespError

_log = Logger()

#: Most entries of one answer, and how long Redis waits for one, in milliseconds: less than the
#: connection's own signs of life, which wait for it.
READ_COUNT, BLOCK_MS = 100, 2000
#: After so many answers more is asked for again; less is after a connection broke.
GOOD_ANSWERS = 50
_ID = re.compile(rb"([0-9]{1,20})-([0-9]{1,20})", re.ASCII)

Position = tuple[int, int]


class StreamReader:
    """
    Reads a stream, and hands its entries on by their namespaces.

    Args:
        stream: its key.
        make_connection: makes its connection.
        stats: what is counted.
        changed: called when `is_up` may have changed, with why it is not.

    Attributes:
        is_up: whether what is added comes.
    """

    def __init__(
        self,
        stream: bytes,
        make_connection: Callable[[User, str], RedisConnection],
        stats: ClusterStats,
        changed: Callable[[str], object],
    ) -> None:
        self.is_up = False
        self._stream = stream
        self._connection = make_connection(self, "mojo-stream")
        self._stats = stats
        self._changed = changed
        self._followers: dict[bytes, Follower] = {}
        self._cut_off: dict[bytes, Callable[[], object]] = {}
        self._position: Position | None = None
        self._count, self._good_answers = READ_COUNT, 0
        self._is_running = False
        self._has_logged = False

    def __repr__(self) -> str:
        return f"<StreamReader at {self.position}>"

    @property
    def position(self) -> str:
        """The id of the last entry that was had, or of the stream's end before the first."""
        milliseconds, number = self._position or (0, 0)
        return f"{milliseconds}-{number}"

    def start(self) -> None:
        """Connect."""
        self._is_running = True
        self._connection.start()

    def stop(self) -> Deferred[None]:
        """Let the connection go."""
        self._is_running = self.is_up = False
        # Whoever starts again is new.
        self._position = None
        return self._connection.stop()

    def follow(self, namespace: bytes, follower: Follower, cut_off: Callable[[], object]) -> None:
        """Give a follower the entries of a namespace."""
        self._followers[namespace] = follower
        self._cut_off[namespace] = cut_off

    def cut_off(self) -> None:
        """Tell the followers that what was added may not come."""
        for call in list(self._cut_off.values()):
            call()

    def unfollow(self, namespace: bytes) -> None:
        """Give it nothing any longer."""
        self._followers.pop(namespace, None)
        self._cut_off.pop(namespace, None)

    # -- from the connection ------------------------------------------------------

    def connected(self, connection: RedisConnection) -> None:
        """There is a connection."""
        self._find_end()

    def lost(self, connection: RedisConnection, why: str) -> None:
        """There is none any more, or it could not be made."""
        self.is_up = False
        # It may have been the answer: more than Redis is allowed to keep for us.
        self._count = max(1, self._count // 4)
        self._good_answers = 0
        if self._is_running:
            self._stats.reconnects += 1
            self._changed(why)

    def pushed(self, message: list[Any]) -> None:
        """Nothing is subscribed to here."""

    def refused(self, error: RespError) -> None:
        """Every answer is looked at."""

    def flows(self, connection: RedisConnection) -> None:
        """What is sent is short."""

    # -- within -------------------------------------------------------------------

    def _find_end(self) -> None:
        self._connection.send(
            "XREVRANGE", self._stream, "+", "-", "COUNT", "1", answered=self._end_found
        )

    def _end_found(self, reply: Any) -> None:
        if not isinstance(reply, list):
            self._connection.abort(str(reply))
            return
        end = _position_of(reply[0]) if reply else (0, 0)
        if end is not None and (self._position is None or end < self._position):
            self._position = end
        if not self.is_up:
            self.is_up = True
            self._changed("")
        self._read()

    def _read(self) -> None:
        self._connection.send(
            "XREAD", "COUNT", str(self._count), "BLOCK", str(BLOCK_MS), "STREAMS",
            self._stream, self.position, answered=self._came,
        )  # fmt: skip

    def _came(self, reply: Any) -> None:
        if reply is None:
            self._find_end()
            return
        self._good_answers += 1
        if self._good_answers % GOOD_ANSWERS == 0:
            self._count = min(self._count * 2, READ_COUNT)
        if not isinstance(reply, list):
            self._connection.abort(str(reply))
            return
        for _, entries in reply:
            for entry in entries:
                position = _position_of(entry)
                if position is not None:
                    self._position = position
                    self._hand_on(entry[1])
        self._read()

    def _hand_on(self, values: Any) -> None:
        self._stats.received += 1
        entry = _fields_of(values)
        if entry is None:
            self._stats.refused += 1
            if not self._has_logged:
                self._has_logged = True
                _log.warn("cluster: an entry of the stream is too long; more are only counted")
            return
        follower = self._followers.get(entry.get("nsp", b""))
        if follower is not None:
            follower(self.position, entry)


def entries_of(reply: Any) -> list[tuple[str, Entry]]:
    """Give the ids and entries of an answer, as far as they can be read."""
    found = []
    for entry in reply if isinstance(reply, list) else ():
        position, fields = _position_of(entry), _fields_of(entry[1])
        if position is not None:
            found.append((f"{position[0]}-{position[1]}", fields or {}))
    return found


def _fields_of(values: Any) -> Entry | None:
    # One that was deleted has none.
    fields = values or []
    if not all(isinstance(value, bytes) for value in fields):
        return None
    names = [name.decode("utf-8", "replace") for name in fields[::2]]
    return dict(zip(names, fields[1::2], strict=False))


def _position_of(entry: Any) -> Position | None:
    found = _ID.fullmatch(entry[0]) if entry and isinstance(entry[0], bytes) else None
    return None if found is None else (int(found[1]), int(found[2]))
