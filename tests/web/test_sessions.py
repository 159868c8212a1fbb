"""What is kept of a visitor, in pages: loaded, saved, and moved at a login."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo import (
    App,
    HTTPError,
    MojoAuthMixin,
    MojoRequestHandler,
    MojoSessionMixin,
    MojoSocketHandler,
)
from mojo.errors import SessionError, SessionTooLargeError, SessionUnavailable
from mojo.testing import Browser
from mojo.testing.wire import Wire
from tests.sessions.breakable import BreakableStore
from tests.socketio.world import PollingClient, WebSocketClient, remembering
from tests.web.server import VisitorPage, make_service

DAY = 86400.0


class SessionPage(VisitorPage):
    loads_session = True
    csrf_protected = False


class Show(SessionPage):
    def get(self):
        self.write({"id": self.session_id, "user": self.user_id, **self.session})


class Put(SessionPage):
    def post(self, key):
        self.set_session_key(key, self.get_argument("value"))
        self.write(str(self.get_session_key(key)))


class Login(VisitorPage):
    csrf_protected = False

    def post(self):
        self.login(self.get_argument("user"))
        self.write(str(self.session_id))


class Logout(VisitorPage):
    csrf_protected = False

    def post(self):
        self.logout()


class Plain(VisitorPage):
    def get(self):
        self.write(f"{self.session_id} {self.user_id}")


class Backwards(MojoRequestHandler, MojoAuthMixin, MojoSessionMixin):
    """The seed's order of the bases: the mixins begin before the handler does."""

    def get(self):
        self.write("here")


class SessionTestCase(SynchronousTestCase):
    settings: dict = {}  # noqa: RUF012

    def setUp(self) -> None:
        self.clock = Clock()
        self.now = 1_700_000_000.0
        self.store = BreakableStore(self.clock)
        self.seen: list = []
        test = self

        class Own(SessionPage):
            """A page that a test makes up."""

            async def get(self):
                await test.page(self)

            post = get

        pages = {
            "/": Show,
            "/login": Login,
            "/logout": Logout,
            "/plain": Plain,
            "/own": Own,
            "/back": Backwards,
        }
        self.chat = remembering(
            loads_session=True,
            on_logout=lambda handler, reason: handler.seen.append(("on_logout", reason)),
        )
        app = App(
            name="Chat", handler=self.chat, urlpatterns=[*pages.items(), (r"/put/(\w+)", Put)]
        )
        settings = {"session_store": self.store, **self.settings}
        self.service = make_service(app, clock=self.clock, now=lambda: self.now, **settings)
        self.site = self.service.site
        self.browser = Browser(self.service)

    def turn(self) -> None:
        self.clock.advance(0)

    def show(self, browser=None) -> dict:
        import json

        return json.loads((browser or self.browser).get("/").text)

    def put(self, key, value, browser=None):
        return (browser or self.browser).post(f"/put/{key}", {"value": value})

    def own(self, page, method="get"):
        self.page = page
        return getattr(self.browser, method)("/own")

    def connect_handler(self) -> MojoSocketHandler:
        """Connect with the browser's cookies."""
        headers = {"Cookie": self.browser.cookie_header}
        WebSocketClient(self, "/ChatSocket/", headers=headers).connect("/")
        self.chat.seen.clear()
        return self.chat.handlers[-1]

    def data(self) -> dict:
        shown = self.show()
        del shown["id"], shown["user"]
        return shown


class PageTests(SessionTestCase):
    def test_kept(self) -> None:
        """What one request sets the next one has, and nobody else."""
        self.assertEqual(self.put("cart", "tea").text, "tea")
        self.assertEqual(self.data(), {"cart": "tea"})
        other = Browser(self.service)
        self.assertNotIn("cart", self.show(other))

    def test_only_where_it_is_asked_for(self) -> None:
        """Other pages cost the store nothing, and do not need it."""
        self.store.down = True
        self.assertEqual(self.browser.get("/plain").status, 200)
        self.assertEqual(self.store.asked, [])

    def test_not_loaded(self) -> None:
        """Who uses it too early reads what to do."""

        class Early(VisitorPage):
            def get(self):
                self.session["a"] = 1

        service = make_service(App(name="X", urlpatterns=[("/", Early)]))
        self.assertEqual(Browser(service).get("/").status, 500)
        (failure,) = self.flushLoggedErrors(SessionError)
        self.assertIn("Early is not loaded: set loads_session = True", str(failure.value))

    def test_load_session(self) -> None:
        """A method may load it when it needs it."""

        class Late(VisitorPage):
            async def get(self):
                session = await self.load_session()
                session["n"] = session.get("n", 0) + 1
                self.write(str(session["n"]))

        browser = Browser(make_service(App(name="X", urlpatterns=[("/", Late)])))
        self.assertEqual([browser.get("/").text for _ in range(3)], ["1", "2", "3"])

    def test_plain_handler(self) -> None:
        """Without the mixin a visitor has a session as soon as it is asked for."""

        class Bare(MojoRequestHandler):
            loads_session = True

            def get(self):
                self.session["n"] = self.session.get("n", 0) + 1
                self.write(str(self.session["n"]))

        browser = Browser(make_service(App(name="X", urlpatterns=[("/", Bare)])))
        self.assertEqual([browser.get("/").text for _ in range(2)], ["1", "2"])

    def test_saved_before_the_answer(self) -> None:
        """Who reads the answer can rely on it."""
        self.show()
        self.store.asked.clear()

        async def page(handler):
            handler.session["a"] = 1
            self.store.hold = []

        self.page = page
        answer = self.browser.ask("GET", "/own")
        self.assertEqual((answer.answered, self.store.asked), (False, ["load", "save"]))
        self.store.go_on()
        self.assertEqual(answer.value.status, 200)

    def test_save_session(self) -> None:
        async def page(handler):
            handler.session["a"] = 1
            await handler.save_session()
            self.assertEqual(self.store.asked, ["load", "save"])
            handler.write("saved")

        self.assertEqual(self.own(page).text, "saved")

    def test_page_that_fails(self) -> None:
        """What a crash has half done is not kept; what an HTTPError says is on purpose."""

        async def crash(handler):
            handler.session["a"] = 1
            raise ZeroDivisionError

        async def refuse(handler):
            handler.session["tries"] = 1
            raise HTTPError(403)

        self.assertEqual(self.own(crash).status, 500)
        self.assertEqual(self.own(refuse).status, 403)
        self.assertEqual(self.data(), {"tries": 1})
        self.flushLoggedErrors(ZeroDivisionError)

    def test_two_requests_at_once(self) -> None:
        """Two tabs of a browser: both writes are there."""
        self.show()
        self.store.hold = []
        tabs = [Browser(self.service), Browser(self.service)]
        for number, tab in enumerate(tabs):
            tab.jar = self.browser.jar
            tab.ask("POST", f"/put/k{number}?value=x", body=b"")
        while self.store.hold:
            held, self.store.hold = self.store.hold, []
            for deferred in held:
                deferred.callback(None)
        self.store.hold = None
        self.assertEqual(self.data(), {"k0": "x", "k1": "x"})

    def test_template(self) -> None:
        """A template has it too, where it is loaded."""
        names: list = []
        self.service.templates = type(
            "T", (), {"render": lambda s, a, t, n: names.append(n) or ""}
        )()

        async def page(handler):
            handler.render("x.html")

        self.own(page)
        self.assertEqual(dict(names[0]["session"]), {})

    def test_too_large(self) -> None:
        self.assertEqual(self.put("a", "x" * 3000).status, 500)
        (failure,) = self.flushLoggedErrors(SessionTooLargeError)
        self.assertNotIn("xxx", str(failure.value))


class DownTests(SessionTestCase):
    def test_page(self) -> None:
        """503 where the session is needed, before the method has done anything."""
        self.put("a", "1")
        self.store.down = True

        async def page(handler):
            self.fail("called")

        self.assertEqual(self.own(page).status, 503)
        self.store.down = False
        self.assertEqual(self.data(), {"a": "1"})

    def test_saving(self) -> None:
        """A write that is not saved is no success."""

        async def page(handler):
            handler.session["a"] = 1
            self.store.down = True
            handler.write("done")

        response = self.own(page)
        self.assertEqual(response.status, 503)
        self.assertNotIn("done", response.text)

    def test_login(self) -> None:
        """A login that cannot change the session's id is none."""
        before = self.show()
        jar = dict(self.browser.jar)
        self.store.down = True
        response = self.browser.post("/login", {"user": "ada"})
        self.assertEqual((response.status, "set-cookie" in response.headers), (503, False))
        self.assertEqual(self.browser.jar, jar)
        self.store.down = False
        self.assertEqual(self.show(), before)

    def test_another_login(self) -> None:
        """The login that there was is still one, for pages and for connections."""
        self.browser.post("/login", {"user": "ada"})
        before = self.show()
        handler = self.connect_handler()
        self.store.down = True
        for user in ("ada", "bob"):
            self.assertEqual(self.browser.post("/login", {"user": user}).status, 503)
        self.store.down = False
        self.assertEqual(self.show(), before)
        self.assertEqual((handler.user_id, self.chat.seen), ("ada", []))

    def test_login_of_a_first_visit(self) -> None:
        """Nor is one that needs no other id, if what the page keeps cannot be saved."""

        async def page(handler):
            handler.login("ada")
            handler.session["a"] = 1
            self.store.down = True

        self.assertEqual(self.own(page, "post").status, 503)
        self.assertNotIn("logged_in", self.browser.jar)

    def test_login_with_too_much(self) -> None:
        """What two pages together put into a session may be too much for it."""
        before = self.show()

        async def page(handler):
            handler.session["a"] = "x" * 1000
            self.put("b", "y" * 1500, other)
            handler.login("ada")

        other = Browser(self.service, self.browser.jar)
        self.assertEqual(self.own(page, "post").status, 500)
        self.assertEqual(self.show(), {**before, "b": "y" * 1500})
        self.assertEqual(len(self.flushLoggedErrors(SessionTooLargeError)), 1)

    def test_logout(self) -> None:
        """A logout counts in any case."""
        self.browser.post("/login", {"user": "ada"})
        session_id = self.show()["id"]
        self.store.down = True
        self.assertEqual(self.browser.post("/logout").status, 503)
        self.store.down = False
        self.assertEqual((self.show()["user"], self.show()["id"]), (None, session_id))


class StaleTests(SessionTestCase):
    """Cookies that are past half their age."""

    settings = {"session_max_age": 300, "login_max_age": 300}  # noqa: RUF012

    def test_stale_old_cookie(self) -> None:
        """It is not sealed anew, nor a login, which would put them in the new ones' place."""
        self.browser.post("/login", {"user": "ada"})
        old = dict(self.browser.jar)
        self.now += 200
        tab = Browser(self.service)
        tab.jar = dict(old)
        self.browser.post("/logout")
        for path in ("/plain", "/back"):
            response = tab.get(path)
            self.assertEqual((response.status, "set-cookie" in response.headers), (307, False))


class LoginTests(SessionTestCase):
    def test_new_id(self) -> None:
        """Each login and each logout changes the id, and what is kept goes along."""
        self.put("cart", "tea")
        ids = [self.show()["id"]]
        for path in ("/login", "/login", "/logout"):
            self.browser.post(path, {"user": "ada"})
            shown = self.show()
            self.assertEqual(shown["cart"], "tea")
            ids.append(shown["id"])
        self.assertEqual(len(set(ids)), 4)
        self.assertTrue(all(len(session_id) == 32 for session_id in ids))

    def test_answer_has_the_new_id(self) -> None:
        text = self.browser.post("/login", {"user": "ada"}).text
        self.assertEqual(text, self.show()["id"])

    def test_fixation(self) -> None:
        """Who planted the cookie has nothing of what comes after the login."""
        attacker, victim = Browser(self.service, address="203.0.113.9"), self.browser
        self.show(attacker)
        victim.jar["session_id"] = attacker.jar["session_id"]
        victim.post("/login", {"user": "victim"})
        self.put("secret", "x", victim)
        for seconds in (0, 40, DAY):
            self.clock.advance(seconds)
            response = attacker.get("/")
            if response.status != 307:
                self.assertNotIn("secret", response.text)
                self.assertNotEqual(self.show(attacker)["id"], self.show(victim)["id"])

    def test_old_cookie(self) -> None:
        """For half a minute the browser is asked to come again: it may have the new one then."""
        tab = Browser(self.service)
        self.show()
        tab.jar = dict(self.browser.jar)
        self.browser.post("/login", {"user": "ada"})
        response = tab.post("/put/a?b=c", {"value": "1"})
        self.assertEqual((response.status, response.header("location")), (307, "/put/a?b=c"))
        self.assertNotIn("set-cookie", response.headers)
        self.assertEqual(response.header("cache-control"), "no-store")
        tab.jar = self.browser.jar
        self.assertEqual(tab.post("/put/a?b=c", {"value": "1"}).text, "1")
        self.assertEqual(self.data(), {"a": "1"})

    def test_old_cookie_later(self) -> None:
        """A browser that never got the new one is a new visitor."""
        old = self.show()["id"]
        tab = Browser(self.service)
        tab.jar = dict(self.browser.jar)
        self.browser.post("/login", {"user": "ada"})
        self.clock.advance(31)
        shown = self.show(tab)
        self.assertNotIn(shown["id"], (old, self.show()["id"]))

    def test_browser_that_never_got_the_new_one(self) -> None:
        """It is not sent in circles: each time it waits as long again as it is too late."""
        self.show()
        tab = Browser(self.service)
        tab.jar = dict(self.browser.jar)
        self.browser.post("/login", {"user": "ada"})
        self.clock.advance(0.01)
        statuses: list[int] = []
        while statuses[-1:] != [200]:
            answer = tab.ask("GET", "/plain")
            began = self.clock.seconds()
            while not answer.answered:
                self.assertLessEqual(self.clock.seconds(), began + 5)
                self.clock.advance(0.01)
            statuses.append(answer.value.status)
        # Of 0.01 s, 0.02, 0.04 and so on, and five times 5: browsers follow 16 or more.
        self.assertEqual(statuses, [307] * 14 + [200])
        self.assertGreaterEqual(self.clock.seconds(), 30)

    def test_browser_that_leaves_meanwhile(self) -> None:
        """No timer is left of one that is told to wait."""
        self.show()
        tab = Browser(self.service)
        tab.jar = dict(self.browser.jar)
        self.browser.post("/login", {"user": "ada"})
        self.clock.advance(3)
        before = len(self.clock.getDelayedCalls())
        tab.ask("GET", "/plain")
        tab.wire.hang_up()
        self.assertLessEqual(len(self.clock.getDelayedCalls()), before)

    def test_client_that_left(self) -> None:
        """Who does not get the cookies is not logged in, and keeps what there was."""
        self.browser.post("/login", {"user": "ada"})
        self.put("cart", "tea")
        before = self.show()
        handler = self.connect_handler()
        hold: Deferred = Deferred()

        async def page(page):
            await hold
            page.session["seen"] = 1
            page.login("bob")

        self.page = page
        self.browser.ask("POST", "/own", body=b"")
        self.browser.wire.hang_up()
        hold.callback(None)
        self.assertEqual(self.show(), {**before, "seen": 1})
        self.assertEqual((handler.user_id, handler.session_id), ("ada", before["id"]))
        self.assertEqual(self.chat.seen, [])

    def test_client_that_left_at_logout(self) -> None:
        """It is logged out, and the session that it knows is still its own."""
        self.browser.post("/login", {"user": "ada"})
        before = self.show()
        hold: Deferred = Deferred()

        async def page(page):
            await hold
            page.logout()

        self.page = page
        self.browser.ask("POST", "/own", body=b"")
        self.browser.wire.hang_up()
        hold.callback(None)
        self.assertEqual(self.show(), {**before, "user": None})

    def test_login_and_logout(self) -> None:
        """Of one request: nobody is logged in, and who was is not either."""

        async def page(page):
            page.login("bob")
            page.logout()

        self.browser.post("/login", {"user": "ada"})
        copy = Browser(self.service, {"logged_in": self.browser.jar["logged_in"]})
        handler = self.connect_handler()
        self.own(page, "post")
        self.assertEqual([self.show(b)["user"] for b in (self.browser, copy)], [None, None])
        self.assertEqual((handler.user_id, self.chat.seen), (None, [("on_logout", "logout")]))

    def test_page_of_another_visitor_meanwhile(self) -> None:
        """A request under way whose session was moved away cannot change it."""
        self.show()
        hold: Deferred = Deferred()

        async def page(handler):
            handler.session["a"] = 1
            await hold

        attacker = Browser(self.service, address="203.0.113.9")
        attacker.jar = dict(self.browser.jar)
        self.page = page
        answer = attacker.ask("GET", "/own")
        self.browser.post("/login", {"user": "ada"})
        hold.callback(None)
        self.assertEqual(answer.value.status, 409)
        self.assertEqual(self.data(), {})

    def test_two_logins_at_once(self) -> None:
        """The slower one is done once more, with the cookie that the faster one set."""
        self.show()
        self.store.hold = []
        tabs = [Browser(self.service), Browser(self.service)]
        for tab in tabs:
            tab.jar = dict(self.browser.jar)
        answers = [tab.ask("POST", "/login?user=ada", body=b"") for tab in tabs]
        while self.store.hold:
            held, self.store.hold = self.store.hold, []
            for deferred in held:
                deferred.callback(None)
        self.store.hold = None
        first, second = (answer.value for answer in answers)
        self.assertEqual((first.status, second.status), (200, 307))
        self.assertNotIn("set-cookie", second.headers)
        tabs[1].jar = tabs[0].jar
        self.assertEqual(tabs[1].post("/login", {"user": "ada"}).status, 200)
        self.assertEqual(self.show(tabs[0])["user"], "ada")

    def test_changes_and_login(self) -> None:
        """What the page that logs in sets is kept under the new id."""

        async def page(handler):
            handler.session["before"] = 1
            handler.login("ada")
            handler.session["after"] = 1

        self.show()
        self.own(page, "post")
        self.assertEqual(self.data(), {"before": 1, "after": 1})

    def test_login_and_crash(self) -> None:
        """The login stands, and what was changed does not."""

        async def page(handler):
            handler.session["a"] = 1
            handler.login("ada")
            raise ZeroDivisionError

        self.show()
        self.assertEqual(self.own(page, "post").status, 500)
        self.assertEqual(self.show()["user"], "ada")
        self.assertEqual(self.data(), {})
        self.flushLoggedErrors(ZeroDivisionError)

    def test_first_visit(self) -> None:
        """An id that was made in this request is known to nobody: it stays."""
        self.browser.post("/login", {"user": "ada"})
        self.assertNotIn("move", self.store.asked)


class ConnectionTests(SessionTestCase):
    def connect(self, kind=WebSocketClient, browser=None, **headers):
        jar = (browser or self.browser).jar
        cookie = "; ".join(f"{name}={value}" for name, value in jar.items())
        address = (browser or self.browser).address
        client = kind(self, "/ChatSocket/", headers={"Cookie": cookie, **headers}, address=address)
        client.connect("/")
        return client

    @property
    def handler(self) -> MojoSocketHandler:
        return self.chat.handlers[-1]

    def test_same_as_pages(self) -> None:
        """What a page sets a handler has, at once, and the other way round."""
        self.put("a", "1")
        self.connect()
        self.assertEqual(self.handler.session["a"], "1")
        self.put("b", "2")
        self.assertEqual(self.handler.get_session_key("b"), "2")
        self.handler.set_session_key("c", "3")
        self.turn()
        self.assertEqual(self.data(), {"a": "1", "b": "2", "c": "3"})

    def test_saved_once_a_turn(self) -> None:
        self.show()
        self.connect()
        self.store.asked.clear()
        for number in range(5):
            self.handler.session["n"] = number
        self.turn()
        self.assertEqual(self.store.asked, ["save"])

    def test_save_session(self) -> None:
        self.show()
        self.connect()
        self.handler.session["a"] = 1
        self.successResultOf(self.handler.save_session())
        self.assertEqual(self.data(), {"a": 1})

    def test_not_loaded(self) -> None:
        self.chat.loads_session = False
        self.show()
        self.connect()
        for use in (lambda: self.handler.session, lambda: self.handler.get_session_key("a")):
            with self.assertRaises(SessionError) as caught:
                use()
            self.assertIn("Remembering is not loaded", str(caught.exception))
        self.failureResultOf(self.handler.save_session(), SessionError)
        session = self.successResultOf(self.handler.load_session())
        self.assertIs(session, self.handler.session)

    def test_before_on_open(self) -> None:
        """It is there in middleware and in ``on_open``."""
        seen = []
        self.chat.middleware = [lambda handler: seen.append(handler.session["a"])]
        self.chat.on_open = lambda handler, request: seen.append(handler.session["a"])
        self.service.app("Chat").use(self.chat.middleware[0])
        self.put("a", "1")
        self.connect()
        self.assertEqual(seen, ["1", "1"])

    def test_without_a_cookie(self) -> None:
        """It is empty, and says why it cannot be changed."""
        self.connect(browser=Browser(self.service))
        self.assertEqual(dict(self.handler.session), {})
        with self.assertRaises(SessionError) as caught:
            self.handler.session["a"] = 1
        self.assertIn("MojoSessionMixin", str(caught.exception))

    def test_loading_anew(self) -> None:
        """What was changed and is not saved yet stays on top."""
        self.show()
        self.connect()
        self.handler.session["a"] = 1
        session = self.successResultOf(self.handler.load_session())
        self.assertEqual(dict(session), {"a": 1})

    def test_down_while_opening(self) -> None:
        """The client is told; one that needs no session comes in."""
        self.show()
        self.store.down = True
        cookie = f"session_id={self.browser.jar['session_id']}"
        client = WebSocketClient(self, "/ChatSocket/", headers={"Cookie": cookie})
        client.send("0")
        self.assertEqual(client.received(), ['4{"message":"Try again"}'])
        self.chat.loads_session = False
        self.connect()

    def test_down_while_open(self) -> None:
        """The connection stays, the handler learns of it once, and the write is made up for."""
        self.show()
        client = self.connect()
        self.store.down = True
        self.handler.session["a"] = 1
        self.turn()
        self.clock.advance(5)
        self.handler.session["b"] = 1
        self.turn()
        self.assertEqual(self.chat.seen, [("on_error", "session", SessionUnavailable)])
        self.assertEqual(self.handler.session["a"], 1)
        self.assertFalse(client.closed)
        self.store.down = False
        self.clock.advance(5)
        self.assertEqual(self.data(), {"a": 1, "b": 1})

    def test_lost_after_all(self) -> None:
        """What was to be tried again, and cannot be saved any more, is told as well."""
        self.show()
        self.connect()
        self.store.down = True
        self.handler.session["a"] = "x" * 1000
        self.turn()
        self.store.down = False
        self.put("b", "y" * 1500)
        self.clock.advance(5)
        self.assertEqual(
            self.chat.seen,
            [
                ("on_error", "session", SessionUnavailable),
                ("on_error", "session", SessionTooLargeError),
            ],
        )
        self.assertEqual(self.data(), {"b": "y" * 1500})
        self.assertNotIn("a", self.handler.session)
        self.assertEqual(len(self.flushLoggedErrors(SessionTooLargeError)), 1)

    def test_closed_meanwhile(self) -> None:
        """The write of a client that has gone is made up for too."""
        self.show()
        client = self.connect()
        self.store.down = True
        self.handler.session["a"] = 1
        self.turn()
        client.vanish()
        self.store.down = False
        self.clock.advance(5)
        self.assertEqual(self.data(), {"a": 1})

    def test_stop(self) -> None:
        """What is not saved is saved when the service stops, and no timer stays."""
        self.service.startService()
        self.show()
        self.connect()
        self.store.down = True
        self.handler.session["a"] = 1
        self.turn()
        self.chat.on_close = lambda handler, reason: handler.session.update(b=2)
        stopped = self.service.stopService()
        self.store.down = False
        self.clock.pump([0, 0, 3])
        for channel in tuple(self.site.channels):
            channel.transport.settle()
        self.clock.pump([0])
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.data(), {"a": 1, "b": 2})

    def test_login(self) -> None:
        """The visitor's connections go along, over both transports, with what they have."""
        self.put("a", "1")
        clients = [self.connect(), self.connect(PollingClient)]
        self.handler.session["unsaved"] = 1
        new = self.browser.post("/login", {"user": "ada"}).text
        self.assertEqual({h.session_id for h in self.chat.handlers}, {new})
        self.assertEqual(list(self.service.current_sessions), [new])
        self.service.session(new).emit("x")
        for client in clients:
            self.assertEqual(client.received(), ['2["x"]'])
        self.turn()
        self.assertEqual(self.data(), {"a": "1", "unsaved": 1})
        self.handler.session["later"] = 1
        self.turn()
        self.assertEqual(self.data()["later"], 1)

    def test_planted(self) -> None:
        """A connection from elsewhere with the same cookie does not: it has to come back."""
        self.show()
        mine = self.connect(**{"User-Agent": "mine"})
        attacker = Browser(self.service, address="203.0.113.9")
        attacker.jar = dict(self.browser.jar)
        strange = self.connect(browser=attacker, **{"User-Agent": "mine"})
        disguised = self.connect(**{"User-Agent": "strange"})
        handlers = list(self.chat.handlers)
        new = self.browser.post("/login", {"user": "ada"}, headers={"User-Agent": "mine"}).text
        self.put("secret", "x")
        self.service.session(new).emit("secret")
        self.assertEqual(mine.received(), ['2["secret"]'])
        for client, handler in ((strange, handlers[1]), (disguised, handlers[2])):
            self.assertEqual(client.received(), [])
            self.assertTrue(client.closed)
            self.assertNotIn("secret", handler.session)

    def test_coming_back_with_the_old_cookie(self) -> None:
        """It is refused, and comes again with the new one; later the old one is worth nothing."""
        self.show()
        uri = "/ChatSocket/?EIO=4&transport=polling"
        old = {"Cookie": f"session_id={self.browser.jar['session_id']}"}
        self.browser.post("/login", {"user": "ada"})
        new = {"Cookie": f"session_id={self.browser.jar['session_id']}"}

        def status(headers) -> int:
            wire = Wire(self.site)
            wire.ask("GET", uri, headers=headers)
            return wire.answer().status

        self.assertEqual((status(old), status(new), status({})), (403, 200, 200))
        self.clock.advance(31)
        self.assertEqual(status(old), 200)

    def test_loading_while_it_is_moved(self) -> None:
        """A connection that opens in the moment of a login has the new id's session."""
        self.put("a", "1")
        self.store.hold = []
        cookie = f"session_id={self.browser.jar['session_id']}"
        client = WebSocketClient(self, "/ChatSocket/", headers={"Cookie": cookie})
        client.send("0")
        held, self.store.hold = self.store.hold, None
        new = self.browser.post("/login", {"user": "ada"}).text
        held[0].callback(None)
        self.assertTrue(client.received()[0].startswith('0{"sid"'))
        self.assertEqual((self.handler.session_id, self.handler.session["a"]), (new, "1"))


class CookieSessionTests(SessionTestCase):
    """Sessions in the visitor's own cookie."""

    settings = {"session_store": "cookie"}  # noqa: RUF012

    connect = ConnectionTests.connect
    handler = ConnectionTests.handler

    def test_kept(self) -> None:
        self.put("cart", "tea")
        self.put("n", "1")
        self.assertEqual(self.data(), {"cart": "tea", "n": "1"})
        self.assertEqual(sorted(self.browser.jar), ["session_data", "session_id"])

    def test_login(self) -> None:
        self.put("cart", "tea")
        old = dict(self.browser.jar)
        self.browser.post("/login", {"user": "ada"})
        self.put("secret", "x")
        self.assertEqual(self.data(), {"cart": "tea", "secret": "x"})
        # Neither half is any good with the other.
        mixed = Browser(self.service)
        mixed.jar = {**self.browser.jar, "session_data": old["session_data"]}
        self.assertNotIn("cart", self.show(mixed))

    def test_connection(self) -> None:
        """It reads what pages save, and is told that it cannot change it."""
        self.put("a", "1")
        self.connect()
        self.put("b", "2")
        self.put("c", "3")
        self.assertEqual(dict(self.handler.session), {"a": "1", "b": "2", "c": "3"})
        self.successResultOf(self.handler.load_session())
        self.assertEqual(dict(self.handler.session), {"a": "1", "b": "2", "c": "3"})
        with self.assertRaises(SessionError) as caught:
            self.handler.session["a"] = 2
        self.assertIn("changed by pages alone", str(caught.exception))
        self.browser.post("/login", {"user": "ada"})
        self.put("d", "4")
        self.assertEqual(self.handler.session["d"], "4")

    def test_too_large(self) -> None:
        self.assertEqual(self.put("a", "x" * 2700).status, 500)
        (failure,) = self.flushLoggedErrors(SessionTooLargeError)
        self.assertIn("its store takes 2700", str(failure.value))
