"""Two servers on a real Redis with a client each, and what is to be true whatever befalls it."""

from __future__ import annotations

import itertools

from twisted.internet import reactor

from mojo.cluster import redis_bus
from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.shared_recovery import SharedRecovery
from mojo.cluster.streams import StreamsLine
from mojo.socketio.adapter import EVERYONE
from mojo.socketio.recovery import RecoveryOptions
from tests.cluster.memory_bus import Server, Someone
from tests.cluster.test_redis_bus import RedisTestCase


class Node(Server):
    """
    A server with one client.

    Args:
        bus: its own.
        recovers: whether places of clients are kept in Redis.
    """

    def __init__(self, bus, recovers=False) -> None:
        def make_local(server):
            options = RecoveryOptions()
            return SharedRecovery(bus.kept, server.parser, self.name, options, lambda *_: None)

        super().__init__(
            None,
            clock=reactor,
            bus=bus,
            make_line=PubSubLine if bus._reader is None else StreamsLine,
            make_local=make_local if recovers else None,
        )
        self.someone = Someone("id of " + self.uid)
        self.adapter.add(self.someone)

    @property
    def got(self) -> list[str]:
        """What the client has got."""
        return [name for name, *_ in self.someone.got]

    def say(self, *names: str, volatile=False) -> None:
        """Send events to everybody."""
        for name in names:
            self.adapter.broadcast(self.parser.event(name, [], volatile=volatile), EVERYONE)


class FailureTestCase(RedisTestCase):
    """
    A Redis that fails, and what is said of it by servers of one format.

    Attributes:
        recovers: whether places of clients are kept.
    """

    recovers = False
    numbers = itertools.count(1)

    async def setUp(self) -> None:
        await super().setUp()
        self.patch(redis_bus, "CHECK_SECONDS", 0.05)

    async def node(self, url="", **options) -> Node:
        bus = self.bus(url, **options)
        node = Node(bus, self.recovers)
        self.addCleanup(node.adapter.close)
        bus.start()
        await self.until(lambda: bus.is_up, "a bus")
        return node

    async def nodes(self, url="", **options) -> tuple[Node, Node]:
        self.one = await self.node(url, **options)
        self.two = await self.node(url, **options)
        await self.carries()
        self.assertEqual(self.told(), (0, 0))
        return self.one, self.two

    async def gone(self, *nodes: Node) -> None:
        """Wait until these servers know that Redis does not help."""
        await self.until(lambda: not any(node.bus.is_up for node in nodes), "its end")
        self.serves_its_own(*nodes)

    def serves_its_own(self, *nodes: Node) -> None:
        """Prove that a client gets what is sent where it is, at once."""
        for node in nodes:
            name = f"own {next(self.numbers)}"
            node.say(name)
            self.assertEqual(node.got[-1], name)

    async def carries(self, *nodes: Node) -> None:
        """Prove that what each of them sends each of them gets, and that Redis knows of it."""
        nodes = nodes or (self.one, self.two)
        await self.until(lambda: all(node.bus.is_up for node in nodes), "a bus")
        for node in nodes:
            name = f"all {next(self.numbers)}"
            node.say(name)
            for other in nodes:
                await self.until(lambda other=other, name=name: name in other.got, name)
                self.assertEqual(other.got.count(name), 1)
        for node in nodes:
            # What it will wait for, if Redis goes.
            await self.until(lambda node=node: node.bus._settling._servers == len(nodes))
            for listener in node.bus._by_pattern.values():
                self.assertEqual(await node.bus.count(listener.probe), 1)
                self.assertEqual(await node.bus.count(listener.shared), len(nodes))
            self.assertTrue(node.stats.up)

    async def arrive(self, node: Node, *names: str) -> None:
        """Prove that a client gets these, in this order, once."""
        wanted = list(names)

        def those() -> list[str]:
            return [name for name in node.got if name in names]

        await self.until(lambda: len(those()) >= len(wanted), f"{names}"[:100])
        self.assertEqual(those(), wanted)

    def told(self) -> tuple[int, int]:
        """How often the log said that it was away, and that it was back."""
        return (
            len([line for line in self.lines if "is away" in line]),
            len([line for line in self.lines if "is back" in line]),
        )
