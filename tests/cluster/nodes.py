"""Whole services of one cluster in memory, on one clock, whose bus may lose things."""

from __future__ import annotations

import itertools
from unittest.mock import patch

from twisted.internet.defer import succeed
from twisted.internet.task import Clock

from mojo import service as service_module
from mojo.cluster.node import ClusterNode
from mojo.cluster.stats import ClusterStats
from mojo.project.app import App
from mojo.service import MojoService
from mojo.settings import read_settings
from mojo.testing import TestServer
from tests.cluster.memory_bus import Exchange, MemoryBus

_SECRET = "a secret for tests alone: 0123456789"
_numbers = itertools.count(1)


class NodeBus(MemoryBus):
    """
    One node's bus.

    Attributes:
        loses: tells which messages that come are lost.
        process_is_there: whether there is anybody who hears and speaks.
    """

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.is_up = False
        self.is_alive = True
        self.is_cut = False
        self.loses = lambda channel, data: False
        self._listeners: list = []

    def start(self) -> None:
        self.is_up = not self.is_cut

    def stop(self):
        self.is_up = False
        return succeed(None)

    def listen(self, listener) -> None:
        super().listen(_Ear(self, listener))

    def publish(self, channel, data, *, waits=True, lasts=False) -> None:
        if self.is_alive:
            super().publish(channel, data, waits=waits, lasts=lasts)


class _Ear:
    """Hears what its bus hears."""

    def __init__(self, bus: NodeBus, listener) -> None:
        self.bus = bus
        self.listener = listener
        self.channels, self.prefix = listener.channels, listener.prefix

    def received(self, channel, data) -> None:
        if self.bus.is_up and self.bus.is_alive and not self.bus.loses(channel, data):
            self.listener.received(channel, data)


class Node:
    """
    A service of a cluster.

    Attributes:
        server: what clients connect to.
        told: what its hooks were told.
    """

    def __init__(self, cluster: Cluster, *apps: App, **settings) -> None:
        self.cluster = cluster
        self.told: list[tuple[str, str]] = []
        self.bus = NodeBus(cluster.exchange)
        self.uid = f"node{next(_numbers)}"
        ids = map("{}-{}".format, itertools.repeat(self.uid), itertools.count())
        node = ClusterNode(self.bus, ClusterStats(), lambda: next(ids))
        self.uid = node.uid
        given = {
            "COOKIE_SECRET": _SECRET,
            "DRAIN_SECONDS": 0,
            "ON_USER_ONLINE": lambda user_id, service: self.told.append(("came", user_id)),
            "ON_USER_OFFLINE": lambda user_id, service: self.told.append(("went", user_id)),
            **settings,
        }
        with patch.object(service_module, "make_cluster", lambda *args: node):
            self.service = MojoService(cluster.clock, read_settings(given), apps, now=cluster.now)
        self.server = TestServer(self.service)

    @property
    def roster(self):
        return self.service._sockets.presence.roster

    @property
    def peers(self):
        return self.service.cluster.peers

    def kill(self) -> None:
        """Let it be gone, without a word."""
        self.bus.is_alive = False
        self.cluster.nodes.remove(self)

    def cut(self) -> None:
        """Take the bus away."""
        self.bus.is_cut, self.bus.is_up = True, False

    def mend(self) -> None:
        """Give the bus back."""
        self.bus.is_cut, self.bus.is_up = False, True

    def stop(self) -> None:
        """End it as an operator would."""
        stopped = self.service.stopService()
        for _ in range(400):
            if stopped.called:
                break
            self.cluster.turn(0.02)
        assert stopped.called
        self.bus.is_alive = False
        self.cluster.nodes.remove(self)


class Cluster:
    """Some nodes, whose time is one."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.exchange = Exchange()
        self.nodes: list[Node] = []
        self._all: list[Node] = []

    def now(self) -> float:
        return 1_700_000_000.0 + self.clock.seconds()

    def start(self, *apps: App, **settings) -> Node:
        node = Node(self, *apps, **settings)
        self.nodes.append(node)
        self._all.append(node)
        return node

    def turn(self, seconds: float = 0.0) -> None:
        """Let so much time go by, and what is under way arrive."""
        for node in self._all:
            node.server._read()  # clients answer pings
        self.clock.advance(seconds)
        self.exchange.turn()
        self.clock.advance(0)
        self.exchange.turn()

    def advance(self, seconds: float, step: float = 0.1) -> None:
        """Let time go by in small steps."""
        for _ in range(round(seconds / step)):
            self.turn(step)

    def news(self) -> list[tuple[str, str]]:
        """What the hooks were told since the last time, at whatever node."""
        self.turn()
        told = [item for node in self._all for item in node.told]
        for node in self._all:
            node.told.clear()
        return told

    def close(self) -> None:
        """Stop all, and check that nothing is left of any."""
        stopped = [node.service.stopService() for node in self._all if node.service.running]
        self.advance(10)
        assert all(deferred.called for deferred in stopped)
        for node in self._all:
            node.server.noticed.end()
        assert not self.clock.getDelayedCalls(), self.clock.getDelayedCalls()
