"""Sessions in this process: the store that needs nothing, and forgets all with the process."""

from __future__ import annotations

from collections import OrderedDict

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mojo.errors import SessionMoved
from mojo.sessions.stores import MOVED_SECONDS, Carrier, Stored

_log = Logger()

# Python objects around each session, in bytes; roughly.
_OVERHEAD = 600


class _Entry:
    """A session that is kept, or with ``None`` an id that was given up."""

    __slots__ = ("size", "stored", "until")

    def __init__(self, stored: Stored | None, until: float) -> None:
        self.stored = stored
        self.until = until
        self.size = _OVERHEAD + (0 if stored is None else len(stored.data))


class MemoryStore:
    """
    A `SessionStore` in memory.

    When it is full the sessions go that were not asked for the longest.

    Args:
        clock: tells how old they are.
        max_age: seconds for which one is kept after it was last asked for.
        max_size: most bytes of one.
        max_bytes: most bytes of all.

    Attributes:
        evicted: how many had to go because it was full.
    """

    pages_only = False

    def __init__(
        self, clock: IReactorTime, *, max_age: float, max_size: int, max_bytes: int
    ) -> None:
        self.max_size = max_size
        self.evicted = 0
        self._clock = clock
        self._max_age = max_age
        self._max_bytes = max_bytes
        # The one that was asked for last comes last.
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._moved: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._entries)} sessions>"

    def load(self, session_id: str, carrier: Carrier) -> Stored | None:
        """Give a session; see `SessionStore`."""
        self._drop_old()
        self._check_moved(session_id)
        entry = self._entries.get(session_id)
        if entry is None:
            return None
        entry.until = self._clock.seconds() + self._max_age
        self._entries.move_to_end(session_id)
        return entry.stored

    def save(self, session_id: str, stored: Stored, expected: str | None, carrier: Carrier) -> bool:
        """Keep a session; see `SessionStore`."""
        self._drop_old()
        self._check_moved(session_id)
        if self._version(session_id) != expected:
            return False
        self._put(session_id, stored)
        self._make_room()
        return True

    def move(
        self,
        session_id: str,
        other: str,
        stored: Stored | None,
        expected: str | None,
        carrier: Carrier,
    ) -> bool:
        """Keep a session under another id; see `SessionStore`."""
        self._drop_old()
        self._check_moved(session_id)
        if self._version(session_id) != expected:
            return False
        self._forget(self._entries, session_id)
        gone = self._moved[session_id] = _Entry(None, self._clock.seconds() + MOVED_SECONDS)
        self._bytes += gone.size
        if stored is not None:
            self._put(other, stored)
        self._make_room()
        return True

    def close(self) -> None:
        """Keep everything: the service may start again."""

    def _version(self, session_id: str) -> str | None:
        entry = self._entries.get(session_id)
        return None if entry is None or entry.stored is None else entry.stored.version

    def _check_moved(self, session_id: str) -> None:
        entry = self._moved.get(session_id)
        if entry is not None:
            raise SessionMoved(self._clock.seconds() - (entry.until - MOVED_SECONDS))

    def _put(self, session_id: str, stored: Stored) -> None:
        self._forget(self._entries, session_id)
        entry = self._entries[session_id] = _Entry(stored, self._clock.seconds() + self._max_age)
        self._bytes += entry.size

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes and self._moved:
            self._forget(self._moved, next(iter(self._moved)))
        while self._bytes > self._max_bytes and len(self._entries) > 1:
            self._forget(self._entries, next(iter(self._entries)))
            if not self.evicted:
                _log.warn(
                    "sessions need more than SESSION_MEMORY ({bytes} bytes): those not used "
                    "the longest are dropped",
                    bytes=self._max_bytes,
                )
            self.evicted += 1

    def _drop_old(self) -> None:
        now = self._clock.seconds()
        for entries in (self._entries, self._moved):
            while entries:
                session_id, entry = next(iter(entries.items()))
                if entry.until > now:
                    break
                self._forget(entries, session_id)

    def _forget(self, entries: OrderedDict[str, _Entry], session_id: str) -> None:
        entry = entries.pop(session_id, None)
        if entry is not None:
            self._bytes -= entry.size
