"""`mojo.cluster.node`."""

from __future__ import annotations

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster.node import ClusterNode
from mojo.cluster.stats import ClusterStats
from mojo.errors import PacketError
from tests.cluster.memory_bus import Exchange, MemoryBus


class RefuseTests(SynchronousTestCase):
    """What cannot be read of what others send."""

    def setUp(self) -> None:
        self.node = ClusterNode(MemoryBus(Exchange()), ClusterStats(), lambda: "id")
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    def log(self, event) -> None:
        if event["log_namespace"] == "mojo.cluster.node":
            self.lines.append(event["log_format"].format(**event))

    def test_once(self) -> None:
        """Each is counted, and the first of a kind is logged."""
        for _ in range(3):
            self.node.refuse("request", PacketError("a request is a map"))
        self.node.refuse("response", PacketError("it is not JSON"))
        self.assertEqual(self.node.stats.refused, 4)
        self.assertEqual(len(self.lines), 2)
        self.assertIn("a request was passed over: a request is a map", self.lines[0])

    def test_bounded(self) -> None:
        """Others can make neither many lines nor long ones."""
        for number in range(1000):
            self.node.refuse("broadcast", PacketError(f"event {number} {'x' * 100_000}"))
        self.assertEqual((len(self.lines), self.node.stats.refused), (100, 1000))
        self.assertLess(max(map(len, self.lines)), 400)
