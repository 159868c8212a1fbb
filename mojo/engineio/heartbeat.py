"""
The heartbeats: in Engine.IO v4 the server pings, in v3 the client.

One of each kind serves all sessions of a server; see `mojo.engineio.deadlines` for
why that is a queue or two and not a timer or two per session.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime

from mojo.engineio.deadlines import Deadlines

Beating = TypeVar("Beating", bound=Hashable)


Watched_contra = TypeVar("Watched_contra", contravariant=True)


class Watch(Protocol[Watched_contra]):
    """What both kinds of heartbeat are to a session."""

    def start(self, session: Watched_contra, /) -> None:
        """Begin, or begin anew, with a session that was just heard of."""

    def progress(self, session: Watched_contra, /) -> None:
        """
        Note that a client takes what waits for it: it gets its time to answer anew.

        A ping or its answer may be behind all that on a slow line, and a client that goes
        on taking is no client that is gone.
        """

    def stop(self, session: Watched_contra, /) -> object:
        """Forget a session."""


# Parts of an interval: 0.1 s of 25.
_PARTS = 256


class Heartbeat(Generic[Beating]):
    """
    Sends pings and notices silence.

    Args:
        clock: tells the time and wakes us.
        interval: seconds from `start` or a pong to the next ping.
        timeout: seconds from a ping to `expired`, unless a pong comes first.
        ping: called with a session to be pinged.
        expired: called with a session that did not answer; it is then forgotten.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        timeout: float,
        ping: Callable[[Beating], None],
        expired: Callable[[Beating], None],
    ) -> None:
        # Of 10,000 clients one is due each 2.5 ms: a turn of the reactor to ping it, one to send
        # that and one to read the answer, for each.  Pinged 40 at a time, all of them take a third.
        self._quiet: Deadlines[Beating] = Deadlines(
            clock, interval, self._ping_due, slack=interval / _PARTS
        )
        self._pinged: Deadlines[Beating] = Deadlines(clock, timeout, expired)
        self._ping = ping

    def start(self, session: Beating) -> None:
        """Begin with a session that was just heard of."""
        self._pinged.stop(session)
        self._quiet.start(session)

    def pong_received(self, session: Beating) -> None:
        """
        Note an answer.

        A pong that answers no ping changes nothing: a client that sends a million
        of them neither delays its next ping nor makes timers.
        """
        if self._pinged.stop(session):
            self._quiet.start(session)

    def progress(self, session: Beating) -> None:
        """Give a client that takes what waits its time to answer anew; see `Watch`."""
        if session in self._pinged:
            self._pinged.start(session)

    def stop(self, session: Beating) -> None:
        """Forget a session."""
        self._quiet.stop(session)
        self._pinged.stop(session)

    def clear(self) -> None:
        """Forget every session and both timers."""
        self._quiet.clear()
        self._pinged.clear()

    def _ping_due(self, session: Beating) -> None:
        self._pinged.start(session)
        self._ping(session)


class ClientHeartbeat(Deadlines[Beating]):
    """
    The heartbeat of Engine.IO v3: the client pings, and the server notices silence.

    A client pings each ``interval`` seconds; `start` is called for each ping.

    Args:
        clock: tells the time and wakes us.
        interval: seconds from one ping to the next.
        timeout: seconds that a ping may be late.
        expired: called with a session that did not ping; it is then forgotten.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        timeout: float,
        expired: Callable[[Beating], None],
    ) -> None:
        super().__init__(clock, interval + timeout, expired)

    def progress(self, session: Beating) -> None:
        """Give a client that takes what waits its time to ping anew; see `Watch`."""
        if session in self:
            self.start(session)
