"""`mojo.service`: apps made in code, broadcasts from a plain resource, start and stop."""

from __future__ import annotations

import threading

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python import threadable
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from mojo import App, MojoRequestHandler, MojoService, MojoSocketHandler, Settings, event
from mojo.errors import ProjectError, SettingsError, UnsendableError
from mojo.sessions import current
from mojo.settings import SocketIOSettings
from mojo.testing import Browser
from mojo.testing.frames import CLOSE, WebSocketWire, client_frame
from mojo.testing.wire import Wire
from tests.socketio.world import PollingClient, WebSocketClient, remembering
from tests.web.server import app_of, make_service, settle, stop_service


class Announcer(Resource):
    """A resource that knows nothing of Mojo's classes, but was given the service."""

    isLeaf = True

    def __init__(self, service) -> None:
        super().__init__()
        self.service = service

    def render_GET(self, request):
        self.service.emit("joined", {"n": 1}, app="Chat")
        return b"told"


class ServiceTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.chat = remembering(on_message=lambda self, m: self.namespace.emit("said", m))
        self.shop = remembering()

    def serve(self, *more: App, **settings):
        self.service = make_service(
            App(name="Chat", handler=self.chat),
            App(name="Shop", handler=self.shop),
            *more,
            clock=self.clock,
            **settings,
        )
        self.site = self.service.site
        return self.service

    def turn(self) -> None:
        self.clock.advance(0)

    def connect(
        self, path="/socket.io/", namespace="/ChatSocket", transport="websocket", **options
    ):
        kind = WebSocketClient if transport == "websocket" else PollingClient
        client = kind(self, path, **options)
        client.connect(namespace)
        return client


class BroadcastTests(ServiceTestCase):
    def clients(self):
        return [
            self.connect(),
            self.connect("/ChatSocket/", "/"),
            self.connect(transport="polling"),
            self.connect("/ChatSocket/", "/", transport="polling"),
        ]

    def test_from_a_plain_resource(self) -> None:
        """It reaches every transport and both kinds of path, once each."""
        service = self.serve()
        service.resource = None
        root = Resource()
        root.putChild(b"announce", Announcer(service))
        for path, mount in service.mounts.items():
            root.putChild(path.strip("/").encode(), mount)
        for site in (service.site_for(root), Site(root, reactor=self.clock)):
            self.site = site
            clients = self.clients()
            elsewhere = self.connect(namespace="/ShopSocket")
            self.assertEqual(Wire(site).get("/announce").text, "told")
            self.assertEqual(
                [c.received() for c in clients],
                [['2/ChatSocket,["joined",{"n":1}]'], ['2["joined",{"n":1}]']] * 2,
            )
            self.assertEqual(elsewhere.received(), [])
            for client in clients:
                client.vanish()

    def test_emit(self) -> None:
        """To one app, or to all of them."""
        service = self.serve()
        chat, shop = self.connect(), self.connect(namespace="/ShopSocket")
        service.emit("a", app="Shop")
        service.emit("b")
        service.app("Chat").except_("nobody").emit("c")
        self.assertEqual(chat.received(), ['2/ChatSocket,["b"]', '2/ChatSocket,["c"]'])
        self.assertEqual(shop.received(), ['2/ShopSocket,["a"]', '2/ShopSocket,["b"]'])

    def test_mistakes(self) -> None:
        service = self.serve(App(name="Pages"))
        for name in ("Nope", "Pages", "chat"):
            with self.assertRaises(LookupError) as caught:
                service.emit("x", app=name)
            self.assertIn("'Chat', 'Shop'", str(caught.exception))
        self.assertRaises(UnsendableError, service.emit, "x", object())
        self.assertRaises(UnsendableError, service.emit, "connect", app="Chat")

    def test_visitors(self) -> None:
        """Two tabs of one visitor are one session with two connections."""
        service = self.serve()
        seal = service.cookies.seal
        cookie = f"session_id={seal('session_id', 's1')}; logged_in={seal('logged_in', 'ada')}"
        first = self.connect(headers={"Cookie": cookie})
        second = self.connect("/ChatSocket/", "/", headers={"Cookie": cookie}, transport="polling")
        forged = self.connect(headers={"Cookie": "session_id=x; logged_in=y"})
        self.assertEqual(list(service.current_sessions), ["s1"])
        self.assertEqual(list(service.logged_in_sessions), ["ada"])
        self.assertEqual(len(service.current_sessions["s1"].connections), 2)
        service.session("s1").emit("to s1")
        service.user("ada").emit("to ada")
        self.assertEqual(first.received(), ['2/ChatSocket,["to s1"]', '2/ChatSocket,["to ada"]'])
        self.assertEqual(second.received(), ['2["to s1"]', '2["to ada"]'])
        self.assertEqual(forged.received(), [])
        first.vanish()
        self.assertEqual(len(service.current_sessions["s1"].connections), 1)
        self.assertEqual([h.user_id for h in self.chat.handlers], ["ada", "ada", None])

    def test_logout_from_a_page(self) -> None:
        """logout() reaches the visitor's live connections at once."""
        told: list = []
        self.chat.on_logout = lambda handler, reason: told.append((reason, handler.user_id))

        class Logout(MojoRequestHandler):
            csrf_protected = False

            def post(self):
                self.logout()

        service = self.serve(app_of({"/logout": Logout}))
        browser = Browser(service)
        for name, value in (("session_id", "s1"), ("logged_in", "ada")):
            browser.jar[name] = service.cookies.seal(name, value)
        cookie = "; ".join(f"{n}={v}" for n, v in browser.jar.items())
        self.connect(headers={"Cookie": cookie})
        browser.post("/logout")
        self.assertEqual(told, [("logout", None)])
        self.assertEqual(len(service.logged_in_sessions), 0)
        self.assertEqual(list(service.current_sessions), [self.chat.handlers[0].session_id])
        self.assertNotEqual(list(service.current_sessions), ["s1"])

    def test_handlers_find_the_service(self) -> None:
        service = self.serve()
        self.connect()
        self.assertIs(self.chat.handlers[0].mojo, service)

    def test_from_another_thread(self) -> None:
        """Everything that a service is asked to send or end may be asked anywhere."""
        service = self.serve()
        client = self.connect()
        calls: list = []
        self.clock.callFromThread = lambda f, *a, **k: calls.append((f, a, k))
        self.patch(threadable, "ioThread", threading.get_ident())

        def work() -> None:
            service.emit("a")
            service.emit("b", app="Chat")
            service.session("s").emit("c")
            service.user("u").emit("d")
            service.log_out("s", "u")
            for session in service.current_sessions.values():
                session.close()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual(client.received(), [])
        for function, args, kwargs in calls:
            function(*args, **kwargs)
        self.assertEqual(client.received(), ['2/ChatSocket,["a"]', '2/ChatSocket,["b"]'])


class TreeTests(ServiceTestCase):
    def test_prefix(self) -> None:
        """A resource behind a prefix gets the rest of the path; the longest prefix wins."""
        tree = Resource()
        tree.putChild(b"leaf", Data(b"leaf", "text/plain"))
        apps = (
            App(
                name="Files",
                urlpatterns=[("/files/", tree), ("/files/deep/er", Data(b"deeper", "text/plain"))],
            ),
            app_of({"/files.*": lambda self: self.write("page")}, name="Pages"),
        )
        browser = Browser(self.serve(*apps))
        self.assertEqual(browser.get("/files/leaf").text, "leaf")
        self.assertEqual(browser.get("/files/deep/er").text, "deeper")
        self.assertEqual(browser.get("/files/nope").status, 404)
        self.assertEqual(browser.get("/filesystem").text, "page")

    def test_resource_for_the_rest(self) -> None:
        """A resource at ``/`` has what is neither a page nor below another prefix."""
        tree = Resource()
        tree.putChild(b"leaf", Data(b"leaf", "text/plain"))
        page = ("/page", type("Page", (MojoRequestHandler,), {"get": lambda s: s.write("page")}))
        browser = Browser(self.serve(App(name="Files", urlpatterns=[page, ("/", tree)])))
        self.assertEqual(browser.get("/leaf").text, "leaf")
        self.assertEqual(browser.get("/page").text, "page")
        self.assertEqual(browser.get("/nope").status, 404)
        self.assertEqual(browser.get("/socket.io/?EIO=4&transport=polling").status, 200)
        leaf = Announcer(None)
        leaf.render_GET = lambda request: b"/".join(request.postpath)
        browser = Browser(self.serve(App(name="Files", urlpatterns=[("/", leaf)])))
        self.assertEqual(browser.get("/a/b").text, "a/b")

    def test_page_that_is_never_reached(self) -> None:
        for pattern in ("/static/page", "/socket.io/(.*)", "/ChatSocket/x"):
            with self.assertRaises(ProjectError) as caught:
                self.serve(App(name="X", urlpatterns=[(pattern, _Page)]))
            self.assertIn(f"app 'X': {pattern!r} is never reached", str(caught.exception))

    def test_bad_handlers(self) -> None:
        """What can never be dispatched ends the start, and the app is named."""
        for endpoints, problem in (
            ({"admin": MojoSocketHandler}, "begins with a slash"),
            ({"/admin": object}, "is no MojoSocketHandler"),
            ({"/a/": MojoSocketHandler}, "cannot be a namespace's name"),
        ):
            handler = type("Handler", (MojoSocketHandler,), {"__endpoints__": endpoints})
            with self.assertRaises(ProjectError) as caught:
                self.serve(App(name="X", handler=handler))
            self.assertIn("app 'X'", str(caught.exception))
            self.assertIn(problem, str(caught.exception))

    def test_two_apps_of_a_name(self) -> None:
        self.assertRaises(ProjectError, self.serve, App(name="Chat"))

    def test_conflicts(self) -> None:
        """Two owners of a path end the start, with the names of both."""
        for urlpatterns, taken in (
            ([("/", _Page), ("/", _Page)], "'/' is taken by app 'X'"),
            ([("/ChatSocket/", Data(b"", ""))], "'/ChatSocket' is taken by Socket.IO"),
            ([("/socket.io", Data(b"", ""))], "'/socket.io' is taken by Socket.IO"),
            ([("/static/", Data(b"", ""))], "'/static' is taken by STATIC_PATH"),
        ):
            with self.assertRaises(ProjectError) as caught:
                self.serve(App(name="X", urlpatterns=urlpatterns))
            self.assertEqual(str(caught.exception), f"app 'X': {taken}")
        with self.assertRaises(ProjectError) as caught:
            self.serve(socket_io=SocketIOSettings(path="/ChatSocket/"))
        self.assertIn("SOCKET_IO['path']", str(caught.exception))

    def test_bad_patterns(self) -> None:
        for entry, problem in (
            ("/", "must be a pair"),
            (("/",), "must be a pair"),
            ((1, _Page), "must be a pair"),
            (("x", _Page), "must begin with a slash"),
            (("/(", _Page), "is no regular expression"),
            (("/", object), "is neither a MojoRequestHandler nor a resource"),
            (("/", MojoSocketHandler), "is neither"),
        ):
            with self.assertRaises(ProjectError) as caught:
                self.serve(App(name="X", urlpatterns=[entry]))
            self.assertIn("app 'X': urlpatterns[0]", str(caught.exception))
            self.assertIn(problem, str(caught.exception))

    def test_mounts(self) -> None:
        self.assertEqual(set(self.serve().mounts), {"/socket.io", "/ChatSocket", "/ShopSocket"})
        browser = Browser(self.service)
        for path in ("/socket.io", "/socket.io/", "/ChatSocket", "/ChatSocket/"):
            self.assertEqual(browser.get(f"{path}?EIO=4&transport=polling").status, 200, path)
        for path in ("/socket.io/x", "/socket.io//", "/ChatSocket/x", "/Chat", "/chatsocket/"):
            self.assertEqual(browser.get(f"{path}?EIO=4&transport=polling").status, 404, path)

    def test_other_path(self) -> None:
        service = self.serve(socket_io=SocketIOSettings(path="/rt/io/"))
        self.assertEqual(Browser(service).get("/rt/io/?EIO=4&transport=polling").status, 200)
        self.assertEqual(Browser(service).get("/socket.io/?EIO=4&transport=polling").status, 404)

    def test_options_reach_the_layers(self) -> None:
        """Every SOCKET_IO option does something: each is a field of one of the layers."""
        from dataclasses import fields

        from mojo.engineio import EngineOptions
        from mojo.socketio import SocketOptions

        known = {f.name for kind in (EngineOptions, SocketOptions) for f in fields(kind)}
        own = {"path", "parser", "encoder", "serve_client", "client_path"}
        self.assertEqual({f.name for f in fields(SocketIOSettings)} - own - known, set())
        service = self.serve(
            socket_io=SocketIOSettings(ping_interval=3, max_payload=77),
            allowed_origins=("https://a.example",),
        )
        text = Browser(service).get("/ChatSocket/?EIO=4&transport=polling").text
        self.assertIn('"pingInterval":3000', text)
        self.assertIn('"maxPayload":77', text)
        response = Browser(service).get(
            "/socket.io/?EIO=4&transport=polling", headers={"Origin": "https://a.example"}
        )
        self.assertEqual(response.status, 200)


class _Page(MojoRequestHandler):
    """A page."""


class LifeTests(ServiceTestCase):
    def test_stop(self) -> None:
        """Clients hear the farewell, handlers why; the stop waits for the answers."""
        service = self.serve()
        service.startService()
        socket = WebSocketWire(service.site, "/socket.io/?EIO=4&transport=websocket")
        polling = self.connect(transport="polling")
        self.connect()
        stopped = service.stopService()
        self.assertEqual(self.chat.seen, [("on_close", "server shutting down")] * 2)
        self.assertTrue(polling.closed)
        close = socket.frames()[-1]
        self.assertEqual((close.opcode, close.code), (CLOSE, 1001))
        self.clock.pump([0, 0, 2.9])
        self.assertNoResult(stopped)
        self.assertIsNone(socket.closed)
        self.clock.pump([0.1, 0])
        self.successResultOf(stopped)
        settle(service)
        self.assertEqual(socket.closed, "aborted")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_is_left(self) -> None:
        """Whatever state clients are in: no timer, no connection, no session stays."""
        service = self.serve()
        service.startService()
        silent = self.connect()  # does not answer the Close frame
        unjoined = WebSocketWire(service.site, "/ChatSocket/?EIO=4&transport=websocket")
        unjoined.send('451-["half",{"_placeholder":true,"num":0}]')
        away = Browser(service).get("/ChatSocket/?EIO=4&transport=polling")  # no GET waits
        self.assertEqual(away.status, 200)
        slow = Wire(service.site)
        slow.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        idle = Wire(service.site)
        violator = WebSocketWire(service.site, "/ChatSocket/?EIO=4&transport=websocket")
        violator.send_raw(b"\xff\xff\xff\xff")
        stop_service(service)
        for wire in (slow, idle, unjoined, violator):
            self.assertEqual(wire.closed, "aborted")
        self.assertEqual(silent.socket.closed, "aborted")
        self.assertEqual(service.site.channels, set())
        self.assertFalse(service._drain.busy)

    def test_owed_packets(self) -> None:
        """A long-polling client between two GETs may still fetch what was sent to it."""
        service = self.serve()
        service.startService()
        polling = self.connect(transport="polling")
        service.emit("first")
        self.turn()  # its GET is answered, and it has not read that yet
        service.emit("last words")
        stopped = service.stopService()
        self.clock.pump([0, 0, 1])
        self.assertNoResult(stopped)
        self.assertEqual(
            polling.received(), ['2/ChatSocket,["first"]', '2/ChatSocket,["last words"]']
        )
        self.assertTrue(polling.closed)
        self.clock.pump([0.02, 0])
        self.successResultOf(stopped)

    def test_page_under_way(self) -> None:
        """A page that is being made is finished, and the service waits for it."""
        done: Deferred[None] = Deferred()

        class Slow(MojoRequestHandler):
            async def get(self):
                await done
                self.write("finished")

        service = self.serve(App(name="Pages", urlpatterns=[("/slow", Slow)]))
        service.startService()
        wire = Wire(service.site)
        self.assertIsNone(wire.get("/slow"))
        stopped = service.stopService()
        self.clock.pump([0, 0, 1])
        self.assertNoResult(stopped)
        done.callback(None)
        self.assertEqual(wire.answer().text, "finished")
        self.clock.pump([0.02, 0])
        self.successResultOf(stopped)

    def test_restart(self) -> None:
        service = self.serve()
        for _ in range(2):
            service.startService()
            self.connect()
            self.assertEqual(len(service.app("Chat")._namespace.connections), 1)
            stop_service(service)
            refused = Browser(service).get("/socket.io/?EIO=4&transport=polling")
            self.assertEqual(refused.status, 503)

    def test_child_that_does_not_start(self) -> None:
        """Its exception is the start's, and nothing stays open or bound."""

        class Broken(Service):
            def startService(self) -> None:
                raise ValueError("as asked")

        service = self.serve()
        Broken().setServiceParent(service)
        self.assertRaises(ValueError, service.startService)
        self.assertEqual(current._running, [])

    def test_stop_is_quick_when_clients_answer(self) -> None:
        service = self.serve()
        service.startService()
        socket = WebSocketWire(service.site, "/socket.io/?EIO=4&transport=websocket")
        stopped = service.stopService()
        socket.send_raw(client_frame(CLOSE, b"\x03\xe9"))
        self.assertIsNotNone(socket.closed)
        self.clock.pump([0] * 3)
        self.successResultOf(stopped)

    def test_stop_without_clients(self) -> None:
        service = self.serve()
        service.startService()
        stopped = service.stopService()
        self.clock.pump([0] * 3)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_weak_secret(self) -> None:
        """Made in code or on disk: only DEBUG lets it pass."""
        for settings in (None, Settings(), Settings(cookie_secret="short")):
            with self.assertRaises(SettingsError) as caught:
                MojoService(Clock(), settings)
            self.assertIn("COOKIE_SECRET", str(caught.exception))

    def test_secret(self) -> None:
        """Without one, a new one is made up for each service."""
        first, second = (MojoService(Clock(), Settings(debug=True)) for _ in range(2))
        token = first.cookies.seal("a", "b")
        self.assertIsNone(second.cookies.open("a", {"a": (token,)}, 100))
        self.assertIn("made up for this run", first.banner())
        self.assertIn("DEBUG is on", first.banner())

    def test_banner(self) -> None:
        banner = self.serve(App(name="Pages"), project_name="My project").banner()
        self.assertIn("Mojo serves My project", banner)
        self.assertIn("Chat: namespace /ChatSocket on /socket.io/ and path /ChatSocket/", banner)
        self.assertIn("Pages: pages", banner)
        self.assertIn("the project's secret", banner)
        self.assertNotIn("horse", banner)


class EventInServiceTests(ServiceTestCase):
    def test_issue_example(self) -> None:
        """The handler of the README, as it stands there."""

        class SocketConnectionHandler(MojoSocketHandler):
            @event
            async def say(self, text):
                self.broadcast.emit("said", self.user_id, text)
                return {"ok": True}

        self.chat = SocketConnectionHandler
        service = self.serve()
        cookie = f"logged_in={service.cookies.seal('logged_in', 'ada')}"
        ada, other = self.connect(headers={"Cookie": cookie}), self.connect()
        ada.send('2/ChatSocket,0["say","hi"]')
        self.assertEqual(ada.received(), ['3/ChatSocket,0[{"ok":true}]'])
        self.assertEqual(other.received(), ['2/ChatSocket,["said","ada","hi"]'])


class HookTests(ServiceTestCase):
    def test_dotted_paths(self) -> None:
        """Functions may be named; a name that leads nowhere ends the start."""
        self.serve(socket_io=SocketIOSettings(generate_id=f"{__name__}.make_id"))
        text = Wire(self.site).get("/socket.io/?EIO=4&transport=polling").text
        self.assertIn('"sid":"by-name"', text)
        for path, problem in (
            ("nowhere.make_id", "cannot be imported"),
            (f"{__name__}.nothing", "cannot be imported"),
            (f"{__name__}.__name__", "is no function, but str"),
        ):
            with self.assertRaises(SettingsError) as caught:
                self.serve(socket_io=SocketIOSettings(generate_id=path))
            self.assertIn("SOCKET_IO['generate_id']", str(caught.exception))
            self.assertIn(problem, str(caught.exception))


def make_id(handshake):
    return "by-name"
