"""
Many waits of different lengths on one timer.

A heap of ends, the soonest first, and one delayed call.  An end that was moved or dropped
stays in the heap until its time comes, or until such ends are the most of it; then the
heap is made anew.  So the memory is that of the waits there are, and each costs the
logarithm of their number.  Waits of equal lengths are cheaper in
`mojo.engineio.deadlines`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

Waiter = TypeVar("Waiter", bound=Hashable)

# Seconds of the longest sleep: there are reactors that cannot sleep for years.
_LONGEST = 86_400.0
# Ends in the heap, beside twice those that count, before it is made anew.
_SLACK = 64


class Alarms(Generic[Waiter]):
    """
    Waiters, each with the moment at which it is called.

    Args:
        clock: tells the time and wakes us.
        rung: called with each waiter whose moment has come, after it was removed.
    """

    def __init__(self, clock: IReactorTime, rung: Callable[[Waiter], None]) -> None:
        self._clock = clock
        self._rung = rung
        self._ends: dict[Waiter, tuple[float, int, Waiter]] = {}
        self._heap: list[tuple[float, int, Waiter]] = []
        # Between equal ends, so that waiters are never compared.
        self._numbers = count()
        self._call: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def set(self, waiter: Waiter, seconds: float) -> None:
        """
        Wait for a moment, in place of one that was set before.

        Args:
            waiter: who is called.
            seconds: from now; infinity is never.
        """
        self._ends.pop(waiter, None)
        if seconds == inf:
            return
        entry = (self._clock.seconds() + max(0.0, seconds), next(self._numbers), waiter)
        self._ends[waiter] = entry
        heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._ends) + _SLACK:
            self._heap = list(self._ends.values())
            heapify(self._heap)
        self._arm()

    def stop(self, waiter: Waiter) -> None:
        """Wait no longer."""
        self._ends.pop(waiter, None)
        if not self._ends:
            self.clear()

    def clear(self) -> None:
        """Forget every waiter, and the timer."""
        self._ends.clear()
        self._heap.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _arm(self) -> None:
        """Have the timer go off for the first of the heap, whether that counts or not."""
        if not self._heap:
            return
        now = self._clock.seconds()
        wait = min(max(0.0, self._heap[0][0] - now), _LONGEST)
        if self._call is None:
            self._call = self._clock.callLater(wait, self._wake)
        elif self._call.getTime() > now + wait:
            self._call.reset(wait)

    def _wake(self) -> None:
        self._call = None
        now = self._clock.seconds()
        while self._heap and self._heap[0][0] <= now:
            entry = heappop(self._heap)
            waiter = entry[2]
            if self._ends.get(waiter) is entry:
                del self._ends[waiter]
                # What it does may set or stop others, or clear() us.
                self._rung(waiter)
        while self._heap and self._ends.get(self._heap[0][2]) is not self._heap[0]:
            heappop(self._heap)
        self._arm()
