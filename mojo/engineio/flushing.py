"""
The sessions that have something to send, until the turn ends.

Whatever a turn sends to one client leaves in one write, and a waiting GET takes all of it
rather than the first packet.  A turn is the reactor's, or a batch of frames
(`mojo.engineio.transports.poller`), which ends with a call and needs no timer: that saves
some 10 µs for each batch.  What is sent to many at once is not even noted for each: `Owing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mojo.engineio.owing import Creditor, Owing
from mojo.engineio.packet import Packet

_log = Logger()


class Flushable(Creditor, Protocol):
    """What has something to send."""

    def flush(self) -> None:
        """Send it."""


Sender = TypeVar("Sender", bound=Flushable)


class FlushQueue(Generic[Sender]):
    """
    Flushes each once, in the order in which they were added.

    Args:
        clock: begins the reactor's next turn.

    Attributes:
        owing: what many are owed together.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: list[Sender] = []
        self._held = False
        self.owing: Owing[Sender] = Owing()

    def add(self, sender: Sender) -> None:
        """Flush somebody when the turn ends; nobody may be added twice before that."""
        if not self._waiting and not self._held and not self.owing.messages:
            self._clock.callLater(0, self.flush)
        self._waiting.append(sender)

    def send_to_all(self, senders: list[Sender], packets: Sequence[Packet]) -> None:
        """
        Send the packets of one message to many, as if each were sent them now; see `Owing`.

        Args:
            senders: who, each of them once; the list must not be changed afterwards.
            packets: the message's, which is not volatile: that must be decided now, for each.
        """
        if not self._waiting and not self._held and not self.owing.messages:
            self._clock.callLater(0, self.flush)
        held, self._held = self._held, True  # what this adds needs no timer of its own
        try:
            self.owing.add(senders, packets)
        finally:
            self._held = held

    def hold(self) -> None:
        """Begin a batch, whose end is `release`."""
        self._held = True

    def release(self) -> None:
        """End a batch."""
        self._held = False
        if self._waiting or self.owing.messages:
            self.flush()

    def flush(self) -> None:
        """Flush those that there are; who is added meanwhile has its turn next."""
        if self.owing.messages:
            held, self._held = self._held, True  # who is added here has its turn below
            self.owing.pay()
            self._held = held
            if self.owing.messages:
                self._clock.callLater(0, self.flush)
        waiting, self._waiting = self._waiting, []
        for sender in waiting:
            try:
                sender.flush()
            except BaseException:
                # Whatever it is: the others are owed what was sent to them.
                _log.failure("a session could not be flushed")
