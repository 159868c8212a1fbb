"""`mojo.engineio.alarms`."""

from __future__ import annotations

from math import inf

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.alarms import Alarms


class AlarmsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.rung: list[tuple[str, float]] = []
        self.alarms: Alarms[str] = Alarms(
            self.clock, lambda who: self.rung.append((who, self.clock.seconds()))
        )

    def test_order(self) -> None:
        """Each at its moment, in whatever order they were set, on one timer."""
        for who, seconds in (("b", 20), ("a", 10), ("d", 40), ("c", 30)):
            self.alarms.set(who, seconds)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([9, 1, 9, 1, 20])
        self.assertEqual(self.rung, [("a", 10), ("b", 20), ("c", 40), ("d", 40)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_moved(self) -> None:
        """Later or sooner, the last that was said counts."""
        self.alarms.set("a", 10)
        self.alarms.set("b", 20)
        self.alarms.set("a", 30)
        self.alarms.set("b", 5)
        self.clock.pump([5, 5, 10, 10])
        self.assertEqual(self.rung, [("b", 5), ("a", 30)])

    def test_moved_together(self) -> None:
        """A moment that was moved away from is nobody's, also when another's is the same."""
        self.alarms.set("a", 10)
        self.alarms.set("a", 30)
        self.alarms.set("b", 10)
        self.clock.pump([10, 20])
        self.assertEqual(self.rung, [("b", 10), ("a", 30)])

    def test_stopped(self) -> None:
        """Nothing is left of one that was stopped, not even the timer."""
        self.alarms.set("a", 10)
        self.alarms.stop("a")
        self.alarms.stop("a")
        self.assertEqual((len(self.alarms), self.clock.getDelayedCalls()), (0, []))
        self.clock.advance(10)
        self.assertEqual(self.rung, [])

    def test_never(self) -> None:
        self.alarms.set("a", 10)
        self.alarms.set("a", inf)
        self.clock.advance(10**9)
        self.assertEqual((self.rung, len(self.alarms)), ([], 0))

    def test_past(self) -> None:
        """A moment that has gone by is in the next turn, not in this one."""
        self.alarms.set("a", -5)
        self.assertEqual(self.rung, [])
        self.clock.advance(0)
        self.assertEqual(self.rung, [("a", 0)])

    def test_years(self) -> None:
        """No sleep is longer than a day."""
        self.alarms.set("a", 400 * 86_400)
        (call,) = self.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), 86_400)
        self.clock.pump([86_400] * 399)
        self.assertEqual(self.rung, [])
        self.clock.advance(86_400)
        self.assertEqual(self.rung, [("a", 400 * 86_400)])

    def test_while_ringing(self) -> None:
        """One that rings may set itself again, stop another, or clear them all."""
        alarms: Alarms[str] = Alarms(self.clock, lambda who: ring(who))  # noqa: PLW0108

        def ring(who: str) -> None:
            self.rung.append((who, self.clock.seconds()))
            alarms.stop("b")
            if self.clock.seconds() < 3:
                alarms.set("a", 1)
            else:
                alarms.clear()

        for who in ("a", "b", "c"):
            alarms.set(who, 1 if who != "c" else 100)
        self.clock.pump([1] * 5)
        self.assertEqual(self.rung, [("a", 1), ("a", 2), ("a", 3)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_memory(self) -> None:
        """Ends that are moved again and again take no more room than those that count."""
        for who in range(100):
            self.alarms.set(str(who), 1000)
        for moved in range(10_000):
            self.alarms.set(str(moved % 100), 1000 + moved)
        self.assertLessEqual(len(self.alarms._heap), 264)
        self.clock.advance(1000 + 10_000)
        self.assertEqual(len(self.rung), 100)
