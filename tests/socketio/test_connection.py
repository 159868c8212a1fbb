"""`mojo.socketio.connection`: what ends it while something else is going on."""

from __future__ import annotations

from mojo.sessions.registry import Registry
from mojo.socketio import MojoSocketHandler
from tests.socketio.world import OverTransport, over_both, remembering


class Ending(OverTransport):
    def test_while_it_is_let_in(self) -> None:
        """What was held back for it may end it: it is then gone, and nowhere listed."""

        def on_open(self, request):
            self.on_any_outgoing(lambda *args: self.close())
            self.emit("welcome")

        handler_class = remembering(on_open=on_open)
        world = self.world(handler_class)
        registry = world.server.observer = Registry(world.server)
        client = world.client(self.transport, headers={"Cookie": "session_id=s1"})
        client.send("0/ChatSocket,")
        self.assertEqual(client.received(), ['0/ChatSocket,{"sid":"cid1"}', "1/ChatSocket,"])
        self.assertEqual(handler_class.seen, [("on_close", "server namespace disconnect")])
        self.assertEqual(dict(world.server.namespaces["/ChatSocket"].connections), {})
        self.assertEqual(list(registry.visitors), [])

    def test_one_ends_the_next(self) -> None:
        """Each connection of a client that goes ends once, also if an on_close ended it before."""
        registries: list = []

        class Handler(remembering(__endpoints__={"/doc/<id>": MojoSocketHandler})):
            def on_close(self, reason):
                registries[0].session(self.session_id).close()

        world = self.world(Handler, cleanup_empty_namespaces=True)
        world.server.observer = Registry(world.server)
        registries.append(world.server.observer)
        stays = self.connect(world, "/ChatSocket/doc/1")
        namespace = world.server.namespaces["/ChatSocket/doc/1"]
        leaves = self.connect(world, headers={"Cookie": "session_id=s1"})
        leaves.connect("/ChatSocket/doc/1")
        leaves.vanish()
        # It counts who is there, and would go under somebody's feet.
        self.assertIs(world.server.namespaces.get("/ChatSocket/doc/1"), namespace)
        stays.vanish()
        self.assertNotIn("/ChatSocket/doc/1", world.server.namespaces)


WebSocketEndingTests, PollingEndingTests = over_both(Ending)
