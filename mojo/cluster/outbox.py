"""
What waits to be sent, within bounds: `MAX_WAITING` messages and `MAX_WAITING_BYTES` at most,
for `MAX_WAIT` seconds at most; the oldest goes first.  What lasts waits for as long as it takes,
and leaves before the rest; of it there are `MAX_WAITING` at most.  What was sent and comes back
leaves before both.
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
        most: most messages, if that is not `MAX_WAITING`.
    """

    def __init__(self, clock: IReactorTime, stats: ClusterStats, most: int | None = None) -> None:
        self._most = most
        self._clock = clock
        self._stats = stats
        self._waiting: deque[tuple[float, Command, bytes]] = deque()
        self._bytes = 0
        self._lasting: deque[tuple[Command, bytes]] = deque()
        # No more than was under way at one time: with when it came back, and whether it lasts.
        self._returned: deque[tuple[float, Command, bytes, bool]] = deque()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._lasting) + len(self._returned)

    def put(self, command: Command, data: bytes, *, lasts: bool) -> None:
        """Keep a message until it can leave."""
        if lasts:
            self._lasting.append((command, data))
        else:
            self._waiting.append((self._clock.seconds(), command, data))
            self._bytes += len(data)
        self.trim()

    def put_back(self, command: Command, data: bytes, *, lasts: bool) -> None:
        """Keep a message that was taken and could not leave."""
        self._returned.append((self._clock.seconds(), command, data, lasts))

    def take(self) -> tuple[Command, bytes, bool]:
        """Give the command and the data whose turn it is, and whether it lasts."""
        if self._returned:
            _, command, data, lasts = self._returned.popleft()
            return command, data, lasts
        if self._lasting:
            return (*self._lasting.popleft(), True)
        _, command, data = self._waiting.popleft()
        self._bytes -= len(data)
        return command, data, False

    def trim(self) -> None:
        """Drop what is too old or too much."""
        oldest = self._clock.seconds() - MAX_WAIT
        most = MAX_WAITING if self._most is None else self._most
        while self._waiting and (
            len(self._waiting) > most
            or self._bytes > MAX_WAITING_BYTES
            or self._waiting[0][0] < oldest
        ):
            _, _, data = self._waiting.popleft()
            self._bytes -= len(data)
            self._stats.unsent += 1
        if self._returned:
            kept = [one for one in self._returned if one[3] or one[0] >= oldest]
            self._stats.unsent += len(self._returned) - len(kept)
            self._returned = deque(kept)
        while len(self._lasting) > most:
            self._lasting.popleft()
            self._stats.unsent += 1

    def forget(self) -> None:
        """Drop what does not last: nobody waits for it any longer."""
        self._waiting.clear()
        self._returned = deque(one for one in self._returned if one[3])
        self._bytes = 0
