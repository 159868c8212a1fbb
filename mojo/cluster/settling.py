"""
Waits, after an outage, until as many servers listen as did before.

When Redis is back, all servers come back, and not at one moment; Redis keeps nothing for those who
are not there yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from mojo.redis.connection import MAX_DELAY

#: The longest, in seconds, that other servers may take to come back after we have: no less than
#: the time between their tries; and seconds between two looks at whether they have.
MAX_SETTLING, SETTLING_SECONDS = MAX_DELAY + 0.5, 0.1


class Settling:
    """
    Counts the other servers, and waits for them.

    Args:
        reactor: tells the time.
        count: asks how many servers there are, and gives that to what it is called with.
        settled: called when they are waited for no longer.
    """

    def __init__(
        self,
        reactor: Any,
        count: Callable[[Callable[[int], object]], object],
        settled: Callable[[], object],
    ) -> None:
        self._reactor = reactor
        self._count = count
        self._settled = settled
        self._servers = 0
        self._until: float | None = None
        self._timer: IDelayedCall | None = None

    @property
    def is_on(self) -> bool:
        """Whether they are waited for."""
        return self._until is not None

    def begin(self) -> None:
        """Wait for them."""
        self.end()
        self._until = self._reactor.seconds() + MAX_SETTLING
        self._look()

    def end(self) -> None:
        """Wait no longer."""
        self._until = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def forget(self) -> None:
        """Wait no longer, and for nobody the next time."""
        self.end()
        self._servers = 0

    def note(self, servers: int) -> None:
        """Note how many there are."""
        if self._until is None:
            self._servers = servers

    def _look(self) -> None:
        self._count(self._counted)

    def _counted(self, servers: int) -> None:
        if self._until is None:
            return
        if servers >= self._servers or self._reactor.seconds() >= self._until:
            self.end()
            self._settled()
        else:
            self._timer = self._reactor.callLater(SETTLING_SECONDS, self._look)
