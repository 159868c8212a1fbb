"""Sessions, logins and forged requests: the mixins, through a real Site."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo import App, MojoAuthMixin, MojoRequestHandler, MojoSessionMixin, login_required
from mojo.testing import Browser, TestClient, TestServer
from mojo.web import csrf
from tests.socketio.world import remembering
from tests.web.server import (
    SECRET,
    VisitorPage,
    app_of,
    make_service,
)

DAY = 86400.0


class Home(VisitorPage):
    def get(self):
        self.write(f"{self.session_id} {self.current_user} {self.csrf_field()}")


class Login(VisitorPage):
    def post(self):
        self.login(self.get_argument("user"))
        self.write(f"{self.current_user}")


class Logout(VisitorPage):
    def post(self):
        self.logout()
        self.write(f"{self.current_user}")


class Private(VisitorPage):
    @login_required
    def get(self, *args):
        self.write(f"for {self.current_user}")

    @login_required
    async def post(self, *args):
        self.write("done")


APP = app_of({"/": Home, "/login": Login, "/logout": Logout, "/private/?(.*)": Private})


class VisitorTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 1_700_000_000.0
        self.service = make_service(APP, now=lambda: self.now)
        self.browser = Browser(self.service)

    def session(self) -> str:
        return self.browser.get("/").text.split(" ")[0]


class SessionTests(VisitorTestCase):
    def test_new_visitor(self) -> None:
        """A visitor has a session on the first page, and the same on the next."""
        first = self.session()
        self.assertEqual(len(first), 32)
        self.assertEqual(self.session(), first)

    def test_cookie(self) -> None:
        response = self.browser.get("/")
        cookie = next(c for c in response.headers["set-cookie"] if c.startswith("session_id="))
        self.assertIn("; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", cookie)
        self.assertNotIn("session_id", "".join(self.browser.get("/").headers.get("set-cookie", [])))

    def test_bad_cookie(self) -> None:
        """Forged, expired, of another secret: a new session, never an error."""
        first = self.session()
        self.browser.jar["session_id"] = "forged"
        second = self.session()
        self.assertNotEqual(first, second)
        self.now += 366 * DAY
        self.assertNotEqual(self.session(), second)

    def test_renewal(self) -> None:
        """Past half its age the cookie is sealed anew: whoever keeps coming keeps it."""
        first = self.session()
        for _ in range(6):
            self.now += 183 * DAY
            self.assertEqual(self.session(), first)

    def test_without_the_mixin(self) -> None:
        """A plain handler reads the session, and makes none."""
        app = app_of({"/": lambda self: self.write(str(self.session_id))})
        response = Browser(make_service(app)).get("/")
        self.assertEqual((response.text, "set-cookie" in response.headers), ("None", False))

    def test_mixins_in_any_order(self) -> None:
        """The seed's order was the other one."""
        page = lambda self: self.write(str(self.session_id))  # noqa: E731
        for bases in (
            (MojoSessionMixin, MojoAuthMixin, MojoRequestHandler),
            (MojoRequestHandler, MojoAuthMixin, MojoSessionMixin),
        ):
            app = app_of({"/": page}, bases=bases)
            self.assertNotEqual(Browser(make_service(app)).get("/").text, "None")


class LoginTests(VisitorTestCase):
    def user(self) -> str:
        return self.browser.get("/").text.split(" ")[1]

    def test_login_and_logout(self) -> None:
        self.assertEqual(self.user(), "None")
        self.assertEqual(self.browser.submit("/login", "/", user="ada").text, "ada")
        self.assertEqual(self.user(), "ada")
        response = self.browser.submit("/logout", "/")
        self.assertEqual(response.text, "None")
        self.assertEqual(self.user(), "None")
        self.assertNotIn("logged_in", self.browser.jar)

    def test_expiry(self) -> None:
        """14 days from the last page, if one came in the second half of them."""
        self.browser.submit("/login", "/", user="ada")
        for _ in range(3):
            self.now += 8 * DAY
            self.assertEqual(self.user(), "ada")
        self.now += 15 * DAY
        self.assertEqual(self.user(), "None")

    def test_swapped_cookies(self) -> None:
        """A visitor's own session id is no login."""
        self.session()
        self.browser.jar["logged_in"] = self.browser.jar["session_id"]
        self.assertEqual(self.user(), "None")

    def test_user_ids(self) -> None:
        """Numbers are text from then on; nothing else is taken."""
        seen: list = []

        class Page(MojoRequestHandler):
            csrf_protected = False
            user: object = 42

            def post(self):
                self.login(self.user)
                seen.append(self.user_id)

        service = make_service(app_of({"/": Page}))
        Browser(service).post("/")
        self.assertEqual(seen, ["42"])
        for user in (None, "", True, 1.5):
            Page.user = user
            self.assertEqual(Browser(service).post("/").status, 500)
        self.assertEqual(len(self.flushLoggedErrors(TypeError, ValueError)), 4)

    def test_current_user_hook(self) -> None:
        """A project may make of the id whatever it has."""

        class Page(VisitorPage):
            def get_current_user(self):
                return {"name": self.user_id} if self.user_id else None

            def get(self):
                self.write(str(self.current_user))

        service = make_service(app_of({"/": Home, "/login": Login, "/me": Page}))
        browser = Browser(service)
        browser.submit("/login", "/", user="ada")
        self.assertEqual(browser.get("/me").text, "{'name': 'ada'}")

    def test_login_required(self) -> None:
        """A page leads to the login and back; anything else is forbidden."""
        response = self.browser.get("/private/x?a=b&c=d")
        self.assertEqual(response.status, 302)
        self.assertEqual(response.header("location"), "/login?next=%2Fprivate%2Fx%3Fa%3Db%26c%3Dd")
        self.assertEqual(self.browser.submit("/private", "/").status, 403)
        self.browser.submit("/login", "/", user="ada")
        self.assertEqual(self.browser.get("/private/").text, "for ada")
        self.assertEqual(self.browser.submit("/private", "/").text, "done")

    def test_no_user(self) -> None:
        """What counts as nobody in Python is nobody; something to wait for is a mistake."""
        for user, status in ((None, 302), ("", 302), (False, 302), ({}, 302), ("ada", 200)):
            page = {"/": lambda s: s.write("in"), "get_current_user": lambda s, user=user: user}
            page["/"] = login_required(page["/"])
            service = make_service(app_of({"/": page.pop("/")}, **page))
            self.assertEqual(Browser(service).get("/").status, status, user)

        async def wait(self):
            return None

        service = make_service(
            app_of({"/": login_required(lambda s: s.write("in"))}, get_current_user=wait)
        )
        self.assertEqual(Browser(service).get("/").status, 500)
        self.assertIn("must not be async", str(self.flushLoggedErrors(TypeError)[0].value))

    def test_next(self) -> None:
        """A visitor comes back to the page that was wanted, and is led nowhere else."""
        page = self.browser.get("//evil.example/private")
        self.assertEqual(page.status, 404)
        service = make_service(
            app_of(
                {
                    "/next": lambda s: s.write(s.next_url("/home")),
                    "/.*": login_required(lambda s: None),
                }
            )
        )
        browser = Browser(service)
        location = browser.get("//evil.example/private").header("location")
        self.assertEqual(location, "/login?next=%2Fevil.example%2Fprivate")
        for wanted, given in (
            ("%2Fprivate%3Fa%3Db", "/private?a=b"),
            ("%2F", "/"),
            ("", "/home"),
            ("https%3A%2F%2Fevil.example", "/home"),
            ("%2F%2Fevil.example", "/home"),
            ("%2F%5Cevil.example", "/home"),
            ("%2F%09%2Fevil.example", "/home"),
            ("javascript%3Aalert(1)", "/home"),
        ):
            self.assertEqual(browser.get(f"/next?next={wanted}").text, given, wanted)


class ForgeryTests(VisitorTestCase):
    def test_form(self) -> None:
        token = self.browser.get("/").csrf_token
        self.assertEqual(
            self.browser.post("/login", {"user": "a", "csrf_token": token}).status, 200
        )

    def test_header(self) -> None:
        """A script sends the token as ``X-CSRF-Token``."""
        token = self.browser.get("/").csrf_token
        response = self.browser.post("/login", {"user": "a"}, headers={"X-CSRF-Token": token})
        self.assertEqual(response.status, 200)

    def test_missing_or_wrong(self) -> None:
        token = self.browser.get("/").csrf_token
        other = Browser(self.service).get("/").csrf_token
        for wrong in ("", "x", "é", token[:-1], token[::-1], other, "A" * len(token)):
            response = self.browser.post("/login", {"user": "a", "csrf_token": wrong})
            self.assertEqual(response.status, 403, wrong)

    def test_without_cookie(self) -> None:
        """The token alone is nothing, nor is a cookie somebody made up."""
        token = self.browser.get("/").csrf_token
        del self.browser.jar["csrf_token"]
        self.assertEqual(self.browser.post("/login", {"csrf_token": token}).status, 403)
        self.browser.jar["csrf_token"] = "A" * 24
        self.assertEqual(self.browser.post("/login", {"csrf_token": token}).status, 403)

    def test_masked_anew(self) -> None:
        """No two pages show the same token; all of a visitor's are good."""
        tokens = {self.browser.get("/").csrf_token for _ in range(3)}
        self.assertEqual(len(tokens), 3)
        for token in tokens:
            response = self.browser.post("/login", {"user": "a", "csrf_token": token})
            self.assertEqual(response.status, 200)

    def test_other_origin(self) -> None:
        """A page of another site is refused even if it knew the token."""
        token = self.browser.get("/").csrf_token
        fields = {"user": "a", "csrf_token": token}
        for origin, status in (
            ("http://example.com", 200),
            ("http://evil.example", 403),
            ("null", 403),
        ):
            self.assertEqual(
                self.browser.post("/login", fields, headers={"Origin": origin}).status, status
            )

    def test_every_changing_method(self) -> None:
        class Page(MojoRequestHandler):
            def put(self): ...

            delete = patch = post = put

        service = make_service(app_of({"/": Page}))
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            self.assertEqual(Browser(service).request(method, "/", body=b"").status, 403)

    def test_cookie_is_renewed(self) -> None:
        """A form that is filled in slowly still counts, however old the visitor's cookie is."""
        self.browser.get("/")
        self.now += 29 * DAY
        token = self.browser.get("/").csrf_token
        self.now += 2 * DAY
        self.assertEqual(
            self.browser.post("/login", {"user": "a", "csrf_token": token}).status, 200
        )

    def test_turned_off(self) -> None:
        class Hook(MojoRequestHandler):
            csrf_protected = False

            def post(self):
                self.write("ok")

        self.assertEqual(Browser(make_service(app_of({"/": Hook}))).post("/").text, "ok")


class TokenTests(SynchronousTestCase):
    def test_mask(self) -> None:
        """Numbers worked out by hand: zeros masked with ones are ones."""
        secret, noise = b"\x00" * 18, b"\xff" * 18
        token = csrf.mask(secret, noise)
        self.assertEqual(token, "/".replace("/", "_") * 48)
        self.assertTrue(csrf.matches(secret, token))
        self.assertFalse(csrf.matches(b"\x01" + b"\x00" * 17, token))


class LiveTests(SynchronousTestCase):
    """What pages do to the connections of their visitor."""

    def setUp(self) -> None:
        self.now = 1_700_000_000.0
        self.hold: Deferred[None] | None = None
        test = self

        class SlowLogout(VisitorPage):
            csrf_protected = False

            async def post(self):
                self.logout()
                await test.hold

        self.chat = remembering(
            on_logout=lambda handler, reason: handler.seen.append((reason, handler.id))
        )
        urls = [("/", Home), ("/login", Login), ("/logout", Logout), ("/slow", SlowLogout)]
        chat = App(name="Chat", handler=self.chat, urlpatterns=urls)
        self.server = TestServer(make_service(chat, now=lambda: self.now))
        self.addCleanup(self.server.close)
        self.service = self.server.service
        self.browser = self.server.browser()

    def connect(self) -> TestClient:
        """Connect as the browser would."""
        return self.server.connect(browser=self.browser)

    def users(self) -> list[str | None]:
        return [handler.user_id for handler in self.chat.handlers]

    def test_logout(self) -> None:
        self.browser.submit("/login", "/", user="ada")
        self.connect()
        self.browser.submit("/logout", "/")
        self.assertEqual(self.users(), [None])
        self.assertEqual(len(self.service.logged_in_sessions), 0)

    def test_login_as_somebody_else(self) -> None:
        """Who was ada is not told what is for ada; a second login as the same is nothing."""
        self.browser.submit("/login", "/", user="ada")
        client = self.connect()
        self.browser.submit("/login", "/", user="ada")
        self.assertEqual(self.users(), ["ada"])
        self.browser.submit("/login", "/", user="bob")
        self.service.user("ada").emit("private")
        self.assertEqual(client.received(), [])
        self.assertEqual(self.chat.seen, [("login changed", self.chat.handlers[0].id)])

    def test_logout_after_the_cookie_ran_out(self) -> None:
        self.browser.submit("/login", "/", user="ada")
        self.connect()
        self.now += 15 * DAY
        self.browser.submit("/logout", "/")
        self.assertEqual(self.users(), [None])

    def test_coming_back_before_the_answer(self) -> None:
        """Until the cookie is taken away the browser still has it; it is worthless already."""
        self.browser.submit("/login", "/", user="ada")
        self.hold = Deferred()
        answer = self.browser.ask("POST", "/slow")
        self.assertFalse(answer.answered)
        self.connect()
        self.assertEqual(self.users(), [None])
        self.hold.callback(None)
        self.assertEqual(self.users(), [None])

    def test_login_begins_a_session(self) -> None:
        """A login belongs to a session, also where no mixin made one."""

        class Bare(MojoRequestHandler):
            csrf_protected = False

            def post(self):
                self.login("ada")
                self.write(str(self.session_id))

        browser = Browser(make_service(app_of({"/": Bare})))
        session_id = browser.post("/").text
        self.assertEqual(sorted(browser.jar), ["logged_in", "session_id"])
        self.assertRegex(session_id, r"^[\w-]{32}$")


class RotationTests(VisitorTestCase):
    def test_old_secret(self) -> None:
        """Cookies of an earlier secret are sealed anew when they are seen."""
        self.browser.submit("/login", "/", user="ada")
        session = self.session()
        old = dict(self.browser.jar)
        self.browser.host = self.serve_with("a new secret: 0123456789 abcdefghijkl", (SECRET,))
        self.assertEqual(self.browser.get("/").text.split(" ")[:2], [session, "ada"])
        for name in ("session_id", "logged_in", "csrf_token"):
            self.assertNotEqual(self.browser.jar[name], old[name], name)
        self.browser.host = self.serve_with("a new secret: 0123456789 abcdefghijkl", ())
        self.assertEqual(self.browser.get("/").text.split(" ")[:2], [session, "ada"])

    def serve_with(self, secret: str, fallbacks: tuple[str, ...]):
        settings = {"cookie_secret": secret, "cookie_secret_fallbacks": fallbacks}
        return make_service(APP, now=lambda: self.now, **settings)


class BroadcastTests(SynchronousTestCase):
    def test_page_broadcasts(self) -> None:
        """The seed's example: a page tells everyone who is here, by CURRENT_SESSIONS."""
        from mojo import CURRENT_SESSIONS

        class Hello(VisitorPage):
            def get(self):
                for session in CURRENT_SESSIONS.values():
                    session.emit("joinedStatus", {"data": f"{self.session_id} has joined"})

        chat = App(name="Chat", handler=remembering(), urlpatterns=[("/hello", Hello), ("/", Home)])
        server = TestServer(chat)
        self.addCleanup(server.close)
        browser = server.browser()
        session_id = browser.get("/").text.split(" ")[0]
        client = server.connect(browser=browser)
        browser.get("/hello")
        self.assertEqual(
            client.received(), [("joinedStatus", [{"data": f"{session_id} has joined"}])]
        )
