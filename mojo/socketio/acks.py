"""
Acknowledgements that one connection's client still owes us.

Each is answered once, times out, or fails when the connection goes; none stays.

See: Socket.IO protocol v5, "Acknowledgement".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mojo.errors import AckTimeout, Disconnected

Answered = Callable[..., object]


class PendingAcks:
    """
    What waits for an answer, by the id that the answer will bear.

    Args:
        clock: for the time limits.
        failed: called, while the exception is being handled, when the callback of
            an answer raises.
    """

    __slots__ = ("_clock", "_failed", "_ids", "_waiting")

    def __init__(self, clock: IReactorTime, failed: Callable[[], None]) -> None:
        self._clock = clock
        self._failed = failed
        # count() is atomic: ids may be made in any thread.
        self._ids = itertools.count()
        self._waiting: dict[int, Answered | Deferred[list[Any]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def new_id(self) -> int:
        """Make an id for an event whose answer will be waited for."""
        return next(self._ids)

    def expect(self, ack_id: int, answered: Answered) -> None:
        """Wait for an answer; ``answered(*args)`` gets it."""
        self._waiting[ack_id] = answered

    def expect_within(self, ack_id: int, seconds: float | None) -> Deferred[list[Any]]:
        """
        Wait for an answer for some seconds, or, with ``None``, for ever.

        Returns:
            A Deferred of the answer's arguments.  It fails with `AckTimeout`, or with
            `Disconnected` when the connection goes.
        """
        waiting: Deferred[list[Any]] = Deferred(partial(self._cancelled, ack_id))
        self._waiting[ack_id] = waiting
        if seconds is not None:
            waiting.addTimeout(seconds, self._clock, lambda *_: _raise_timeout(seconds))
        return waiting

    def _cancelled(self, ack_id: int, _: Deferred[Any]) -> None:
        self._waiting.pop(ack_id, None)

    def received(self, ack_id: int, args: list[Any]) -> bool:
        """Take an answer; say whether anybody was waiting for it."""
        waiting = self._waiting.pop(ack_id, None)
        if waiting is None:
            return False
        if isinstance(waiting, Deferred):
            waiting.callback(args)
        else:
            try:
                waiting(*args)
            except Exception:
                self._failed()
        return True

    def fail_all(self, reason: str) -> None:
        """End every wait: the connection is gone."""
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting.values():
            if isinstance(waiter, Deferred):
                waiter.errback(Disconnected(reason))


def _raise_timeout(seconds: float) -> Any:
    raise AckTimeout(f"no acknowledgement within {seconds:g} s")
