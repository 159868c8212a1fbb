"""
Events that a client may send again, and that are handled once.

A client with the options ``retries`` and ``ackTimeout`` sends an event until it is
acknowledged.  If the acknowledgement got lost it sends what was handled already; with an id
of its own in the event that can be told, and the answer of the first time is given again.

See: "Delivery guarantees" in the documentation of Socket.IO.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from inspect import iscoroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mojo.socketio.places import drop_from

#: Whose an event is, and what tells it from that one's others.
Key = tuple[Hashable, ...]


class _Outcome:
    """What became of one event; ``waiting`` is ``None`` when it is over."""

    __slots__ = ("began", "key", "result", "waiting")

    def __init__(self, key: Key, began: float) -> None:
        self.key = key
        self.began = began
        self.result: Any = None
        self.waiting: list[Deferred[Any]] | None = []


class HandledEvents:
    """
    The events of a namespace that bear an id, and what was answered.

    Args:
        clock: tells how old they are.
        max_age: seconds for which one is remembered.
        max_events: most that are remembered.
    """

    def __init__(self, clock: IReactorTime, max_age: float, max_events: int) -> None:
        self._clock = clock
        self._max_age = max_age
        self._max_events = max_events
        self._outcomes: OrderedDict[Key, _Outcome] = OrderedDict()
        # Their keys by whose they are: a login must not look through those of all.
        self._of: dict[Hashable, dict[Key, None]] = {}

    def __len__(self) -> int:
        return len(self._outcomes)

    def handle(self, key: Key, call: Callable[[], Any]) -> Any:
        """
        Handle an event, unless it was or is being handled.

        Args:
            key: tells it from all others; whose it is comes first.
            call: handles it.  If that fails the event counts as not handled.
        Returns:
            What ``call`` returned, now or then, or a Deferred of it.
        """
        known = self._outcomes.get(key)
        if known is not None and known.began + self._max_age > self._clock.seconds():
            if known.waiting is None:
                return known.result
            again: Deferred[Any] = Deferred()
            known.waiting.append(again)
            return again
        return self._handle_first(key, call)

    def rename(self, whose: str, other: str) -> None:
        """Remember the events of somebody, the first part of whose keys is another now."""
        for key in tuple(self._of.get(whose, ())):
            outcome = self._outcomes[key]
            self._drop(key)
            outcome.key = (other, *key[1:])
            self._keep(outcome)

    def _handle_first(self, key: Key, call: Callable[[], Any]) -> Any:
        now = self._clock.seconds()
        outcome = _Outcome(key, now)
        result = call()
        if iscoroutine(result):
            result = Deferred.fromCoroutine(result)
        self._keep(outcome)
        self._trim(now)
        if isinstance(result, Deferred):
            return result.addCallbacks(
                self._done, self._failed, callbackArgs=(outcome,), errbackArgs=(outcome,)
            )
        return self._done(result, outcome)

    def _done(self, result: Any, outcome: _Outcome) -> Any:
        outcome.result = result
        waiting, outcome.waiting = outcome.waiting, None
        for again in waiting or ():
            again.callback(result)
        return result

    def _failed(self, failure: Failure, outcome: _Outcome) -> Failure:
        if self._outcomes.get(outcome.key) is outcome:
            self._drop(outcome.key)
        waiting, outcome.waiting = outcome.waiting, None
        for again in waiting or ():
            again.errback(failure)
        return failure

    def _trim(self, now: float) -> None:
        outcomes = self._outcomes
        while outcomes:
            oldest = next(iter(outcomes.values()))
            if len(outcomes) <= self._max_events and oldest.began + self._max_age > now:
                return
            self._drop(oldest.key)

    def _keep(self, outcome: _Outcome) -> None:
        key = outcome.key
        self._outcomes[key] = outcome
        self._outcomes.move_to_end(key)
        self._of.setdefault(key[0], {})[key] = None

    def _drop(self, key: Key) -> None:
        del self._outcomes[key]
        drop_from(self._of, key[0], key)
