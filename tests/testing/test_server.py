"""`mojo.testing`: what an app's tests see, over both transports."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from mojo import (
    CURRENT_SESSIONS,
    App,
    ConnectionRefused,
    MojoAuthMixin,
    MojoRequestHandler,
    MojoService,
    MojoSessionMixin,
    MojoSocketHandler,
    Settings,
    event,
)
from mojo.errors import ListenError, ProjectError, SettingsError
from mojo.sessions import current
from mojo.testing import Refusal, TestServer
from tests.project.disk import HANDLER, PAGE, URLS, DiskTestCase, unique


class ChatHandler(MojoSocketHandler):
    closed: list = []  # noqa: RUF012

    def on_open(self, request):
        if request.auth.get("password") == "wrong":
            raise ConnectionRefused("Go away", {"code": 7})
        if request.auth.get("slow"):
            return deferLater(self.mojo.reactor, 2, lambda: None)
        return None

    @event
    def say(self, text):
        self.broadcast.emit("said", self.user_id, text)
        return {"ok": True}

    @event
    def echo(self, *args):
        return args

    @event
    async def slow(self, seconds):
        await deferLater(self.mojo.reactor, seconds)
        return "done"

    @event
    async def consult(self):
        return await self.call("which?", ["red", "blue"], timeout=10)

    @event
    def fail(self):
        raise ValueError("secret detail")

    @event
    def quit(self):
        self.close()

    def on_message(self, msg):
        self.send("got", msg)

    def on_close(self, reason):
        self.closed.append((self.request.user_id, reason))


class Kit:
    """The tests; `WebSocketKitTests` and `PollingKitTests` run them."""

    transport: str

    def setUp(self) -> None:
        ChatHandler.closed = []
        self.server = TestServer(ChatHandler, transport=self.transport)
        self.addCleanup(self.server.close)

    def test_say(self) -> None:
        """The first test of every app: one asks and is answered, the others hear of it."""
        ada = self.server.connect(user_id="ada")
        bob = self.server.connect(user_id="bob")
        self.assertEqual(ada.call("say", "hello"), {"ok": True})
        self.assertEqual(bob.received(), [("said", ["ada", "hello"])])
        self.assertEqual((bob.received(), ada.received()), ([], []))

    def test_answers(self) -> None:
        """One argument, several, none; bytes and all."""
        client = self.server.connect()
        self.assertEqual(client.call("echo", 1), 1)
        self.assertEqual(client.call("echo", 1, [b"\x00\xff"]), (1, [b"\x00\xff"]))
        self.assertIsNone(client.call("echo"))

    def test_message(self) -> None:
        client = self.server.connect()
        client.send("hi")
        self.assertEqual(client.received(), [("message", ["got", "hi"])])

    def test_received_by_name(self) -> None:
        """What is not asked for stays, in order."""
        client = self.server.connect()
        for name in ("a", "b", "a", "c"):
            self.server.service.emit(name)
        self.assertEqual(client.received("a", "c"), [("a", []), ("a", []), ("c", [])])
        self.assertEqual(client.received(), [("b", [])])

    def test_who_connects(self) -> None:
        """Login, visitor, auth, query, headers and address are what the handler sees."""
        client = self.server.connect(
            user_id=7,
            session_id="s1",
            auth={"token": "t"},
            query={"room": "a b"},
            headers={"User-Agent": "Test"},
            address="203.0.113.9",
            secure=True,
        )
        handler = client.handler
        self.assertEqual((handler.user_id, handler.session_id, handler.id), ("7", "s1", client.id))
        request = handler.request
        self.assertEqual((request.auth, request.query["room"]), ({"token": "t"}, "a b"))
        self.assertEqual(request.headers["user-agent"], "Test")
        self.assertEqual((request.address, request.secure), ("203.0.113.9", True))
        self.assertEqual(list(CURRENT_SESSIONS), ["s1"])

    def test_login_has_a_session(self) -> None:
        """Two tabs of a login are one visitor, unless they are told apart; anonymous is nobody."""
        for session_id in (None, None, "another"):
            self.server.connect(user_id="ada", session_id=session_id)
        self.assertIsNone(self.server.connect().handler.session_id)
        self.assertEqual(sorted(CURRENT_SESSIONS), ["another", "session-of-ada"])
        self.assertEqual(len(CURRENT_SESSIONS["session-of-ada"].connections), 2)

    def test_refused(self) -> None:
        """By the app with data, for want of a namespace, and before Socket.IO was spoken."""
        client = self.server.connect(auth={"password": "wrong"})
        self.assertEqual(client.refused, ("Go away", {"code": 7}))
        self.assertFalse(client.connected)
        with self.assertRaises(AssertionError) as caught:
            client.emit("say", "hello")
        self.assertIn("refused: Go away", str(caught.exception))
        self.assertEqual(self.server.connect("/nope").refused, Refusal("Invalid namespace"))
        stranger = self.server.connect(headers={"Origin": "https://evil.example"})
        self.assertEqual(stranger.refused.message, "403 Origin not allowed")
        self.assertIsNone(self.server.connect().refused)

    def test_let_in_later(self) -> None:
        client = self.server.connect(auth={"slow": True})
        self.assertEqual((client.connected, client.refused), (False, None))
        self.server.advance(2)
        self.assertTrue(client.connected)

    def test_coroutine(self) -> None:
        """It goes on when the clock has come that far, and the answer is there."""
        client = self.server.connect()
        answer = client.ask("slow", 5)
        self.server.clock.advance(4.5)
        self.assertFalse(answer.answered)
        self.server.clock.advance(0.5)
        self.assertEqual(answer.value, "done")
        self.assertEqual(answer.value, "done")

    def test_no_answer(self) -> None:
        """The message has what the log says, and the cause is what was raised."""
        client = self.server.connect()
        for name, args, words in (
            ("fail", (), "fail of "),
            ("nope", (), "nothing handles 'nope'"),
            ("say", (), "takes 1 arguments, the client sent 0"),
            ("slow", (5,), "event 'slow': no answer so far"),
        ):
            with self.assertRaises(AssertionError) as caught:
                client.call(name, *args)
            self.assertIn(words, str(caught.exception))
            cause = ValueError if name == "fail" else type(None)
            self.assertIsInstance(caught.exception.__cause__, cause)
        self.assertEqual([type(error) for error in self.server.errors], [ValueError])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.server.advance(5)

    def test_questions(self) -> None:
        """What the server asks is received like any event, and answered in order or by name."""
        client = self.server.connect()
        answer = client.ask("consult")
        self.assertEqual(client.received(), [("which?", [["red", "blue"]])])
        client.ack("red")
        self.assertEqual(answer.value, "red")
        told: list = []
        for name in ("first", "second", "first"):
            client.handler.emit(name, ack=lambda *args: told.append(args))
        client.ack(2, event="second")
        client.ack(1, 1)
        with self.assertRaises(AssertionError) as caught:
            client.ack(0, event="third")
        self.assertIn("'third': ['first']", str(caught.exception))
        self.assertEqual(told, [(2,), (1, 1)])

    def test_ends(self) -> None:
        """Whoever ends it, the client has its own word for it and the handler another."""
        for user, end, word, reason in (
            ("a", lambda c: c.emit("quit"), "io server disconnect", "server namespace disconnect"),
            ("b", lambda c: c.disconnect(), "io client disconnect", "client namespace disconnect"),
            ("c", lambda c: c.vanish(), "transport close", "transport "),
        ):
            client = self.server.connect(user_id=user)
            self.assertIsNone(client.closed)
            end(client)
            self.assertEqual((client.closed, client.connected), (word, False))
            self.assertRaises(AssertionError, client.emit, "say", "too late")
            self.assertEqual(ChatHandler.closed[-1][0], user)
            self.assertIn(reason, ChatHandler.closed[-1][1])
            self.assertFalse(client.handler.connected)
            # As socket.io-client does, it lets go of the connection with the last namespace.
            self.assertFalse(self.server.service.mounts["/socket.io"].engine.busy)

    def test_time_passes(self) -> None:
        """For hours: clients answer pings, and what is due is done at its moment."""
        client = self.server.connect()
        moments: list = []
        for seconds in (0.3, 0.9, 3600.0):
            self.server.clock.callLater(
                seconds, lambda: moments.append(self.server.clock.seconds())
            )
        self.server.advance(3600)
        self.assertEqual(moments, [0.3, 0.9, 3600.0])
        self.assertTrue(client.connected)

    def test_silent_clients(self) -> None:
        """A clock that is moved by hand moves nobody to answer a ping."""
        self.server.connect(user_id="ada")
        self.server.clock.advance(25)
        self.server.clock.advance(20)
        self.assertEqual(ChatHandler.closed, [("ada", "ping timeout")])

    def test_stop(self) -> None:
        """Clients hear the farewell, and CURRENT_SESSIONS is nobody's."""
        client = self.server.connect(user_id="ada")
        self.server.close()
        self.server.close()
        self.assertEqual(ChatHandler.closed, [("ada", "server shutting down")])
        self.assertEqual(client.closed, "transport close")
        self.assertEqual(current._running, [])
        # Nobody had to be waited for: clients answer the farewell.
        self.assertLess(self.server.clock.seconds(), 1)


class WebSocketKitTests(Kit, SynchronousTestCase):
    transport = "websocket"


class PollingKitTests(Kit, SynchronousTestCase):
    transport = "polling"

    def test_upload_under_way(self) -> None:
        """While the server takes no more, a client keeps what it has to say."""
        server = TestServer(
            ChatHandler, transport="polling", settings={"SOCKET_IO.max_queued_events": 1}
        )
        self.addCleanup(server.close)
        self.server.close()
        client = server.connect()
        answers = [client.ask("slow", seconds) for seconds in (1, 1, 1)]
        server.advance(1)
        self.assertEqual([a.answered for a in answers], [True, False, False])
        server.advance(2)
        self.assertEqual([a.answered for a in answers], [True, True, True])


class NamespaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = TestServer(
            App(name="Chat", handler=ChatHandler), App(name="News", handler=ChatHandler)
        )
        self.addCleanup(self.server.close)

    def test_which(self) -> None:
        """With several it must be said which, and its name is the one that browsers use."""
        with self.assertRaises(LookupError) as caught:
            self.server.connect()
        self.assertIn("/ChatSocket, /NewsSocket", str(caught.exception))
        news = self.server.connect("/NewsSocket")
        self.server.service.emit("hot", app="News")
        self.assertEqual(news.received(), [("hot", [])])

    def test_own_path(self) -> None:
        client = self.server.connect(path="/ChatSocket/")
        self.server.service.emit("hi", app="Chat")
        self.assertEqual(client.received(), [("hi", [])])

    def test_two_on_one_connection(self) -> None:
        """They hear their own, leave one by one, and vanish together."""
        chat = self.server.connect("/ChatSocket", user_id="ada")
        news = chat.connect("/NewsSocket", auth={"token": "t"})
        self.assertEqual(news.handler.request.auth, {"token": "t"})
        self.server.service.emit("hot", app="News")
        self.assertEqual((chat.received(), news.received()), ([], [("hot", [])]))
        self.assertRaises(AssertionError, chat.connect, "/NewsSocket")
        chat.disconnect()
        self.assertTrue(news.connected)
        again = news.connect("/ChatSocket")
        again.vanish()
        self.assertEqual(news.closed, "transport close")


class Login(MojoSessionMixin, MojoAuthMixin, MojoRequestHandler):
    def get(self):
        self.write(f"<form>{self.csrf_field()}</form>")

    def post(self):
        self.login(self.get_argument("name"))
        self.mojo.emit("came", self.user_id)
        self.redirect("/")


class BrowserTests(SynchronousTestCase):
    """A page and a handler together."""

    def setUp(self) -> None:
        app = App(name="Chat", handler=ChatHandler, urlpatterns=[("/login", Login)])
        self.server = TestServer(app)
        self.addCleanup(self.server.close)

    def test_login(self) -> None:
        """Who logs in on a page is the same on its connections."""
        witness, browser = self.server.connect(), self.server.browser()
        response = browser.submit("/login", name="ada")
        self.assertEqual((response.status, response.header("location")), (302, "/"))
        self.assertEqual(witness.received(), [("came", ["ada"])])
        tab = self.server.connect(browser=browser)
        self.assertEqual(tab.handler.user_id, "ada")
        self.assertIsNotNone(tab.handler.session_id)
        self.assertRaises(TypeError, self.server.connect, browser=browser, user_id="bob")

    def test_form_without_token(self) -> None:
        """It is refused as in production; a page that lacks the field cannot be submitted."""
        browser = self.server.browser()
        self.assertEqual(browser.post("/login", {"name": "ada"}).status, 403)
        with self.assertRaises(AssertionError) as caught:
            browser.submit("/login", "/nope", name="ada")
        self.assertIn("'csrf_token'", str(caught.exception))

    def test_answer_nobody_looks_at(self) -> None:
        """A browser keeps its cookies all the same."""
        browser = self.server.browser()
        browser.ask("GET", "/login")
        self.assertEqual(sorted(browser.jar), ["csrf_token", "session_id"])

    def test_given_login(self) -> None:
        """A browser may have its cookies from the start."""
        browser = self.server.browser("ada", secure=True)
        self.assertEqual(sorted(browser.jar), ["logged_in", "session_id"])
        self.assertEqual(self.server.connect(browser=browser).handler.user_id, "ada")

    def test_cookies_age(self) -> None:
        """The clock is the cookies' too: after two weeks a login is none."""
        browser = self.server.browser("ada")
        self.server.advance(14 * 86400 + 1)
        self.assertIsNone(self.server.connect(browser=browser).handler.user_id)


class PartsTests(DiskTestCase):
    def serve(self, *parts, **options) -> TestServer:
        server = TestServer(*parts, **options)
        self.addCleanup(server.close)
        return server

    def test_project(self) -> None:
        """A project's folder is served with its settings, or with others in their place."""
        name = unique("App")
        project = self.project(
            {
                "settings.py": "DEBUG = True\nPROJECT_NAME = 'shop'\n",
                f"Apps/{name}/socket_handlers.py": HANDLER,
                f"Apps/{name}/views.py": PAGE,
                f"Apps/{name}/urls.py": URLS.replace("{path}", ""),
            }
        )
        server = self.serve(project, settings={"SOCKET_IO.path": "/rt/"})
        self.assertEqual(server.service.project_name, "shop")
        client = server.connect()
        client.emit("say", "hi")
        self.assertEqual(client.received(), [("said", ["hi"])])
        self.assertEqual(client.namespace, f"/{name}Socket")
        self.assertEqual(server.browser().get("/").text, f"home of {name}")
        self.assertEqual(server.browser().get("/rt/?EIO=4&transport=polling").status, 200)
        server.clock.advance(100)  # the session that nobody joined

    def test_mistakes(self) -> None:
        """They are those of a start, and nothing runs on."""
        self.assertRaises(ProjectError, TestServer, str(self.folder / "nope"))
        self.assertRaises(SettingsError, TestServer, ChatHandler, settings={"DEBUG": "maybe"})
        self.assertRaises(ProjectError, TestServer, ChatHandler, ChatHandler)
        self.assertRaises(TypeError, TestServer, MojoService(reactor, Settings(debug=True)))
        observers = len(globalLogPublisher._observers)
        deaf = MojoService(Clock(), Settings(debug=True), endpoints=["tcp:80"])
        self.assertRaises(ListenError, TestServer, deaf)
        self.assertEqual(len(globalLogPublisher._observers), observers)
        self.assertEqual(current._running, [])

    def test_service_in_a_site(self) -> None:
        """A service that was put into a site of its owner's is reached there."""
        service = MojoService(
            Clock(), Settings(debug=True), [App(name="Chat", handler=ChatHandler)]
        )
        root = Resource()
        for path, mount in service.mounts.items():
            root.putChild(path.strip("/").encode(), mount)
        server = self.serve(service, site=service.site_for(root))
        self.assertIs(server.service, service)
        self.assertEqual(server.connect().call("echo", 1), 1)
        self.assertRaises(TypeError, TestServer, service, settings={"DEBUG": True})

    def test_msgpack(self) -> None:
        """Clients speak what the server speaks."""
        server = self.serve(ChatHandler, settings={"SOCKET_IO.parser": "msgpack"})
        client = server.connect(auth={"token": "t"})
        self.assertEqual(client.call("echo", {"a": b"\x00"}), {"a": b"\x00"})


class LeakTests(SynchronousTestCase):
    def test_call_on_the_clock(self) -> None:
        """What an app left there is named, and the service has stopped all the same."""
        server = TestServer(ChatHandler)
        server.clock.callLater(100, self.test_call_on_the_clock)
        with self.assertRaises(AssertionError) as caught:
            server.close()
        self.assertIn("LeakTests.test_call_on_the_clock at 100 s", str(caught.exception))
        self.assertEqual(current._running, [])

    def test_with(self) -> None:
        """A test's own failure is not hidden by what it left behind."""
        with self.assertRaises(KeyError), TestServer(ChatHandler) as server:
            server.clock.callLater(100, lambda: None)
            raise KeyError
        with self.assertRaises(AssertionError), TestServer(ChatHandler) as server:
            server.clock.callLater(100, lambda: None)

    def test_page_that_never_ends(self) -> None:
        """It is broken off after the seconds of grace, and leaves nothing."""
        told: list = []

        class Page(MojoRequestHandler):
            def get(self):
                return Deferred()

            def on_connection_close(self):
                told.append("gone")

        with TestServer(App(name="Pages", urlpatterns=[("/", Page)])) as server:
            answer = server.browser().ask("GET", "/")
            self.assertFalse(answer.answered)
        self.assertEqual(told, ["gone"])

    def test_log(self) -> None:
        """What is logged after the end is no longer this server's."""
        with TestServer(ChatHandler) as server:
            client = server.connect()
            client.emit("fail")
        self.assertEqual(len(server.errors), 1)
        with TestServer(ChatHandler) as other:
            other.connect().emit("fail")
        self.assertEqual(len(server.errors), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
