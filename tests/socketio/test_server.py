"""`mojo.socketio.server`: paths and namespaces, endpoints, floods."""

from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import EventTableError
from mojo.socketio import MojoSocketHandler, SocketServer
from tests.socketio.world import World, remembering


class PathTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.chat = remembering(on_message=lambda self, m: self.namespace.emit("said", m))
        self.game = remembering()
        self.world = World({"/ChatSocket": self.chat, "/GameSocket": self.game, "/": remembering()})

    def test_both_paths_reach_the_same_app(self) -> None:
        """One broadcast, to each connection under the name it knows the app by."""
        shared = self.world.connect("/ChatSocket")
        own = self.world.connect("/", path="/ChatSocket/")
        polling = self.world.connect("/", path="/ChatSocket/", transport="polling")
        shared.send('2/ChatSocket,["message","hi"]')
        self.assertEqual(shared.received(), ['2/ChatSocket,["said","hi"]'])
        self.assertEqual(own.received(), ['2["said","hi"]'])
        self.assertEqual(polling.received(), ['2["said","hi"]'])
        self.assertEqual([str(h.namespace) for h in self.chat.handlers], ["/ChatSocket"] * 3)
        own.send('2["message","back"]')
        self.assertEqual(shared.received(), ['2/ChatSocket,["said","back"]'])

    def test_rooms_are_the_same(self) -> None:
        self.world.connect("/ChatSocket")
        own = self.world.connect("/", path="/ChatSocket/")
        for handler in self.chat.handlers:
            handler.join("room")
        self.chat.handlers[0].to("room").emit("x")
        self.assertEqual(own.received(), ['2["x"]'])

    def test_multiplexing(self) -> None:
        """Several apps on one connection, which do not hear each other."""
        client = self.world.client()
        for name in ("/ChatSocket", "/GameSocket", "/"):
            client.connect(name)
        client.send('2/ChatSocket,["message","hi"]')
        self.assertEqual(client.received(), ['2/ChatSocket,["said","hi"]'])
        client.send("1/ChatSocket,")
        self.game.handlers[0].emit("still here")
        self.assertEqual(client.received(), ['2/GameSocket,["still here"]'])
        client.vanish()
        self.assertEqual(self.chat.seen, [("on_close", "client namespace disconnect")])
        self.assertEqual(self.game.seen, [("on_close", "transport close")])

    def test_own_path_has_no_other_apps(self) -> None:
        client = self.world.client(path="/ChatSocket/")
        for name in ("/GameSocket", "/ChatSocket"):
            client.send(f"0{name},")
            self.assertEqual(client.received(), [f'4{name},{{"message":"Invalid namespace"}}'])

    def test_id_of_another_path(self) -> None:
        """A session is known on the path where it was opened."""
        from mojo.testing.wire import Wire

        client = self.world.client("polling")
        uri = client.uri.replace("/socket.io/", "/ChatSocket/")
        self.assertEqual(Wire(self.world.site).get(uri).json["code"], 1)


class EndpointTests(SynchronousTestCase):
    def test_endpoints(self) -> None:
        """``__endpoints__`` are namespaces below the handler's, on both paths."""
        deep = remembering()
        admin = remembering(__endpoints__={"/deep": deep})
        world = World({"/ChatSocket": remembering(__endpoints__={"/admin": admin})})
        world.connect("/ChatSocket/admin")
        world.connect("/ChatSocket/admin/deep")
        world.connect("/admin", path="/ChatSocket/")
        world.connect("/admin/deep", path="/ChatSocket/")
        self.assertEqual(len(admin.handlers), 2)
        self.assertEqual(len(deep.handlers), 2)
        self.assertEqual(str(deep.handlers[0].namespace), "/ChatSocket/admin/deep")
        self.assertEqual(world.server.namespaces["/ChatSocket/admin"].app, "Chat")

    def test_of_the_root(self) -> None:
        admin = remembering()
        world = World({"/": remembering(__endpoints__={"/admin": admin})})
        world.connect("/admin")
        self.assertEqual(len(admin.handlers), 1)

    def test_bad_names(self) -> None:
        server = SocketServer(World({}).clock)
        for name in ("", "admin", "/a,b", "/a\n", "/a\x7f", "/a/", f"/{'x' * 1024}"):
            with self.assertRaises(EventTableError) as caught:
                server.add_namespace(name, MojoSocketHandler)
            self.assertIn(repr(name), str(caught.exception))
        server.add_namespace("/a", MojoSocketHandler)
        self.assertRaises(EventTableError, server.add_namespace, "/a", MojoSocketHandler)


class FloodTests(SynchronousTestCase):
    def test_clients_that_join_nothing(self) -> None:
        """Beyond a number of them the oldest goes; whoever joins is not held up."""
        world = World({"/": remembering()}, max_unjoined=3)
        joined = world.connect()
        idle = [world.client() for _ in range(3)]
        late = world.connect()
        self.assertEqual([client.closed for client in idle], [True, False, False])
        self.assertFalse(joined.closed or late.closed)

    def test_nothing_is_left(self) -> None:
        """Joined, refused, vanished, timed out: no object stays."""
        handler_class = remembering(on_open=lambda self, request: "yes" in request.auth)
        handler_class.handlers = type("Forgetful", (list,), {"append": lambda self, x: None})()
        world = World({"/": handler_class})
        for transport in ("websocket", "polling"):
            for number in range(20):
                client = world.client(transport)
                if number % 2:
                    client.send('0{"yes":1}' if number % 4 == 1 else "0")
                if number % 3:
                    client.vanish()
        for _ in range(100):
            world.clock.advance(1)
        for engine in world.server._engines:
            self.assertEqual(dict(engine.sessions), {})
        self.assertEqual(dict(world.server.namespaces["/"].connections), {})
        self.assertEqual(list(world.server.namespaces["/"].adapter.select(set(), set())), [])
        self.assertEqual(world.clock.getDelayedCalls(), [])


class OperatorTests(SynchronousTestCase):
    def test_immutable(self) -> None:
        """A word gives a new operator; the one it was said to stays as it was."""
        world = World({"/ChatSocket": remembering()})
        clients = [world.connect("/ChatSocket") for _ in range(2)]
        everyone = world.server.namespaces["/ChatSocket"].operator
        everyone.to("nowhere")
        everyone.except_("cid1", "cid2")
        everyone.emit("x")
        self.assertEqual([c.received() for c in clients], [['2/ChatSocket,["x"]']] * 2)
        self.assertEqual((str(everyone), everyone.name), ("/ChatSocket", "/ChatSocket"))

    def test_sending_while_connections_go(self) -> None:
        """A recipient that ends others while it is sent to harms no one."""
        handler_class = remembering()
        world = World({"/": handler_class})
        clients = [world.connect() for _ in range(3)]
        first = handler_class.handlers[0]._connection
        original = first.client.session

        class Session:
            def send_packets(self, packets):
                original.send_packets(packets)
                handler_class.handlers[1].close()

        class Closing:
            session = Session()
            remove = first.client.remove
            resume = first.client.resume

        first.client = Closing()
        handler_class.handlers[2].namespace.emit("x")
        self.assertEqual([c.received() for c in clients], [['2["x"]'], ["1"], ['2["x"]']])


class ThreadTests(SynchronousTestCase):
    def test_from_another_thread(self) -> None:
        """What is sent from elsewhere is carried to the reactor's thread, in order."""
        import threading

        from twisted.python import threadable

        handler_class = remembering()
        world = World({"/": handler_class})
        client = world.connect()
        (handler,) = handler_class.handlers
        calls: list = []
        world.server.namespaces["/"].clock.callFromThread = lambda f, *a: calls.append((f, a))
        self.patch(threadable, "ioThread", threading.get_ident())

        def work() -> None:
            handler.emit("a", 1)
            handler.namespace.emit("b")
            handler.join("room")
            handler.leave("room")
            handler.close()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual(client.received(), [])
        self.assertEqual(len(calls), 5)
        for function, args in calls:
            function(*args)
        self.assertEqual(client.received(), ['2["a",1]', '2["b"]', "1"])

    def test_errors_are_raised_in_that_thread(self) -> None:
        import threading

        from twisted.python import threadable

        from mojo.errors import UnsendableError

        handler_class = remembering()
        World({"/": handler_class}).connect()
        caught: list = []
        self.patch(threadable, "ioThread", threading.get_ident())

        def work() -> None:
            try:
                handler_class.handlers[0].emit("a", object())
            except UnsendableError as exc:
                caught.append(exc)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual(len(caught), 1)
