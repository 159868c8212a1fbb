"""Logins of pages and of live connections: how they end, and what is worthless then."""

from __future__ import annotations

import jwt
from tornado.web import create_signed_value
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo import App, MojoRequestHandler, MojoSocketHandler
from mojo.auth import BearerToken, DjangoSession, TornadoCookie
from mojo.errors import SettingsError
from mojo.settings import Settings
from mojo.testing import Browser, TestServer
from tests.web.server import VisitorPage, make_service

SECRET = "correct horse battery staple 0123456789"
# The logins of these tests are good for 1,400 seconds: a day has 100, so to speak.
DAY = 100.0
TWO_WEEKS = 14 * DAY


class Home(VisitorPage):
    def get(self):
        self.write(f"{self.session_id} {self.user_id}")


class Page(VisitorPage):
    csrf_protected = False


class Login(Page):
    def post(self):
        self.login(self.get_argument("user"))


class Logout(Page):
    def post(self):
        self.logout(everywhere=self.get_argument("everywhere", "") == "yes")


class Revoke(Page):
    def post(self):
        self.mojo.revoke(user_id=self.user_id)
        self.login(self.user_id)


class Chat(MojoSocketHandler):
    def __init__(self, connection) -> None:
        super().__init__(connection)
        self.logouts: list[str] = []

    def on_logout(self, reason):
        self.logouts.append(reason)


PAGES = [("/", Home), ("/login", Login), ("/logout", Logout), ("/revoke", Revoke)]


class LoginsTestCase(SynchronousTestCase):
    def serve(self, handler=Chat, **settings) -> TestServer:
        app = App(name="Chat", handler=handler, urlpatterns=PAGES)
        server = TestServer(app, settings={"LOGIN_MAX_AGE": TWO_WEEKS, **settings})
        self.addCleanup(server.close)
        return server

    def setUp(self) -> None:
        self.server = self.serve()
        self.service = self.server.service

    def browser(self, user: str = "ada", server=None) -> Browser:
        """Give somebody a browser that is logged in by the page."""
        browser = (server or self.server).browser()
        browser.get("/")
        browser.post("/login", {"user": user})
        return browser

    def copy(self, browser: Browser) -> Browser:
        """Steal the login of a browser; the session's cookie is not needed for it."""
        jar = {"logged_in": browser.jar["logged_in"]}
        return Browser(self.server, jar, address="203.0.113.66")

    def user(self, browser: Browser) -> str:
        return browser.get("/").text.split(" ")[1]

    def session(self, browser: Browser) -> str:
        return browser.get("/").text.split(" ")[0]


class ReplayTests(LoginsTestCase):
    def test_after_logout(self) -> None:
        """A copy of the cookie is worthless, for pages and for connections."""
        browser = self.browser()
        thief = self.copy(browser)
        self.assertEqual(self.user(thief), "ada")
        browser.post("/logout")
        self.assertEqual(self.user(thief), "None")
        self.assertIsNone(self.server.connect(browser=thief).handler.user_id)

    def test_with_the_session(self) -> None:
        """A copy of both cookies: the session has moved on, and then it is nobody's."""
        browser = self.browser()
        thief = Browser(self.server, browser.jar)
        browser.post("/logout")
        self.assertEqual(thief.get("/").text, "")
        self.server.advance(31)
        self.assertEqual(self.user(thief), "None")

    def test_renewed_copies(self) -> None:
        """All copies of one login, also those that were sealed anew since."""
        browser = self.browser()
        thief = self.copy(browser)
        self.server.advance(8 * DAY)
        self.assertEqual(self.user(thief), "ada")
        self.assertEqual(self.user(browser), "ada")
        self.assertNotEqual(thief.jar["logged_in"], browser.jar["logged_in"])
        browser.post("/logout")
        self.assertEqual(self.user(thief), "None")

    def test_other_logins(self) -> None:
        """The user's other browsers stay logged in, and the user can log in again."""
        browser, other = self.browser(), self.browser()
        browser.post("/logout")
        self.assertEqual(self.user(other), "ada")
        browser.post("/login", {"user": "ada"})
        self.assertEqual(self.user(browser), "ada")

    def test_live_copies(self) -> None:
        """A connection with a stolen login ends with it, though its session is another one."""
        browser = self.browser()
        thief = self.copy(browser)
        stolen = self.server.connect(browser=thief).handler
        self.assertEqual(stolen.user_id, "ada")
        browser.post("/logout")
        self.assertEqual((stolen.user_id, stolen.logouts), (None, ["logout"]))

    def test_after_another_login(self) -> None:
        """The cookie of the login before is worthless, whoever logged in."""
        for user in ("ada", "bob"):
            browser = self.browser()
            thief = self.copy(browser)
            stolen = self.server.connect(browser=thief).handler
            mine = self.server.connect(browser=browser).handler
            browser.post("/login", {"user": user})
            self.assertEqual(self.user(thief), "None")
            self.assertEqual(stolen.logouts, ["login changed"])
            self.assertEqual(mine.user_id, "ada" if user == "ada" else None)

    def test_of_whoever_has_the_signer(self) -> None:
        """A cookie with just the user's id is a login too, and can be ended."""
        browser = self.server.browser("ada")
        thief = self.copy(browser)
        browser.post("/logout")
        self.assertEqual(self.user(thief), "None")
        thief = self.copy(self.server.browser("ada"))
        self.assertEqual(self.user(thief), "ada")

    def test_of_whoever_has_the_signer_renewed(self) -> None:
        """Its identity stays when a page seals it anew."""
        browser = self.server.browser("ada")
        thief = self.copy(browser)
        self.server.advance(8 * DAY)
        self.user(browser)
        self.assertNotEqual(thief.jar["logged_in"], browser.jar["logged_in"])
        browser.post("/logout")
        self.assertEqual(self.user(thief), "None")

    def test_beside_a_good_one(self) -> None:
        """A planted copy of a login that is over does not get in the way."""
        ada, bob = self.browser(), self.browser("bob")
        over = bob.jar["logged_in"]
        bob.post("/logout")
        headers = {"Cookie": f"logged_in={over}; logged_in={ada.jar['logged_in']}"}
        self.assertEqual(self.server.connect(headers=headers).handler.user_id, "ada")

    def test_chosen_names(self) -> None:
        """A user's id that looks like what is in our cookies is only a user's id."""
        name = '["admin","1",0,null]'
        browser = self.server.browser(name)
        self.assertEqual(self.user(browser), name.split(" ", maxsplit=1)[0])


class EverywhereTests(LoginsTestCase):
    def test_logout_everywhere(self) -> None:
        """Every browser and every connection of the user, and nobody else's."""
        browser, phone, bob = self.browser(), self.browser(), self.browser("bob")
        handlers = [self.server.connect(browser=b).handler for b in (browser, phone, bob)]
        browser.post("/logout", {"everywhere": "yes"})
        self.assertEqual([self.user(b) for b in (browser, phone, bob)], ["None", "None", "bob"])
        self.assertEqual([h.logouts for h in handlers], [["logout"], ["logout"], []])
        phone.post("/login", {"user": "ada"})
        self.assertEqual(self.user(phone), "ada")

    def test_revoke_user(self) -> None:
        browser = self.browser()
        client = self.server.connect(browser=browser)
        polling = self.server.connect(browser=browser, transport="polling")
        self.service.revoke(user_id="ada")
        for handler in (client.handler, polling.handler):
            self.assertEqual((handler.user_id, handler.logouts), (None, ["revoked"]))
        self.assertTrue(client.connected)
        self.assertEqual(len(self.service.logged_in_sessions), 0)
        self.assertEqual(self.user(browser), "None")

    def test_revoke_user_with_a_number(self) -> None:
        browser = self.browser("42")
        self.service.revoke(user_id=42, reason="banned")
        self.assertEqual(self.user(browser), "None")

    def test_revoke_and_log_in(self) -> None:
        """A page that revokes what there was, after a new password say, may log in at once."""
        browser = self.browser()
        thief = self.copy(browser)
        browser.post("/revoke")
        self.assertEqual(self.user(browser), "ada")
        self.assertEqual(self.user(thief), "None")

    def test_revoke_session(self) -> None:
        """The session's cookie, the logins made in it, and the connections with it."""
        browser, other = self.browser(), self.browser()
        session_id = browser.get("/").text.split(" ")[0]
        client, stays = self.server.connect(browser=browser), self.server.connect(browser=other)
        handler = client.handler
        anonymous = self.server.connect(session_id=session_id)
        login_only = self.copy(browser)
        self.service.revoke(session_id=session_id, reason="stolen laptop")
        self.assertEqual(handler.logouts, ["stolen laptop"])
        self.assertIsNotNone(client.closed)
        self.assertIsNotNone(anonymous.closed)
        self.assertTrue(stays.connected)
        self.assertEqual(self.user(login_only), "None")
        self.assertEqual(self.user(other), "ada")
        self.assertNotEqual(browser.get("/").text.split(" ")[0], session_id)

    def test_while_the_app_decides(self) -> None:
        """Whoever is being asked about by ``allow_request`` comes in as who it is by then."""
        decisions: list[Deferred] = []

        def decide(handshake):
            decisions.append(Deferred())
            return decisions[-1]

        server = self.serve(SOCKET_IO={"allow_request": decide})
        ends = (
            lambda browser: server.service.revoke(user_id="ada"),
            lambda browser: browser.post("/logout", {"everywhere": "yes"}),
            lambda browser: server.service.revoke(session_id=self.session(browser)),
        )
        for transport in ("polling", "websocket"):
            for end in ends:
                browser = self.browser(server=server)
                client = server.connect(browser=Browser(server, browser.jar), transport=transport)
                end(browser)
                decisions.pop().callback(True)
                if client.connected:
                    self.assertIsNone(client.handler.user_id)
                self.assertEqual(len(server.service.logged_in_sessions), 0)

    def test_mistakes(self) -> None:
        """What is no id of anybody's is said, and is nobody's end."""
        service = self.service
        self.assertRaises(TypeError, service.revoke)
        for wrong in (5, b"s", object()):
            self.assertRaises(TypeError, service.revoke, session_id=wrong)
            self.assertRaises(TypeError, service.session, wrong)
            self.assertRaises(TypeError, service.log_out, wrong)
        for wrong in (1.5, b"ada", True):
            self.assertRaises(TypeError, service.revoke, user_id=wrong)
            self.assertRaises(TypeError, service.user, wrong)
            self.assertRaises(TypeError, service.user_changed, wrong)
            self.assertRaises(TypeError, service.cookies.seal, "logged_in", wrong)
        self.assertRaises(ValueError, service.revoke, session_id="")
        self.assertRaises(ValueError, service.revoke, user_id="")

    def test_those_who_are_away(self) -> None:
        """A client that comes back after the revocation finds nothing of what it had."""
        server = self.serve(SOCKET_IO={"recovery": {}})
        browser = self.browser(server=server)
        client = server.connect(browser=browser)
        client.handler.data["secret"] = 1
        pid = client.handler.connection.comeback.pid
        client.vanish()
        server.service.revoke(user_id="ada")
        back = server.connect(browser=browser, auth={"pid": pid})
        self.assertEqual(
            (back.handler.recovered, back.handler.user_id, back.handler.data), (False, None, {})
        )


class ExpiryTests(LoginsTestCase):
    def test_while_connected(self) -> None:
        """Two weeks from the login it is over, in every tab, to the second."""
        browser = self.browser()
        handlers = [self.server.connect(browser=browser).handler for _ in range(3)]
        self.server.advance(TWO_WEEKS - 1)
        self.assertEqual([h.user_id for h in handlers], ["ada"] * 3)
        self.server.advance(1)
        self.assertEqual([h.logouts for h in handlers], [["expired"]] * 3)
        self.assertEqual(len(self.service.logged_in_sessions), 0)

    def test_from_the_cookie(self) -> None:
        """It is the cookie's age that counts, not the connection's."""
        browser = self.browser()
        self.server.advance(6 * DAY)
        handler = self.server.connect(browser=browser).handler
        self.server.advance(8 * DAY)
        self.assertEqual(handler.logouts, ["expired"])

    def test_sliding(self) -> None:
        """A page that renews the cookie lets the connections live on, in all tabs."""
        browser = self.browser()
        handlers = [self.server.connect(browser=browser).handler for _ in range(2)]
        self.server.advance(8 * DAY)
        self.assertEqual(self.user(browser), "ada")
        self.server.advance(TWO_WEEKS - 1)
        self.assertEqual([h.logouts for h in handlers], [[], []])
        self.server.advance(1)
        self.assertEqual([h.logouts for h in handlers], [["expired"], ["expired"]])

    def test_copies_of_different_age(self) -> None:
        """It is one login, whose time is that of the newest copy, whoever came last."""
        browser = self.browser()
        old = self.copy(browser)
        self.server.advance(8 * DAY)
        self.user(browser)
        handlers = [self.server.connect(browser=b).handler for b in (browser, old, browser, old)]
        self.server.advance(TWO_WEEKS - 1)
        self.assertEqual([h.logouts for h in handlers], [[]] * 4)
        self.server.advance(1)
        self.assertEqual([h.logouts for h in handlers], [["expired"]] * 4)

    def test_logged_in_again(self) -> None:
        """A new login of the same user takes the place of the one that would run out."""
        browser = self.browser()
        handler = self.server.connect(browser=browser).handler
        self.server.advance(13 * DAY)
        browser.post("/login", {"user": "ada"})
        self.server.advance(13 * DAY)
        self.assertEqual((handler.user_id, handler.logouts), ("ada", []))
        self.server.advance(DAY)
        self.assertEqual(handler.logouts, ["expired"])

    def test_one_timer(self) -> None:
        """However many connections there are."""
        before = len(self.server.clock.getDelayedCalls())
        for user in range(20):
            browser = self.browser(f"user{user}")
            for _ in range(3):
                self.server.connect(browser=browser)
        logins = self.service._sockets.logins
        self.assertEqual(len(logins), 60)
        self.assertEqual(len(logins._alarms), 20)
        names = [call.func for call in self.server.clock.getDelayedCalls()]
        self.assertEqual(names.count(logins._alarms._wake), 1)
        self.assertLess(len(names), before + 20)

    def test_nothing_is_left(self) -> None:
        """Of connections that are gone."""
        browser = self.browser()
        clients = [self.server.connect(browser=browser) for _ in range(3)]
        for client in clients:
            client.vanish()
        logins = self.service._sockets.logins
        self.assertEqual((len(logins), len(logins._alarms), len(logins._of_user)), (0, 0, 0))


class PrefixTests(LoginsTestCase):
    """By https our cookies are for this host alone."""

    def setUp(self) -> None:
        super().setUp()
        self.secure = Browser(self.server, secure=True)

    def test_names(self) -> None:
        """The prefix, and what browsers want with it: Secure, Path=/ and no Domain."""
        response = self.secure.get("/")
        (cookie,) = response.headers["set-cookie"]
        self.assertRegex(
            cookie,
            r"^__Host-session_id=[\w=-]+; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax",
        )
        self.secure.post("/login", {"user": "ada"})
        self.assertEqual(sorted(self.secure.jar), ["__Host-logged_in", "__Host-session_id"])
        self.assertEqual(self.user(self.secure), "ada")
        client = self.server.connect(browser=self.secure)
        self.assertEqual(client.handler.user_id, "ada")
        self.secure.post("/logout")
        self.assertEqual(sorted(self.secure.jar), ["__Host-session_id"])

    def test_without_https(self) -> None:
        self.assertEqual(sorted(self.browser().jar), ["logged_in", "session_id"])

    def test_planted(self) -> None:
        """One that a neighbour could plant is not looked at beside one that it could not."""
        self.secure.post("/login", {"user": "ada"})
        mine = self.secure.get("/").text
        mallory = self.browser("mallory")
        self.secure.jar.update(mallory.jar)
        self.assertEqual(self.secure.get("/").text, mine)
        self.assertEqual(self.server.connect(browser=self.secure).handler.user_id, "ada")

    def test_planted_beside_a_bad_one(self) -> None:
        """Not even when the other is no good any more."""
        mallory = self.browser("mallory")
        self.secure.jar = {**mallory.jar, "__Host-logged_in": "bad", "__Host-session_id": "bad"}
        session_id, user = self.secure.get("/").text.split(" ")
        self.assertEqual(user, "None")
        self.assertNotEqual(session_id, mallory.get("/").text.split(" ")[0])

    def test_upgrade(self) -> None:
        """What came by http, or of whoever has the signer, is read and set anew."""
        before = self.browser()
        seen = before.get("/").text
        self.secure.jar = dict(before.jar)
        self.assertEqual(self.secure.get("/").text, seen)
        self.assertEqual(sorted(self.secure.jar), ["__Host-logged_in", "__Host-session_id"])
        self.assertEqual(self.secure.get("/").text, seen)

    def test_behind_a_proxy_that_is_not_trusted(self) -> None:
        """Who has the prefix came by https, whatever it looks like."""
        self.secure.post("/login", {"user": "ada"})
        self.secure.secure = False
        self.assertEqual(self.user(self.secure), "ada")
        self.secure.post("/login", {"user": "bob"})
        self.assertEqual(self.user(self.secure), "bob")
        self.secure.post("/logout")
        self.assertEqual(self.user(self.secure), "None")

    def test_other_cookies(self) -> None:
        """An app's own cookies have the names that the app gives them."""

        class Own(MojoRequestHandler):
            def get(self):
                self.set_secure_cookie("mine", "x")
                self.write(str(self.get_secure_cookie("mine")))

        service = make_service(App(name="Test", urlpatterns=[("/", Own)]))
        browser = Browser(service, secure=True)
        browser.get("/")
        self.assertEqual(sorted(browser.jar), ["mine"])
        self.assertEqual(browser.get("/").text, "x")

    def test_forms(self) -> None:
        """The cookie of forms has it too."""

        class Form(MojoRequestHandler):
            def get(self):
                self.write(self.csrf_field())

            def post(self):
                self.write("ok")

        service = make_service(App(name="Test", urlpatterns=[("/", Form)]))
        browser = Browser(service, secure=True)
        self.assertEqual(browser.submit("/").text, "ok")
        self.assertEqual(sorted(browser.jar), ["__Host-csrf_token"])

    def test_session_data_in_a_cookie(self) -> None:
        class Count(VisitorPage):
            loads_session = True

            def get(self):
                self.session["n"] = self.session.get("n", 0) + 1
                self.write(str(self.session["n"]))

        app = App(name="Test", urlpatterns=[("/", Count)])
        service = make_service(app, session_store="cookie")
        browser = Browser(service, secure=True)
        self.assertEqual([browser.get("/").text for _ in range(3)], ["1", "2", "3"])
        self.assertEqual(sorted(browser.jar), ["__Host-session_data", "__Host-session_id"])


class OtherLoginsTests(LoginsTestCase):
    def tornado(self, server: TestServer, user: str = "ada", secret: str = SECRET) -> Browser:
        now = server.service.cookies._now()
        token = create_signed_value(secret, "logged_in", user, clock=lambda: now).decode()
        return Browser(server, {"logged_in": token})

    def test_cookie(self) -> None:
        """A login of the first Mojo is one here, on pages and connections, until it is too old."""
        server = self.serve(LOGIN_FROM=[TornadoCookie(SECRET, max_age=DAY)])
        browser = self.tornado(server)
        handler = server.connect(browser=browser).handler
        self.assertEqual((self.user(browser), handler.user_id), ("ada", "ada"))
        server.advance(DAY)
        self.assertEqual(handler.logouts, ["expired"])
        server.advance(1)
        self.assertEqual(self.user(browser), "None")

    def test_not_without_the_setting(self) -> None:
        self.assertEqual(self.user(self.tornado(self.server)), "None")

    def test_forged(self) -> None:
        server = self.serve(LOGIN_FROM=[TornadoCookie(SECRET)])
        self.assertEqual(self.user(self.tornado(server, secret="x" * 40)), "None")

    def test_ours_first(self) -> None:
        """Who has logged in here is that one, whatever an older cookie says."""
        server = self.serve(LOGIN_FROM=[DjangoSession(SECRET), TornadoCookie(SECRET, "user")])
        browser = self.browser("bob", server)
        token = create_signed_value(SECRET, "user", "ada", clock=server.service.cookies._now)
        browser.jar["user"] = token.decode()
        self.assertEqual(self.user(browser), "bob")

    def test_logout_of_all(self) -> None:
        """Who logs out is logged out, and not the next one that the cookies say."""
        readers = [DjangoSession(SECRET), TornadoCookie(SECRET, "user")]
        server = self.serve(LOGIN_FROM=readers)
        browser = self.browser("bob", server)
        now = server.service.cookies._now
        for user in ("ada", "eve"):
            browser.jar["user"] = create_signed_value(SECRET, "user", user, clock=now).decode()
            browser.post("/logout")
            self.assertEqual(self.user(browser), "None")

    def test_revoked(self) -> None:
        """It cannot be taken from the other program, but it is worthless here."""
        server = self.serve(LOGIN_FROM=[TornadoCookie(SECRET)])
        browser = self.tornado(server)
        browser.post("/logout")
        self.assertEqual(self.user(self.tornado(server)), "None")
        server.advance(1)
        again = self.tornado(server)
        self.assertEqual(self.user(again), "ada")
        server.service.revoke(user_id="ada")
        self.assertEqual(self.user(again), "None")

    def token(self, server: TestServer, user: str = "ada", **more: float) -> dict[str, str]:
        now = server.service.cookies._now()
        claims = {"sub": user, "iat": now, "exp": now + 600, **more}
        return {"token": jwt.encode(claims, SECRET, "HS256")}

    def test_token(self) -> None:
        """A client that has no cookies joins with a token, until that is over."""
        server = self.serve(LOGIN_FROM=[BearerToken(SECRET)])
        client = server.connect(auth=self.token(server))
        handler = client.handler
        self.assertEqual((handler.user_id, handler.request.user_id), ("ada", "ada"))
        server.service.user("ada").emit("hello")
        self.assertEqual(client.received(), [("hello", [])])
        server.advance(600)
        self.assertEqual((handler.user_id, handler.logouts), (None, ["expired"]))
        server.service.user("ada").emit("hello")
        self.assertEqual(client.received(), [])

    def test_bad_tokens(self) -> None:
        """They make anonymous visitors; or whoever the cookies say."""
        server = self.serve(LOGIN_FROM=[BearerToken(SECRET)])
        browser = self.browser("bob", server)
        old = self.token(server, exp=server.service.cookies._now())
        for auth in ({}, {"token": "x"}, {"token": None}, old):
            self.assertIsNone(server.connect(auth=auth).handler.user_id)
            self.assertEqual(server.connect(browser=browser, auth=auth).handler.user_id, "bob")

    def test_token_beside_a_cookie(self) -> None:
        """What a client shows on purpose is who it is in that namespace."""
        server = self.serve(LOGIN_FROM=[BearerToken(SECRET)])
        browser = self.browser("bob", server)
        client = server.connect(browser=browser, auth=self.token(server))
        self.assertEqual(client.handler.user_id, "ada")

    def test_token_beside_a_cookie_that_ends(self) -> None:
        """A page's logout, and another login there, are of the cookie and leave the token."""
        server = self.serve(LOGIN_FROM=[BearerToken(SECRET)])
        for uri, fields in (("/logout", {}), ("/login", {"user": "eve"})):
            browser = self.browser("bob", server)
            client = server.connect(browser=browser, auth=self.token(server))
            browser.post(uri, fields)
            self.assertEqual((client.handler.user_id, client.handler.logouts), ("ada", []))
            server.service.revoke(user_id="ada")
            self.assertEqual(client.handler.logouts, ["revoked"])
            server.advance(1)

    def test_revoked_token(self) -> None:
        server = self.serve(LOGIN_FROM=[BearerToken(SECRET)])
        auth = self.token(server)
        handler = server.connect(auth=auth).handler
        server.service.revoke(user_id="ada")
        self.assertEqual(handler.logouts, ["revoked"])
        self.assertIsNone(server.connect(auth=auth).handler.user_id)
        server.advance(1)
        self.assertEqual(server.connect(auth=self.token(server)).handler.user_id, "ada")

    def test_token_of_one_who_went(self) -> None:
        """Nothing is left of a connection's own login."""
        server = self.serve(LOGIN_FROM=[BearerToken(SECRET)])
        for leave in ("disconnect", "vanish"):
            client = server.connect(auth=self.token(server))
            getattr(client, leave)()
            logins = server.service._sockets.logins
            self.assertEqual((len(logins), len(logins._alarms)), (0, 0), leave)

    def test_away_with_a_token(self) -> None:
        """Nor of a client that is away when its user is revoked, whatever it comes back with."""
        server = self.serve(LOGIN_FROM=[BearerToken(SECRET)], SOCKET_IO={"recovery": {}})
        client = server.connect(auth=self.token(server))
        pid = client.handler.connection.comeback.pid
        client.vanish()
        server.service.revoke(user_id="ada")
        server.advance(1)
        handler = server.connect(auth={**self.token(server), "pid": pid}).handler
        self.assertEqual((handler.user_id, handler.recovered), ("ada", False))

    def test_recovery_asks_again(self) -> None:
        """A token that ran out meanwhile is not who was there before."""
        server = self.serve(LOGIN_FROM=[BearerToken(SECRET)], SOCKET_IO={"recovery": {}})
        auth = self.token(server)
        for seconds, recovered in ((60, True), (539, True), (1, False)):
            client = server.connect(auth=auth)
            pid = client.handler.connection.comeback.pid
            client.vanish()
            server.advance(seconds if seconds < 100 else 100)
            handler = server.connect(auth={**auth, "pid": pid}).handler
            self.assertEqual(handler.recovered, recovered, seconds)
            server.advance(seconds - 100 if seconds > 100 else 0)

    def test_mistakes(self) -> None:
        for readers in ("x", [1], [TornadoCookie], [None], 5):
            error = self.assertRaises(SettingsError, Settings, login_from=readers)
            self.assertIn("LOGIN_FROM", str(error))

    def test_nothing_is_shown(self) -> None:
        """No secret of any kind is in the repr of the settings."""
        settings = Settings(
            cookie_secret=SECRET,
            cookie_secret_fallbacks=[SECRET],
            login_from=[TornadoCookie(SECRET), DjangoSession(SECRET), BearerToken(SECRET)],
        )
        self.assertNotIn("horse", repr(settings))
