"""`mojo.engineio.deadlines`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.deadlines import Deadlines


class DeadlinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[tuple[str, float]] = []
        self.deadlines: Deadlines[str] = Deadlines(
            self.clock, 10.0, lambda waiter: self.expired.append((waiter, self.clock.seconds()))
        )

    def test_expires_to_the_second(self) -> None:
        """Waits that began at 0 and 3 end at 10 and 13."""
        self.deadlines.start("a")
        self.clock.advance(3)
        self.deadlines.start("b")
        self.clock.pump([1] * 12)
        self.assertEqual(self.expired, [("a", 10.0), ("b", 13.0)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slack(self) -> None:
        """Of many, who is due less than a second after another is woken a second after it."""
        deadlines: Deadlines[str] = Deadlines(
            self.clock,
            10.0,
            lambda waiter: self.expired.append((waiter, self.clock.seconds())),
            slack=1.0,
        )
        late = [f"late {number}" for number in range(100)]
        for waiter, pause in (("a", 0.25), ("b", 0.25), ("c", 2), *((name, 0) for name in late)):
            deadlines.start(waiter)
            self.clock.advance(pause)
        self.clock.pump([0.25] * 40)
        self.assertEqual(self.expired[:3], [("a", 10.0), ("b", 11.0), ("c", 11.0)])
        self.assertEqual(self.expired[3:], [(name, 12.5) for name in late])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_slack_for_a_few(self) -> None:
        """A hundred are woken each at its time."""
        deadlines: Deadlines[str] = Deadlines(
            self.clock,
            10.0,
            lambda waiter: self.expired.append((waiter, self.clock.seconds())),
            slack=1.0,
        )
        names = [f"waiter {number}" for number in range(100)]
        for name in names:
            deadlines.start(name)
            self.clock.advance(1 / 128)
        self.clock.pump([1 / 128] * 1280)
        self.assertEqual(
            self.expired, [(name, 10 + number / 128) for number, name in enumerate(names)]
        )

    def test_one_timer(self) -> None:
        """A thousand waits are one delayed call."""
        for number in range(1000):
            self.deadlines.start(str(number))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_renewed(self) -> None:
        """A wait that begins anew at 9 ends at 19."""
        self.deadlines.start("a")
        self.clock.advance(9)
        self.deadlines.start("a")
        self.clock.pump([1] * 11)
        self.assertEqual(self.expired, [("a", 19.0)])

    def test_stopped(self) -> None:
        self.deadlines.start("a")
        self.assertTrue(self.deadlines.stop("a"))
        self.assertFalse(self.deadlines.stop("a"))
        self.clock.advance(100)
        self.assertEqual(self.expired, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_zero_never_expires(self) -> None:
        deadlines: Deadlines[str] = Deadlines(self.clock, 0, self.fail)
        deadlines.start("a")
        self.assertNotIn("a", deadlines)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_restart_while_expiring(self) -> None:
        """What expires may begin to wait again at once."""
        deadlines: Deadlines[str]

        def again(waiter: str) -> None:
            self.expired.append((waiter, self.clock.seconds()))
            if len(self.expired) < 3:
                deadlines.start(waiter)

        deadlines = Deadlines(self.clock, 10.0, again)
        deadlines.start("a")
        self.clock.pump([1] * 40)
        self.assertEqual(self.expired, [("a", 10.0), ("a", 20.0), ("a", 30.0)])

    def test_clear(self) -> None:
        self.deadlines.start("a")
        self.deadlines.clear()
        self.assertEqual(len(self.deadlines), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_oldest(self) -> None:
        self.assertIsNone(self.deadlines.oldest())
        self.deadlines.start("a")
        self.deadlines.start("b")
        self.deadlines.start("a")
        self.assertEqual(self.deadlines.oldest(), "b")
