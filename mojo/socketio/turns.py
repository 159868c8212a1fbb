"""
Calls into an app, one after another.

`Turns` lets the next call begin when the one before it is over, also when that takes a
while, so that an app never has to ask in which order it is called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mojo.calls import begun


class Turn(Protocol):
    """
    One call.

    Attributes:
        concurrent: whether the next turn need not wait for this one.
        waited: set if the call gave something to wait for.
    """

    waited: bool

    @property
    def concurrent(self) -> bool:
        """See above."""

    def call(self) -> Any:
        """Make the call; a coroutine that it gives has not begun yet."""

    def done(self, result: Any) -> None:
        """Take its result."""

    def failed(self, failure: Failure, /) -> object:
        """Take its failure."""


class Call:
    """
    A turn that is one function, whose result nobody wants.

    Args:
        function: what is called.
        failed: gets its failure.
    """

    __slots__ = ("call", "failed", "waited")

    concurrent = False

    def __init__(self, function: Callable[[], Any], failed: Callable[[Failure], object]) -> None:
        self.call = function
        self.failed = failed
        self.waited = False

    def done(self, result: Any) -> None:
        """Drop the result."""


class TurnTaker(Protocol):
    """Whose turns they are."""

    def turns_full(self) -> None:
        """As many turns wait as may."""

    def turns_drained(self) -> None:
        """Half as many do, after `turns_full`."""


class Turns:
    """
    A queue of calls of which one is under way.

    Args:
        limit: how many may wait before ``turns_full`` is called.
        taker: whose turns they are.

    Attributes:
        busy: whether a call is under way.  Who makes one without a `Turn`, while it is `free`,
            sets it, and afterwards calls `came`, or unsets it and calls `go_on` if
            something waits.
        queue: what waits, if anything ever did.
    """

    __slots__ = ("__weakref__", "_is_full", "_limit", "_taker", "busy", "queue")

    def __init__(self, limit: int, taker: TurnTaker) -> None:
        self._limit = limit
        self._taker = taker
        self._is_full = False
        self.busy = False
        # Made when one has to wait: most connections have none.
        self.queue: deque[Turn] | None = None

    def __len__(self) -> int:
        return len(self.queue or ())

    @property
    def free(self) -> bool:
        """Whether a call can be made now."""
        return not self.busy and not self.queue

    def came(self, turn: Turn, result: Any) -> None:
        """Go on with what a call without a turn gave, as `take` does with a turn's."""
        self._came(turn, result)
        if self.queue:
            self.go_on()

    def take(self, turn: Turn) -> None:
        """Make a call now, or when those before it are over."""
        if self.free:
            self._begin(turn)
            if self.queue:
                self.go_on()
            return
        if self.queue is None:
            self.queue = deque()
        self.queue.append(turn)
        if len(self.queue) >= self._limit and not self._is_full:
            self._is_full = True
            self._taker.turns_full()

    def go_on(self) -> None:
        """Make the calls that wait, until one is under way."""
        queue = self.queue
        while queue and not self.busy:
            self._begin(queue.popleft())
        if self._is_full and len(self) <= self._limit // 2:
            self._is_full = False
            self._taker.turns_drained()

    def _begin(self, turn: Turn) -> None:
        self.busy = True
        try:
            result = turn.call()
        except Exception:
            turn.failed(Failure())
            self.busy = False
            return
        self._came(turn, begun(result))

    def _came(self, turn: Turn, result: Any) -> None:
        if not isinstance(result, Deferred):
            turn.done(result)
            self.busy = False
            return
        turn.waited = True
        result.addCallbacks(turn.done, turn.failed)
        if turn.concurrent:
            self.busy = False
            return
        result.addBoth(self._over)
        if self.busy:
            # Only if it is not over yet: else go_on's loop takes the next, and not a
            # call one deeper for each turn that waits.
            result.addBoth(lambda _: self.go_on())

    def _over(self, _: object) -> None:
        self.busy = False


class Unfinished:
    """
    The turns of connections that are gone, as far as they are not over.

    A call that never ends is no reason to keep anything: nothing is kept alive here.
    """

    def __init__(self) -> None:
        self._turns: WeakSet[Turns] = WeakSet()

    def add(self, turns: Turns) -> None:
        """Add those of a connection that has just ended."""
        if not turns.free:
            self._turns.add(turns)

    @property
    def any(self) -> bool:
        """Whether an app is at work on one."""
        return not all(turns.free for turns in self._turns)
