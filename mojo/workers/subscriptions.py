"""Who listens to which channels.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

Who = TypeVar("Who")


class Subscriptions(Generic[Who]):
    """Channels by their names, and by what their names begin with."""

    def __init__(self) -> None:
        self._by_channel: dict[bytes, list[Who]] = {}
        self._by_prefix: dict[bytes, list[Who]] = {}
        # How many prefixes are how long: of a channel's name so many beginnings are looked up.
        self._lengths: Counter[int] = Counter()

    def add(self, who: Who, channels: Sequence[bytes], prefix: bytes) -> None:
        """Let somebody listen, perhaps once more."""
        for channel in channels:
            self._by_channel.setdefault(channel, []).append(who)
        if prefix not in self._by_prefix:
            self._by_prefix[prefix] = []
            self._lengths[len(prefix)] += 1
        self._by_prefix[prefix].append(who)

    def remove(self, who: Who, channels: Sequence[bytes], prefix: bytes) -> None:
        """Let somebody listen no longer who does; others do."""
        for channel in channels:
            _take_out(self._by_channel, channel, who)
        if _take_out(self._by_prefix, prefix, who):
            self._lengths[len(prefix)] -= 1
            if not self._lengths[len(prefix)]:
                del self._lengths[len(prefix)]

    def find(self, channel: bytes) -> Iterable[Who]:
        """Give those who listen to a channel, each once."""
        found = list(self._by_channel.get(channel, ()))
        for length in self._lengths:
            if length <= len(channel):
                found += self._by_prefix.get(channel[:length], ())
        return dict.fromkeys(found)

    def count(self, channel: bytes) -> int:
        """Tell how many listen to a channel by its name."""
        return len(set(self._by_channel.get(channel, ())))


def _take_out(table: dict[bytes, list[Who]], key: bytes, who: Who) -> bool:
    """Take somebody out of a list in a table; tell whether that was the last one."""
    table[key].remove(who)
    if table[key]:
        return False
    del table[key]
    return True
