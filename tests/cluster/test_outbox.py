"""`mojo.cluster.outbox`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster import outbox
from mojo.cluster.outbox import Outbox
from mojo.cluster.stats import ClusterStats


class OutboxTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.stats = ClusterStats()
        self.outbox = Outbox(self.clock, self.stats)

    def put(self, *messages: bytes, lasts=False) -> None:
        for message in messages:
            self.outbox.put(b"channel", message, lasts=lasts)

    def taken(self) -> list[bytes]:
        return [self.outbox.take()[1] for _ in range(len(self.outbox))]

    def test_order(self) -> None:
        """As it came, but what lasts leaves first."""
        self.put(b"1", b"2")
        self.put(b"3", b"4", lasts=True)
        self.assertEqual(self.taken(), [b"3", b"4", b"1", b"2"])
        self.assertEqual((len(self.outbox), self.stats.unsent), (0, 0))

    def test_what_came_back(self) -> None:
        """It leaves before all that has not been tried, and is no older than when it came back."""
        self.put(b"3")
        self.put(b"2", lasts=True)
        self.clock.advance(20)
        self.outbox.put_back(b"channel", b"0", lasts=True)
        self.outbox.put_back(b"channel", b"1", lasts=False)
        self.assertEqual(self.taken(), [b"0", b"1", b"2", b"3"])
        self.outbox.put_back(b"channel", b"0", lasts=True)
        self.outbox.put_back(b"channel", b"1", lasts=False)
        self.clock.advance(30.1)
        self.outbox.trim()
        self.assertEqual((self.taken(), self.stats.unsent), ([b"0"], 1))

    def test_number(self) -> None:
        """The oldest goes first."""
        self.patch(outbox, "MAX_WAITING", 2)
        self.put(b"1", b"2", b"3")
        self.put(b"4", b"5", b"6", lasts=True)
        self.assertEqual(self.taken(), [b"5", b"6", b"2", b"3"])
        self.assertEqual(self.stats.unsent, 2)

    def test_bytes(self) -> None:
        """Those that were taken count no longer."""
        self.patch(outbox, "MAX_WAITING_BYTES", 10)
        for _ in range(3):
            self.put(b"12345", b"67890")
            self.assertEqual(self.taken(), [b"12345", b"67890"])
        self.put(b"12345", b"67890", b"1")
        self.assertEqual(self.taken(), [b"67890", b"1"])
        self.assertEqual(self.stats.unsent, 1)

    def test_age(self) -> None:
        """Thirty seconds, to the second; what lasts waits longer."""
        self.put(b"old")
        self.put(b"lasts", lasts=True)
        self.clock.advance(30)
        self.put(b"new")
        self.assertEqual((len(self.outbox), self.stats.unsent), (3, 0))
        self.clock.advance(0.1)
        self.outbox.trim()
        self.assertEqual(self.taken(), [b"lasts", b"new"])
        self.assertEqual(self.stats.unsent, 1)

    def test_forget(self) -> None:
        self.put(b"1")
        self.put(b"2", lasts=True)
        self.outbox.forget()
        self.assertEqual(self.taken(), [b"2"])
