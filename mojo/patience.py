"""
Waiting that somebody may cut short.

Whoever stops a service gives each part of the end its time; whoever cannot wait calls
`Patience.hurry`, and from then on nothing gets any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()


class Patience:
    """
    What there is of it.

    Args:
        clock: tells the time and wakes us; the reactor, or a test's ``Clock``.

    Attributes:
        over: whether there is none any more.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.over = False
        self._hurried: Callable[[], None] | None = None

    def renew(self) -> None:
        """Have some again."""
        self.over = False

    def hurry(self) -> None:
        """Wait for nothing any more."""
        self.over = True
        # Not at once: whoever hurries may be in the middle of what is waited for.
        self._clock.callLater(0, self._end_wait)

    async def rest(self, seconds: float) -> None:
        """Let time pass, if there is any; 0 is the rest of the reactor's turn, always."""
        if seconds and self.over:
            return
        await self._wait(Deferred(), seconds)

    async def allow(self, what: str, work: Deferred[Any], seconds: float | None) -> None:
        """
        Wait for some work.

        Args:
            what: what the log calls it, if it takes longer.
            work: it; cancelled then, and what it says to that is of no interest.
            seconds: how long it may take; ``None`` for as long as it likes.
        Raises:
            Exception: whatever it failed with in time.
        """
        failures: list[Failure] = []
        done: Deferred[None] = Deferred()

        def finish(_: object) -> None:
            if not done.called:
                done.callback(None)

        work.addErrback(failures.append).addCallback(finish)
        if not done.called:
            await self._wait(done, seconds)
        if failures:
            failures[0].raiseException()
        if not work.called:
            _log.warn("{what} took too long to end", what=what)
            work.cancel()

    def _end_wait(self) -> None:
        if self._hurried is not None:
            self._hurried()

    async def _wait(self, done: Deferred[None], seconds: float | None) -> None:
        def wake() -> None:
            if not done.called:
                done.callback(None)

        if self.over:
            seconds = 0
        call = None if seconds is None else self._clock.callLater(seconds, wake)
        self._hurried = wake
        try:
            await done
        finally:
            self._hurried = None
            if call is not None and call.active():
                call.cancel()
