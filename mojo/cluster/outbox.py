"""
What waits to be sent, within bounds: `MAX_WAITING` messages and `MAX_WAITING_BYTES` at most,
for `MAX_WAIT` seconds at most; the oldest goes first.  What lasts waits for as long as it takes,
and leaves before the rest; of it there are `MAX_WAITING` at most.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IReactorTime

from mojo.cluster.stats import ClusterStats

#: The most that waits while Redis is away or slow; and for how long, in seconds.
MAX_WAITING, MAX_WAITING_BYTES, MAX_WAIT = 10_000, 16_000_000, 30.0


#: What comes before the data in a command.
Command = tuple[str | bytes, ...]


class Outbox:
    """
    Data, and the commands that they are the end of.

    Args:
        clock: tells how old they are.
        stats: counts those that are dropped.
    """

    def __init__(self, clock: IReactorTime, stats: ClusterStats) -> None:
        self._clock = clock
        self._stats = stats
        self._waiting: deque[tuple[float, Command, bytes]] = deque()
        self._bytes = 0
        self._lasting: deque[tuple[Command, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._lasting)

    def put(self, command: Command, data: bytes, *, lasts: bool) -> None:
        """Keep a message until it can leave."""
        if lasts:
            self._lasting.append((command, data))
        else:
            self._waiting.append((self._clock.seconds(), command, data))
            self._bytes += len(data)
        self.trim()

    def take(self) -> tuple[Command, bytes]:
        """Give the command and the data whose turn it is; there must be one."""
        if self._lasting:
            return self._lasting.popleft()
        _, command, data = self._waiting.popleft()
        self._bytes -= len(data)
        return command, data

    def trim(self) -> None:
        """Drop what is too old or too much."""
        oldest = self._clock.seconds() - MAX_WAIT
        while self._waiting and (
            len(self._waiting) > MAX_WAITING
            or self._bytes > MAX_WAITING_BYTES
            or self._waiting[0][0] < oldest
        ):
            _, _, data = self._waiting.popleft()
            self._bytes -= len(data)
            self._stats.unsent += 1
        while len(self._lasting) > MAX_WAITING:
            self._lasting.popleft()
            self._stats.unsent += 1

    def forget(self) -> None:
        """Drop what does not last: nobody waits for it any longer."""
        self._waiting.clear()
        self._bytes = 0
