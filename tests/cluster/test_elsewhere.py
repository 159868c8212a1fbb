"""Namespaces made on demand that only other servers have: `mojo.socketio.parents`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mojo.cluster.adapter import ClusterAdapter
from mojo.cluster.pubsub import PubSubLine
from mojo.cluster.streams import StreamsLine
from mojo.socketio.adapter import LocalAdapter
from tests.cluster.memory_bus import Exchange, Server
from tests.socketio.world import World, remembering


class ElsewhereTests(SynchronousTestCase):
    """Two servers with one declaration; the client is at the second, in "/doc/5"."""

    make_line = PubSubLine

    def setUp(self) -> None:
        self.exchange = Exchange()
        self.handler_class = remembering()
        self.worlds = [World({"/": remembering()}) for _ in range(2)]
        for number, world in enumerate(self.worlds):
            node = Server(self.exchange, name=f"/node{number}")

            def make(namespace, local, node=node):
                return ClusterAdapter(node, namespace, local, self.make_line)

            def make_remote(namespace, node=node):
                local = LocalAdapter()
                return ClusterAdapter(node, namespace, local, self.make_line, listens=False)

            world.server.make_adapter = make
            world.server.make_remote = make_remote
            world.server.add_namespace("/doc/<id>", self.handler_class)
        self.client = self.worlds[1].connect("/doc/5")
        (self.handler,) = self.handler_class.handlers
        self.document = self.worlds[0].server.of("/doc/5")

    def settle(self) -> None:
        self.exchange.turn()
        self.worlds[1].turn()

    def test_told(self) -> None:
        self.document.emit("x", 1)
        self.worlds[0].server.of("/doc/6").emit("y")
        self.settle()
        self.assertEqual(self.client.received(), ['2/doc/5,["x",1]'])
        self.document.sockets_join("room")
        self.settle()
        self.assertIn("room", self.handler.rooms)
        self.document.to("room").disconnect_sockets()
        self.settle()
        self.assertEqual(self.client.received(), ["1/doc/5,"])

    def test_asked(self) -> None:
        """It cannot be, and says so at once."""
        answers = self.successResultOf(self.document.call("x"))
        self.assertEqual((answers.answers, len(answers.missing)), ([], 1))
        found = self.successResultOf(self.document.fetch_sockets())
        self.assertEqual((found, found.missing), ([], 1))

    def test_nothing_stays(self) -> None:
        """Whoever only sends listens to nothing, and is dropped."""
        before = len(self.exchange.listeners)
        self.document.emit("x")
        self.assertEqual(len(self.exchange.listeners), before)
        self.assertNotIn("/doc/5", self.worlds[0].server.namespaces)

    def test_alone(self) -> None:
        """A server that is alone has nobody to tell."""
        self.worlds[0].server.make_remote = None
        self.document.emit("x")
        self.assertEqual(self.exchange.published, [])
        self.assertEqual(self.successResultOf(self.document.fetch_sockets()), [])


class StreamsElsewhereTests(ElsewhereTests):
    """The same by a stream."""

    make_line = StreamsLine
