"""
Calls into an app, one after another.

`Turns` lets the next call begin when the one before it is over, also when that takes a
while, so that an app never has to ask in which order it is called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.python.failure import Failure

from mojo.calls import run


class Turn(NamedTuple):
    """
    One call.

    Attributes:
        call: the call.
        done: gets its result.
        failed: gets its failure.
        concurrent: whether the next turn need not wait for this one.
    """

    call: Callable[[], Any]
    done: Callable[[Any], Any]
    failed: Callable[[Failure], Any]
    concurrent: bool = False


class Turns:
    """
    A queue of calls of which one is under way.

    Args:
        limit: how many may wait before `full` is called.
        full: called when that many wait.
        drained: called when half as many do, if `full` was called.
    """

    __slots__ = ("_busy", "_drained", "_full", "_is_full", "_limit", "_queue")

    def __init__(
        self, limit: int, full: Callable[[], object], drained: Callable[[], object]
    ) -> None:
        self._limit = limit
        self._full = full
        self._drained = drained
        self._is_full = False
        self._busy = False
        self._queue: deque[Turn] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def take(self, turn: Turn) -> None:
        """Make a call now, or when those before it are over."""
        self._queue.append(turn)
        self._go_on()
        if len(self._queue) >= self._limit and not self._is_full:
            self._is_full = True
            self._full()

    def _go_on(self) -> None:
        while self._queue and not self._busy:
            self._begin(self._queue.popleft())
        if self._is_full and len(self._queue) <= self._limit // 2:
            self._is_full = False
            self._drained()

    def _begin(self, turn: Turn) -> None:
        self._busy = True
        deferred = run(turn.call, turn.done, turn.failed)
        if deferred is None or turn.concurrent:
            self._busy = False
            return
        deferred.addBoth(self._over)
        if self._busy:
            # Only if it is not over yet: else _go_on's loop takes the next, and not a
            # call one deeper for each turn that waits.
            deferred.addBoth(lambda _: self._go_on())

    def _over(self, _: object) -> None:
        self._busy = False
