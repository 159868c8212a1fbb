"""`mojo.socketio.parents`: namespaces that are made on demand, on both kinds of path."""

from __future__ import annotations

import gc
import re
import sys
import weakref

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo.errors import EventTableError
from mojo.socketio import MojoSocketHandler, SocketServer, event
from mojo.socketio.parents import is_name
from tests.socketio.world import OverTransport, World, over_both, remembering

INVALID = '{"message":"Invalid namespace"}'


class Demand(OverTransport):
    """``/DocsSocket`` with whatever a test puts below it."""

    def docs(self, endpoints, **options) -> World:
        handler_class = remembering(__endpoints__=endpoints)
        self.docs_world = World(
            {"/DocsSocket": handler_class, "/ChatSocket": remembering()}, **options
        )
        return self.docs_world

    def ask(self, name, auth="", **options) -> str:
        """Ask for a namespace; give the answer without its name."""
        client = self.docs_world.client(self.transport, **options)
        client.send(f"0{name},{auth}")
        (answer,) = client.received()
        kind = answer[0]
        self.assertTrue(answer.startswith(f"{kind}{name},"), answer)
        return "in" if kind == "0" else answer[len(f"{kind}{name},") :]

    def made(self) -> set[str]:
        """Name the namespaces that were made on demand and are there."""
        return set(self.docs_world.server.namespaces) - {"/DocsSocket", "/ChatSocket"}

    # -- what names -------------------------------------------------------------

    def test_parameters(self) -> None:
        """Each is anything without a slash, and the handler's ``params`` has it."""
        document = remembering()
        self.docs({"/doc/<id>": document, "/doc/<id>/page-<number>": document})
        for name, params in (
            ("/DocsSocket/doc/7", {"id": "7"}),
            ("/DocsSocket/doc/é", {"id": "é"}),
            ("/DocsSocket/doc/<id>", {"id": "<id>"}),
            ("/DocsSocket/doc/a.b*[c]'\"{}|\\%2F", {"id": "a.b*[c]'\"{}|\\%2F"}),
            ("/DocsSocket/doc/__proto__", {"id": "__proto__"}),
            ("/DocsSocket/doc/7/page-12", {"id": "7", "number": "12"}),
        ):
            self.assertEqual(self.ask(name), "in", name)
            handler = document.handlers[-1]
            self.assertEqual(dict(handler.params), params)
            self.assertEqual((str(handler.namespace), handler.namespace.name), (name, name))
        with self.assertRaises(TypeError):
            handler.params["id"] = "another"
        for name in ("/DocsSocket/doc", "/DocsSocket/doc/7/8", "/DocsSocket/document/7",
                     "/doc/7", "/ChatSocket/doc/7"):  # fmt: skip
            self.assertEqual(self.ask(name), INVALID, name)

    def test_no_parameters(self) -> None:
        """A namespace that was always there has none."""
        document = remembering()
        self.docs({"/plain": document})
        self.ask("/DocsSocket/plain")
        self.assertEqual(dict(document.handlers[0].params), {})

    def test_expression(self) -> None:
        """It is held against the whole rest of the name; its named groups are the parameters."""
        year = remembering()
        self.docs({re.compile(r"/year-(?P<year>\d{4})(/(?P<month>\d+))?"): year})
        self.assertEqual(self.ask("/DocsSocket/year-2026"), "in")
        self.assertEqual(self.ask("/DocsSocket/year-2026/11"), "in")
        self.assertEqual(
            [dict(h.params) for h in year.handlers],
            [{"year": "2026", "month": ""}, {"year": "2026", "month": "11"}],
        )
        for name in ("/DocsSocket/year-26", "/DocsSocket/year-20260", "/DocsSocket/x/year-2026"):
            self.assertEqual(self.ask(name), INVALID)

    def test_predicate(self) -> None:
        """It gets the rest of the name and the auth; True, or parameters, let it be made."""
        asked = []

        def beta(name, auth):
            asked.append((name, auth))
            return auth.get("answer", False)

        tester = remembering()
        self.docs({beta: tester})
        for answer in ("false", "null", "0", '"yes"', "1", "[]"):
            self.assertEqual(self.ask("/DocsSocket/b", f'{{"answer":{answer}}}'), INVALID, answer)
        self.assertEqual(self.ask("/DocsSocket/b"), INVALID)
        self.assertEqual(self.ask("/DocsSocket/b", '{"answer":true}'), "in")
        self.assertEqual(self.ask("/DocsSocket/c", '{"answer":{"a":"b"}}'), "in")
        self.assertEqual([dict(h.params) for h in tester.handlers], [{}, {"a": "b"}])
        self.assertEqual(asked[0], ("/b", {"answer": False}))
        self.assertEqual(asked[-1], ("/c", {"answer": {"a": "b"}}))

    def test_predicate_is_asked_for_each(self) -> None:
        """Who comes first opens the namespace for itself, and not for everyone."""
        tester = remembering()
        self.docs({lambda name, auth: auth.get("tester") is True: tester})
        self.assertEqual(self.ask("/DocsSocket/beta", '{"tester":true}'), "in")
        self.assertEqual(self.ask("/DocsSocket/beta"), INVALID)
        self.assertEqual(self.ask("/DocsSocket/beta", '{"tester":true}'), "in")
        self.assertEqual(len(tester.handlers), 2)

    def test_predicate_that_raises(self) -> None:
        """The name is nobody's, the client learns no more, and another may still have it."""
        document = remembering()
        self.docs({lambda name, auth: auth["token"]: remembering(), "/doc/<id>": document})
        self.assertEqual(self.ask("/DocsSocket/x"), INVALID)
        self.assertEqual(self.ask("/DocsSocket/doc/7"), "in")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)
        self.assertEqual(self.made(), {"/DocsSocket/doc/7"})

    def test_only_below(self) -> None:
        """Nothing outside of the app is asked for, however free an expression or a predicate is."""
        asked: list = []
        self.docs(
            {
                re.compile("[^/]*"): remembering(),
                lambda name, auth: asked.append(name): remembering(),
            }
        )
        for name in ("/DocsSocketX", "/DocsSocket2", "/ChatSocket/x", "/other"):
            self.assertEqual(self.ask(name), INVALID)
        self.assertEqual(asked, [])

    def test_names_that_cannot_be(self) -> None:
        """What cannot be declared by hand cannot be asked for either."""
        self.docs({lambda name, auth: True: remembering()})
        client = self.docs_world.client(self.transport)
        for name in ("/DocsSocket/a\x7f", "/DocsSocket/\x01", "/DocsSocket/a/",
                     "/DocsSocket/", "/DocsSocket/" + "x" * 1024):  # fmt: skip
            client.send(f"0{name},")
            self.assertEqual(client.received(), [f"4{name},{INVALID}"])
        self.assertEqual(self.made(), set())
        self.assertTrue(is_name("/" + "x" * 1023))

    def test_names_of_any_characters(self) -> None:
        """Only old clients have a query after a question mark."""
        document = remembering()
        self.docs({"/<name>": document})
        names = ["a b", "a#b", "#", "*", "[ab]", "\\", "ключ \U0001f511", " ", "a?b"]
        for name in names:
            self.assertEqual(self.ask(f"/DocsSocket/{name}"), "in", name)
        self.assertEqual([handler.params["name"] for handler in document.handlers], names)

    def test_first_declared_first(self) -> None:
        """Names that are always there, then declarations in their order."""
        exact, one, two = remembering(), remembering(), remembering()
        self.docs({"/<a>": one, "/doc": exact, re.compile("/.*"): two})
        for name in ("/DocsSocket/doc", "/DocsSocket/x", "/DocsSocket/x/y"):
            self.assertEqual(self.ask(name), "in")
        self.assertEqual([len(h.handlers) for h in (exact, one, two)], [1, 1, 1])

    # -- where ------------------------------------------------------------------

    def test_both_paths(self) -> None:
        """It is the same namespace on the shared path and on the app's own."""
        document = remembering()
        world = self.docs({"/doc/<id>": document})
        shared = self.connect(world, "/DocsSocket/doc/7")
        own = self.connect(world, "/doc/7", path="/DocsSocket/")
        document.handlers[0].namespace.emit("x")
        self.assertEqual(shared.received(), ['2/DocsSocket/doc/7,["x"]'])
        self.assertEqual(own.received(), ['2/doc/7,["x"]'])
        self.assertEqual(self.made(), {"/DocsSocket/doc/7"})
        self.assertEqual(self.ask("/doc/7", path="/ChatSocket/"), INVALID)

    def test_of_the_root(self) -> None:
        """The project's own handler may have them too."""
        document = remembering()
        self.docs_world = world = World({"/": remembering(__endpoints__={"/doc/<id>": document})})
        self.connect(world, "/doc/7")
        self.assertEqual(dict(document.handlers[0].params), {"id": "7"})
        self.assertEqual(self.ask("/doc"), INVALID)

    def test_nested(self) -> None:
        """What is below a name with parameters has these too."""
        comments = remembering()
        document = remembering(__endpoints__={"/comments/<page>": comments, "/log": comments})
        self.docs({"/doc/<id>": document})
        self.assertEqual(self.ask("/DocsSocket/doc/7/comments/2"), "in")
        self.assertEqual(self.ask("/doc/8/log", path="/DocsSocket/"), "in")
        self.assertEqual(
            [dict(h.params) for h in comments.handlers], [{"id": "7", "page": "2"}, {"id": "8"}]
        )
        self.assertEqual(self.made(), {"/DocsSocket/doc/7/comments/2", "/DocsSocket/doc/8/log"})

    def test_rooms_are_apart(self) -> None:
        document = remembering()
        world = self.docs({"/doc/<id>": document})
        clients = [self.connect(world, f"/DocsSocket/doc/{number}") for number in (7, 7, 8)]
        for handler in document.handlers:
            handler.join("editors")
        document.handlers[0].to("editors").emit("x")
        self.assertEqual([c.received() for c in clients], [[], ['2/DocsSocket/doc/7,["x"]'], []])

    def test_middleware(self) -> None:
        """The class's middleware is each one's; what is added to one is its own."""
        document = remembering(middleware=[lambda handler: handler.seen.append("class")])
        world = self.docs({"/doc/<id>": document})
        self.connect(world, "/DocsSocket/doc/7")
        document.handlers[0].namespace.use(lambda handler: handler.seen.append("7"))
        self.connect(world, "/DocsSocket/doc/8")
        self.connect(world, "/DocsSocket/doc/7")
        self.assertEqual(document.seen, ["class", "class", "class", "7"])

    # -- to whom ------------------------------------------------------------

    def test_of(self) -> None:
        """One by its name, or all by their declaration."""
        document = remembering()
        world = self.docs({"/doc/<id>": document, re.compile("/y.*"): document})
        names = ("/DocsSocket/doc/7", "/DocsSocket/doc/8", "/DocsSocket/y1")
        clients = [self.connect(world, name) for name in names]
        for name, expected in (
            ("/DocsSocket/doc/7", [1, 0, 0]),
            ("/DocsSocket/doc/<id>", [1, 1, 0]),
            ("/DocsSocket/y.*", [0, 0, 1]),
            ("/DocsSocket/y1", [0, 0, 1]),
        ):
            world.server.of(name).emit("x")
            self.assertEqual([len(c.received()) for c in clients], expected, name)
        answers = world.server.of("/DocsSocket/doc/<id>").timeout(1).call("ask")
        clients[1].send("3/DocsSocket/doc/8,0[8]")
        world.clock.advance(1)
        self.assertEqual(self.successResultOf(answers), ([8], ["cid1"]))
        fetched = self.successResultOf(world.server.of("/DocsSocket/doc/<id>").fetch_sockets())
        self.assertEqual([socket.id for socket in fetched], ["cid1", "cid2"])

    def test_of_nobody(self) -> None:
        """What may come to be can be sent to, and nothing is made for that; a slip is an error."""
        world = self.docs({"/doc/<id>": remembering()})
        for name in ("/DocsSocket/doc/7", "/DocsSocket/doc/<id>"):
            operator = world.server.of(name)
            operator.emit("x")
            self.assertEqual(self.successResultOf(operator.call("x")), ([], []))
            self.assertEqual(self.successResultOf(operator.fetch_sockets()), [])
        self.assertEqual(self.made(), set())
        for name in ("/DocsSocket/dok/7", "/DocsSocket/doc", "/Nobody", ""):
            with self.assertRaises(LookupError) as caught:
                world.server.of(name)
            self.assertIn(repr(name), str(caught.exception))

    def test_of_a_predicate(self) -> None:
        """Nobody knows what it will say, so that any name below it may be sent to."""

        def secret(name, auth):
            return auth.get("ok")

        document = remembering()
        world = self.docs({secret: document})
        operator = world.server.of("/DocsSocket/x")
        client = self.connect(world, "/DocsSocket/x", auth={"ok": True})
        for sender in (operator, world.server.of("/DocsSocket<secret>")):
            sender.emit("x")
            self.assertEqual(client.received(), ['2/DocsSocket/x,["x"]'])
        self.assertRaises(LookupError, world.server.of, "/Docs/x")

    def test_an_operator_may_be_kept(self) -> None:
        """It means the namespace of that name whenever there is one, not the one that was."""
        world = self.docs({"/doc/<id>": remembering()}, cleanup_empty_namespaces=True)
        before = world.server.of("/DocsSocket/doc/7")
        first = self.connect(world, "/DocsSocket/doc/7")
        during = world.server.of("/DocsSocket/doc/7")
        first.vanish()
        self.assertEqual(self.made(), set())
        second = self.connect(world, "/DocsSocket/doc/7")
        before.emit("a")
        during.to("cid2").emit("b")
        self.assertEqual(
            second.received(), ['2/DocsSocket/doc/7,["a"]', '2/DocsSocket/doc/7,["b"]']
        )

    # -- coming and going -------------------------------------------------------

    def test_goes_with_the_last(self) -> None:
        """If that was asked for; not before, and whoever comes again finds a new one."""
        document = remembering()
        world = self.docs({"/doc/<id>": document}, cleanup_empty_namespaces=True)
        first, second = (self.connect(world, "/DocsSocket/doc/7") for _ in range(2))
        document.handlers[0].join("room")
        first.send("1/DocsSocket/doc/7,")
        self.assertEqual(self.made(), {"/DocsSocket/doc/7"})
        namespace = world.server.namespaces["/DocsSocket/doc/7"]
        second.vanish()
        self.assertEqual(self.made(), set())
        self.connect(world, "/DocsSocket/doc/7")
        self.assertIsNot(world.server.namespaces["/DocsSocket/doc/7"], namespace)

    def test_stays(self) -> None:
        """Unless that was asked for, one that was used stays, with what it was told to ask."""
        document = remembering()
        world = self.docs({"/doc/<id>": document})
        client = self.connect(world, "/DocsSocket/doc/7")
        namespace = world.server.namespaces["/DocsSocket/doc/7"]
        client.vanish()
        self.connect(world, "/DocsSocket/doc/7")
        self.assertIs(world.server.namespaces["/DocsSocket/doc/7"], namespace)

    def test_always_there(self) -> None:
        """One that was declared by its name never goes."""
        world = self.docs({}, cleanup_empty_namespaces=True)
        self.connect(world, "/DocsSocket").vanish()
        self.assertIn("/DocsSocket", world.server.namespaces)

    def test_refused(self) -> None:
        """Who is not let in leaves nothing, also where namespaces are to stay."""
        wait: Deferred = Deferred()

        def on_open(handler, request):
            return wait if request.auth.get("wait") else False

        for options in ({}, {"cleanup_empty_namespaces": True}):
            world = self.docs({"/doc/<id>": remembering(on_open=on_open)}, **options)
            for number in range(50):
                client = world.client(self.transport)
                client.send(f"0/DocsSocket/doc/{number},")
                client.vanish()
            self.assertEqual(self.made(), set())
            waiting = world.client(self.transport)
            waiting.send('0/DocsSocket/doc/7,{"wait":1}')
            self.assertEqual(self.ask("/DocsSocket/doc/7"), '{"message":"Connection refused"}')
            self.assertEqual(self.made(), {"/DocsSocket/doc/7"})
            waiting.vanish()
            self.assertEqual(self.made(), set())
            for parent in world.server._parents.values():
                self.assertEqual(parent.children, {})

    def test_one_client_refused_many_times(self) -> None:
        """Also on one connection: names that were refused are forgotten but for the last few."""
        world = self.docs({"/doc/<id>": remembering(on_open=lambda h, r: False)})
        client = world.client(self.transport)
        for number in range(120):
            client.send(f"0/DocsSocket/doc/{number},", f"0/nobody/{number},")
            self.assertEqual(len(client.received()), 2)
        self.assertEqual(self.made(), set())
        (engine,) = (e for e in world.server._engines if e.sessions)
        (session,) = engine.sessions.values()
        self.assertEqual(len(session._receiver._left), 100)

    def test_left_behind(self) -> None:
        """A namespace that went is garbage: nothing of the server's holds it."""
        world = self.docs({"/doc/<id>": MojoSocketHandler}, cleanup_empty_namespaces=True)
        client = self.connect(world, "/DocsSocket/doc/7")
        gone = weakref.ref(world.server.namespaces["/DocsSocket/doc/7"])
        client.vanish()
        client.world = None
        del client
        world.clock.advance(60)
        gc.collect()
        self.assertIsNone(gone())

    def test_max_namespaces(self) -> None:
        """One client may be in so many; who leaves one may have another."""
        world = self.docs({"/doc/<id>": remembering()}, max_namespaces=2)
        client = world.client(self.transport)
        for number in (1, 2):
            client.connect(f"/DocsSocket/doc/{number}")
        client.send("0/DocsSocket/doc/3,", "0/DocsSocket,")
        self.assertEqual(
            client.received(),
            [
                '4/DocsSocket/doc/3,{"message":"Too many namespaces"}',
                '4/DocsSocket,{"message":"Too many namespaces"}',
            ],
        )
        self.assertEqual(self.made(), {"/DocsSocket/doc/1", "/DocsSocket/doc/2"})
        client.send("1/DocsSocket/doc/1,")
        client.connect("/DocsSocket/doc/3")
        self.assertEqual(self.ask("/DocsSocket/doc/3"), "in")


WebSocketDemandTests, PollingDemandTests = over_both(Demand)


class DeclarationTests(SynchronousTestCase):
    """What can be declared, and what the author is told of the rest."""

    def declare(self, endpoints) -> SocketServer:
        server = SocketServer(World({}).clock)
        server.add_namespace(
            "/DocsSocket", type("Docs", (MojoSocketHandler,), {"__endpoints__": endpoints})
        )
        return server

    def test_mistakes(self) -> None:
        """The message names the class and the name."""
        handler = MojoSocketHandler
        below = type("Below", (handler,), {"__endpoints__": {re.compile("/x"): handler}})
        deeper = type("Deeper", (handler,), {"__endpoints__": {"/y": handler}})

        async def later(name, auth):
            return True

        for endpoints, message in (
            ({"doc/<id>": handler}, "a name begins with a slash"),
            ({"/doc/<id": handler}, "'/DocsSocket/doc/<id' cannot be a namespace's name"),
            ({"/doc/<my-id>": handler}, "cannot be a namespace's name"),
            ({"/doc/<1>": handler}, "cannot be a namespace's name"),
            ({"/doc/<id>>": handler}, "cannot be a namespace's name"),
            ({"/doc/<id>/": handler}, "cannot be a namespace's name"),
            ({"/<id>/<id>": handler}, "two parameters of one name"),
            ({7: handler}, "7 is no name, expression or sync predicate"),
            ({later: handler}, "later"),
            ({"/doc/<id>": object}, "is no MojoSocketHandler"),
            ({"/doc/<id>": below}, "below a name with parameters only names can be"),
            ({re.compile("/x"): deeper}, "only a name can have others below it"),
            ({lambda n, a: True: handler, lambda n, a: False: handler}, "<lambda>"),
        ):
            with self.assertRaises(EventTableError) as caught:
                self.declare(endpoints)
            self.assertIn(message, str(caught.exception))

    def test_twice(self) -> None:
        """The same name with parameters, below two handlers, is one too many."""
        server = self.declare({"/doc/<id>": MojoSocketHandler})
        self.assertRaises(
            EventTableError, server.add_namespace, "/DocsSocket/doc/<id>", MojoSocketHandler
        )

    def test_in_code(self) -> None:
        """A server of one's own may have them without a handler above."""
        handler_class = remembering(who=event("who")(lambda self: dict(self.params)))
        world = World({})
        world.server.add_namespace("/room-<name>", handler_class)
        client = world.connect("/room-blue")
        client.send('2/room-blue,1["who"]')
        self.assertEqual(client.received(), ['3/room-blue,1[{"name":"blue"}]'])


class ScaleTests(SynchronousTestCase):
    """What one client does costs the same, however many namespaces there are."""

    def work(self, namespaces: int) -> int:
        """Count the calls of a client that comes to a namespace and leaves it."""
        world = World(
            {
                "/DocsSocket": type(
                    "Docs", (MojoSocketHandler,), {"__endpoints__": {"/<a>": MojoSocketHandler}}
                )
            },
            cleanup_empty_namespaces=True,
            max_namespaces=1000,
        )
        crowd = world.client()
        for number in range(namespaces):
            crowd.send(f"0/DocsSocket/{number},")
        client = world.client()
        calls = 0

        def count(frame, kind, arg):
            nonlocal calls
            calls += kind in ("call", "c_call")

        sys.setprofile(count)
        try:
            client.send("0/DocsSocket/mine,")
            client.send("1/DocsSocket/mine,")
        finally:
            sys.setprofile(None)
        self.assertEqual(len(world.server.namespaces), 1 + namespaces)
        return calls

    def test_coming_and_going(self) -> None:
        few, many = self.work(2), self.work(200)
        self.assertLess(many, few + 50)
