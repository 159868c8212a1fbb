"""
Those who are away for a moment, and may come back: a reload is no departure.

Whoever comes back takes the place of that one of its own that has been away the longest.
Who does not come in time is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime

from mojo.engineio.deadlines import Deadlines


class Absent(Hashable, Protocol):
    """Somebody who may be away; told from others by its identity."""

    @property
    def whose(self) -> Hashable:
        """Who may come back for it."""


Away = TypeVar("Away", bound=Absent)


class Absences(Generic[Away]):
    """
    Who is away, for no longer than the grace time.

    Args:
        clock: tells the time and wakes us.
        grace: seconds for which one may be away; with 0 nobody is waited for.
        given_up: called with each that did not come back, after it was removed.
    """

    def __init__(
        self, clock: IReactorTime, grace: float, given_up: Callable[[Away], object]
    ) -> None:
        self._grace = grace
        self._given_up = given_up
        self._of: dict[Hashable, dict[Away, None]] = {}
        self._waits: Deadlines[Away] = Deadlines(clock, grace, self._expire)

    def __len__(self) -> int:
        return len(self._waits)

    def begin(self, away: Away) -> None:
        """Wait for somebody."""
        if self._grace:
            self._of.setdefault(away.whose, {})[away] = None
            self._waits.start(away)
        else:
            self._given_up(away)

    def end(self, whose: Hashable) -> Away | None:
        """Give the one that has been away the longest, and is back; ``None`` for none."""
        away = next(iter(self._of.get(whose, ())), None)
        if away is not None:
            self.stop(away)
        return away

    def stop(self, away: Away) -> bool:
        """Wait for somebody no longer; say whether that was waited for."""
        if not self._waits.stop(away):
            return False
        self._forget(away)
        return True

    def give_up(self, is_out: Callable[[Away], bool]) -> None:
        """Give up some before their time."""
        for away in [away for of in self._of.values() for away in of if is_out(away)]:
            self.stop(away)
            self._given_up(away)

    def clear(self) -> None:
        """Give up everybody, and leave no timer."""
        self.give_up(lambda _: True)
        self._waits.clear()

    def leave_to_others(self) -> None:
        """Wait for nobody, and give nobody up: others wait for them."""
        self._of.clear()
        self._waits.clear()

    def _expire(self, away: Away) -> None:
        self._forget(away)
        self._given_up(away)

    def _forget(self, away: Away) -> None:
        of = self._of[away.whose]
        del of[away]
        if not of:
            del self._of[away.whose]
