"""
The heartbeat of Engine.IO v4: the server pings, the client answers.

One `Heartbeat` serves all sessions of a server; see `mojo.engineio.deadlines` for
why that is two queues and not two timers per session.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

from mojo.engineio.deadlines import Deadlines

Beating = TypeVar("Beating", bound=Hashable)


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
        self._quiet: Deadlines[Beating] = Deadlines(clock, interval, self._ping_due)
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
