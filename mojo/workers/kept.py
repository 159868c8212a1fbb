"""
What the parent keeps for all workers: the stream, as far back as there is room, and places.

It is what Redis is to servers that recover clients by a stream (see `mojo.cluster.bus.Kept`); so a
client finds its connection again at whatever worker it comes to, also when the one that it had is
gone.
"""

from __future__ import annotations

from base64 import b64encode
from collections import OrderedDict
from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

#: The most entries of the stream, and their bytes.
MAX_ENTRIES, MAX_BYTES = 10_000, 64_000_000
#: The most places of clients, and their bytes.
MAX_PLACES, MAX_PLACE_BYTES = 10_000, 64_000_000
#: Bytes after which no more entries are given in one answer.
MAX_READ_BYTES = 500_000


class Kept:
    """
    A stream, and places.

    Args:
        clock: tells how old places are.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._last = -1
        self._entries: dict[int, Sequence[bytes]] = {}
        self._bytes = 0
        self._places: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._place_bytes = 0
        # Whoever has seen nothing yet has seen this: without it one could not tell whether
        # something that came first is gone.
        self.append(())

    @property
    def position(self) -> str:
        """The id of the last entry."""
        return f"{self._last}-0"

    def append(self, fields: Sequence[bytes]) -> str:
        """Add an entry; give its id."""
        self._last += 1
        self._entries[self._last] = fields
        self._bytes += sum(map(len, fields))
        while len(self._entries) > MAX_ENTRIES or (
            self._bytes > MAX_BYTES and len(self._entries) > 1
        ):
            oldest = next(iter(self._entries))
            self._bytes -= sum(map(len, self._entries.pop(oldest)))
        return self.position

    def read(self, after: int, count: int) -> list[tuple[int, list[str]]]:
        """
        Give entries: the number in its id, and the fields in base64, of each.

        Args:
            after: the number of the one before the first.
            count: most of them; there may be fewer, but for the end there is one.
        """
        found: list[tuple[int, list[str]]] = []
        size = 0
        oldest = next(iter(self._entries))
        for number in range(max(after + 1, oldest), self._last + 1):
            fields = self._entries[number]
            size += sum(map(len, fields))
            if len(found) == count or (found and size > MAX_READ_BYTES):
                break
            found.append((number, [b64encode(field).decode("ascii") for field in fields]))
        return found

    def keep(self, name: str, value: str, seconds: float) -> None:
        """Keep something for so long, until it is taken."""
        self.take(name)
        self._places[name] = (self._clock.seconds() + seconds, value)
        self._place_bytes += len(value)
        # All are kept for the same time: the oldest is the first whose time is over.
        while self._places:
            until, oldest = next(iter(self._places.values()))
            is_much = len(self._places) > MAX_PLACES or self._place_bytes > MAX_PLACE_BYTES
            if until > self._clock.seconds() and not is_much:
                break
            self._places.popitem(last=False)
            self._place_bytes -= len(oldest)

    def take(self, name: str) -> str | None:
        """Give what is kept, and keep it no longer."""
        until, value = self._places.pop(name, (0.0, ""))
        self._place_bytes -= len(value)
        return value if until > self._clock.seconds() else None
