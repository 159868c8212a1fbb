"""
One end of a pipe: what leaves by it at once, and what waits while the other end does not read.

What waits has the bounds of `mojo.cluster.outbox`: a process that does not turn loses the oldest
messages to it, and neither stops nor fills the one that speaks to it.  They may be more than for
Redis: whoever sends as fast as it can has its messages wait here for the time of a turn.
Questions, answers and what is to be kept do not wait for their turn; they have a bound of their
own, and the newest are dropped: somebody waits for the others.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer

from mojo.cluster.outbox import Outbox
from mojo.cluster.stats import ClusterStats
from mojo.workers.frames import LASTS, WAITS, flags_of

#: The most messages that wait for a process that does not read.
MAX_WAITING = 100_000
#: The most bytes of the rest that wait for it, but for what must not be lost.
MAX_TOLD_BYTES = 64_000_000


class Pipe(Protocol):
    """Where it leaves; Twisted's transports are that."""

    def write(self, data: bytes) -> Any:
        """Send bytes, in order."""

    def registerProducer(self, producer: Any, streaming: bool) -> Any:
        """Tell a producer when there is no room, and when there is again."""


@implementer(IPushProducer)
class Outlet:
    """
    What leaves by a pipe.

    Args:
        clock: tells how long things wait.
        stats: counts what leaves, and what does not.

    Attributes:
        is_open: whether there is an other end.
    """

    def __init__(self, clock: IReactorTime, stats: ClusterStats) -> None:
        self._outbox = Outbox(clock, stats, MAX_WAITING)
        self._stats = stats
        self._pipe: Pipe | None = None
        self._is_full = False
        # Of what was told since the pipe was full; when there is room again all of it has left.
        self._told_bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether there is another end."""
        return self._pipe is not None

    @property
    def waits(self) -> bool:
        """Whether the other end has not taken all yet."""
        return bool(self._outbox)

    def connect(self, pipe: Pipe) -> None:
        """Begin."""
        self._pipe = pipe
        pipe.registerProducer(self, True)
        self.resumeProducing()

    def send(self, frame: bytes) -> bool:
        """
        Send a frame, or let it wait; tell whether nothing was dropped for it.

        Its flags say whether it may wait.
        """
        before = self._stats.unsent
        flags = flags_of(frame)
        if self._pipe is not None and not self._is_full and not self._outbox:
            self._write(frame)
        elif flags & (WAITS | LASTS):
            self._outbox.put((), frame, lasts=bool(flags & LASTS))
        else:
            self._stats.unsent += 1
        return self._stats.unsent == before

    def tell(self, frame: bytes) -> None:
        """Send what must not be lost, and of which there cannot be much."""
        if self._pipe is not None:
            if self._is_full:
                self._told_bytes += len(frame)
            self._pipe.write(frame)

    def offer(self, frame: bytes) -> bool:
        """Send what may be lost, in place of nothing; tell whether there was room for it."""
        if self._told_bytes + len(frame) > MAX_TOLD_BYTES:
            self._stats.unsent += 1
            return False
        self.tell(frame)
        return True

    def _write(self, frame: bytes) -> None:
        assert self._pipe is not None
        self._stats.published += 1
        self._pipe.write(frame)

    # -- from the pipe --------------------------------------------------------------

    def pauseProducing(self) -> None:
        """There is no room."""
        self._is_full = True

    def resumeProducing(self) -> None:
        """There is room again."""
        self._is_full = False
        self._told_bytes = 0
        self._outbox.trim()
        while self._outbox and not self._is_full and self._pipe is not None:
            self._write(self._outbox.take()[1])

    def stopProducing(self) -> None:
        """There is no other end any more."""
        self._pipe = None
        self._outbox.forget()
