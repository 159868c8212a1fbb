"""`mojo.engineio.flushing`: once for each turn, in order, whoever raises."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.flushing import FlushQueue


class Sender:
    """Notes when it is flushed."""

    def __init__(self, name: str, flushed: list[str], then=lambda: None) -> None:
        self.name = name
        self.flushed = flushed
        self.then = then

    def flush(self) -> None:
        self.flushed.append(self.name)
        self.then()


class FlushQueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.queue: FlushQueue[Sender] = FlushQueue(self.clock)
        self.flushed: list[str] = []

    def add(self, name: str, then=lambda: None) -> None:
        self.queue.add(Sender(name, self.flushed, then))

    def test_end_of_the_turn(self) -> None:
        """All of a turn are one timer, and are flushed in order."""
        for name in "abc":
            self.add(name)
        self.assertEqual((self.flushed, len(self.clock.getDelayedCalls())), ([], 1))
        self.clock.advance(0)
        self.assertEqual(self.flushed, ["a", "b", "c"])

    def test_batch(self) -> None:
        """A batch ends with those that it added, and takes no timer."""
        self.queue.hold()
        self.add("a")
        self.assertEqual((self.flushed, self.clock.getDelayedCalls()), ([], []))
        self.queue.release()
        self.assertEqual(self.flushed, ["a"])

    def test_before_and_after_a_batch(self) -> None:
        """Who waited when it began goes first; who comes when it is over waits for the turn."""
        self.add("before")
        self.queue.hold()
        self.add("in it")
        self.queue.release()
        self.assertEqual(self.flushed, ["before", "in it"])
        self.add("after")
        self.assertEqual(self.flushed, ["before", "in it"])
        self.clock.advance(0)
        self.assertEqual(self.flushed, ["before", "in it", "after"])

    def test_added_meanwhile(self) -> None:
        """Who is added by a flush has the next turn, also at the end of a batch."""
        self.queue.hold()
        self.add("a", lambda: self.add("b"))
        self.queue.release()
        self.assertEqual(self.flushed, ["a"])
        self.clock.advance(0)
        self.assertEqual(self.flushed, ["a", "b"])

    def test_one_raises(self) -> None:
        """The others are flushed."""
        self.add("a", lambda: 1 / 0)
        self.add("b")
        self.clock.advance(0)
        self.assertEqual(self.flushed, ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
