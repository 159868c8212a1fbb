"""`mojo.workers.loads`: who takes the next connection."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.workers.loads import IMPATIENCE, PATIENCE, Loads, Turnstile


class LoadsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = Loads.make(3)
        self.addCleanup(self.file.close)
        self.parents = Loads(self.file.fileno())
        self.loads = [Loads(self.file.fileno()) for _ in range(3)]

    def test_alone(self) -> None:
        """Who is not there yet can take nobody; who has come can, also before it has looked."""
        self.parents.occupy(0)
        self.assertFalse(self.loads[0].is_much(0, 1000))
        self.parents.occupy(1)
        self.assertTrue(self.loads[0].is_much(0, 1000))

    def test_much(self) -> None:
        """A few more than the least of the others are not much, nor an eighth."""
        for least, most in ((0, 4), (8, 13), (800, 904)):
            self.loads[1].is_much(1, least)
            self.loads[2].is_much(2, 2 * most)
            self.assertFalse(self.loads[0].is_much(0, most))
            self.assertTrue(self.loads[0].is_much(0, most + 1))
            self.assertFalse(self.loads[1].is_much(1, least))

    def test_gone(self) -> None:
        """One that has died has nothing to do, and leaves nobody to wait for it."""
        self.loads[1].is_much(1, 0)
        self.assertTrue(self.loads[0].is_much(0, 10))
        self.parents.vacate(1)
        self.assertFalse(self.loads[0].is_much(0, 10))
        # The next one is there.
        Loads(self.file.fileno()).is_much(1, 0)
        self.assertTrue(self.loads[0].is_much(0, 10))


class Port:
    """A port at which somebody always waits."""

    numberAccepts = 100  # noqa: N815
    connected = True
    disconnecting = False

    def __init__(self) -> None:
        self.reading = True
        self.accepted: list[int] = []

    def doRead(self) -> None:
        self.accepted.append(self.numberAccepts)
        self.numberAccepts = 100

    def stopReading(self) -> None:
        self.reading = False

    def startReading(self) -> None:
        self.reading = True


class TurnstileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1)
        self.port = Port()
        self.is_loaded = False
        Turnstile(self.clock, lambda: self.is_loaded, self.port)

    def turn(self) -> None:
        if self.port.reading:
            self.port.doRead()

    def test_one_by_one(self) -> None:
        self.turn()
        self.turn()
        self.assertEqual(self.port.accepted, [1, 1])

    def test_patience(self) -> None:
        """Others have a moment; who waits after that is taken, for a while."""
        self.is_loaded = True
        self.turn()
        self.clock.advance(PATIENCE * 0.9)
        self.turn()
        self.assertEqual(self.port.accepted, [])
        self.clock.advance(PATIENCE * 0.2)
        self.turn()
        self.clock.advance(IMPATIENCE * 0.9)
        self.turn()
        self.assertEqual(self.port.accepted, [1, 1])
        self.clock.advance(IMPATIENCE * 0.2)
        self.turn()
        self.assertFalse(self.port.reading)
        self.assertEqual(self.port.accepted, [1, 1])

    def test_others_came(self) -> None:
        """Who comes later may find that this one has no longer more to do."""
        self.is_loaded = True
        self.turn()
        self.clock.advance(PATIENCE + IMPATIENCE)
        self.is_loaded = False
        self.turn()
        self.assertEqual(self.port.accepted, [1])

    def test_closed(self) -> None:
        """A port that was closed meanwhile stays closed."""
        self.is_loaded = True
        for attribute, value in (("disconnecting", True), ("connected", False)):
            self.port.reading = True
            self.turn()
            setattr(self.port, attribute, value)
            self.clock.advance(PATIENCE + IMPATIENCE)
            self.assertFalse(self.port.reading)
            self.port.disconnecting = False
