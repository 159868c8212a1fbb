"""
Many equal waits on one timer.

Every wait of a `Deadlines` lasts equally long, so the order in which waits begin
is the order in which they end: a queue, one delayed call for its head, and
constant work to add, renew or drop one.  Ten thousand idle connections then cost
one timer, not twenty thousand.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

Waiter = TypeVar("Waiter", bound=Hashable)

# Waiters for whom it is worth being late: to wake a hundred each alone costs nobody anything.
_MANY = 100


class Deadlines(Generic[Waiter]):
    """
    A queue of waiters, each given the same number of seconds.

    Args:
        clock: tells the time and wakes us.
        delay: seconds from `start` to `expired`; 0 means that nothing expires.
        expired: called with each waiter whose time is up, after it was removed.
        slack: seconds that it may be late, while many wait, for those whose time is up soon
            after another's; they are woken together.
    """

    def __init__(
        self,
        clock: IReactorTime,
        delay: float,
        expired: Callable[[Waiter], None],
        *,
        slack: float = 0.0,
    ) -> None:
        self._clock = clock
        self._delay = delay
        self._expired = expired
        self._slack = slack
        self._ends: OrderedDict[Waiter, float] = OrderedDict()
        self._call: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def __contains__(self, waiter: Waiter) -> bool:
        return waiter in self._ends

    def start(self, waiter: Waiter) -> None:
        """Begin the wait, or begin it anew if the waiter is already waiting."""
        if not self._delay:
            return
        self._ends[waiter] = self._clock.seconds() + self._delay
        self._ends.move_to_end(waiter)
        if self._call is None:
            self._call = self._clock.callLater(self._delay, self._wake)

    def stop(self, waiter: Waiter) -> bool:
        """End the wait without expiry; say whether there was one."""
        return self._ends.pop(waiter, None) is not None

    def oldest(self) -> Waiter | None:
        """Give the waiter whose time is up next."""
        return next(iter(self._ends), None)

    def clear(self) -> None:
        """Forget every waiter and the timer."""
        self._ends.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def expire_all(self) -> None:
        """End every wait now, as if its time were up."""
        waiters = list(self._ends)
        self.clear()
        for waiter in waiters:
            self._expired(waiter)

    def _wake(self) -> None:
        self._call = None
        now = self._clock.seconds()
        while self._ends:
            waiter, end = next(iter(self._ends.items()))
            if end > now:
                break
            del self._ends[waiter]
            # What it does may start or stop other waits, or clear() us.
            self._expired(waiter)
        # The timer is not moved when a waiter leaves: it fires once too often
        # rather than being cancelled and made anew for every message.
        if self._ends and self._call is None:
            end = next(iter(self._ends.values()))
            slack = self._slack if len(self._ends) >= _MANY else 0.0
            self._call = self._clock.callLater(max(slack, end - now), self._wake)
