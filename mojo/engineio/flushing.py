"""
The sessions that have something to send, until the turn ends.

Whatever a turn sends to one client leaves in one write, and a waiting GET takes all of it
rather than the first packet.  A turn is the reactor's, or a batch of frames
(`mojo.engineio.transports.poller`), which ends with a call and needs no timer: that saves
some 10 µs for each batch.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

_log = Logger()


class Flushable(Protocol):
    """What has something to send."""

    def flush(self) -> None:
        """Send it."""


Sender = TypeVar("Sender", bound=Flushable)


class FlushQueue(Generic[Sender]):
    """
    Flushes each once, in the order in which they were added.

    Args:
        clock: begins the reactor's next turn.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: list[Sender] = []
        self._held = False

    def add(self, sender: Sender) -> None:
        """Flush somebody when the turn ends; nobody may be added twice before that."""
        if not self._waiting and not self._held:
            self._clock.callLater(0, self.flush)
        self._waiting.append(sender)

    def hold(self) -> None:
        """Begin a batch, whose end is `release`."""
        self._held = True

    def release(self) -> None:
        """End a batch."""
        self._held = False
        if self._waiting:
            self.flush()

    def flush(self) -> None:
        """Flush those that there are; who is added meanwhile has its turn next."""
        waiting, self._waiting = self._waiting, []
        for sender in waiting:
            try:
                sender.flush()
            except BaseException:
                # Whatever it is: the others are owed what was sent to them.
                _log.failure("a session could not be flushed")
