"""
Bad cookies of all kinds, for both cookies, on pages and on both transports.

Each makes an anonymous visitor, and no error; see "docs/threats.rst".
"""

from __future__ import annotations

import time
from secrets import token_bytes

from twisted.trial.unittest import SynchronousTestCase

from mojo import App, MojoSocketHandler
from mojo.sessions.signer import Signer
from mojo.testing import Browser, TestServer
from tests.web.server import VisitorPage

HOUR = 3600.0
OTHER_SECRET = "wrong horse battery staple 9876543210"


class Home(VisitorPage):
    def get(self):
        self.write(f"{self.session_id} {self.user_id}")


class Page(VisitorPage):
    csrf_protected = False


class Login(Page):
    def post(self):
        self.login("ada")


class Logout(Page):
    def post(self):
        self.logout()


PAGES = [("/", Home), ("/login", Login), ("/logout", Logout)]


class BadCookieTests:
    """
    Run for each cookie, with the prefix and without, below.

    Attributes:
        name: the cookie's name.
        secure: whether the visitor comes by https.
    """

    name: str
    secure = False

    def setUp(self) -> None:
        app = App(name="Chat", handler=MojoSocketHandler, urlpatterns=PAGES)
        ages = {"SESSION_MAX_AGE": HOUR, "LOGIN_MAX_AGE": HOUR}
        self.server = TestServer(app, settings=ages)
        self.addCleanup(self.server.close)
        self.browser = Browser(self.server, secure=self.secure)
        self.browser.post("/login")
        self.wire_name = f"__Host-{self.name}" if self.secure else self.name
        self.token = self.browser.jar[self.wire_name]
        self.mine = self.who(self.token)
        self.assertTrue(self.mine)

    def cookie(self, tokens: tuple[str, ...], name: str = "") -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name or self.wire_name}={token}" for token in tokens)}

    def who(self, *tokens: str, name: str = "") -> str | None:
        """Tell who comes to a page with these cookies of the name."""
        asking = Browser(self.server, secure=self.secure)
        response = asking.get("/", headers=self.cookie(tokens, name))
        self.assertEqual(response.status, 200)
        session_id, user_id = response.text.split(" ")
        if self.name == "logged_in":
            return None if user_id == "None" else user_id
        # Whoever has no session is given a new one.
        return None if any("session_id" in name for name in asking.jar) else session_id

    def anonymous(self, *tokens: str, name: str = "") -> None:
        """Check that whoever comes with these cookies is nobody, wherever that is."""
        self.assertIsNone(self.who(*tokens, name=name))
        headers = self.cookie(tokens, name)
        for transport in ("polling", "websocket"):
            client = self.server.connect(headers=headers, transport=transport, secure=self.secure)
            self.assertTrue(client.connected, transport)
            handler = client.handler
            self.assertEqual((handler.session_id, handler.user_id), (None, None), transport)
        self.assertEqual(list(self.server.service.current_sessions), [])
        self.assertEqual(list(self.server.service.logged_in_sessions), [])
        self.server.advance(0)
        self.assertEqual(self.server.errors, [])

    def test_good(self) -> None:
        """The tests below would be nothing worth without it."""
        headers = self.cookie((self.token,))
        for transport in ("polling", "websocket"):
            client = self.server.connect(headers=headers, transport=transport, secure=self.secure)
            attribute = "session_id" if self.name == "session_id" else "user_id"
            self.assertEqual(getattr(client.handler, attribute), self.mine, transport)

    def test_forged(self) -> None:
        other = Signer(OTHER_SECRET, token_bytes=token_bytes)
        now = self.server.service.cookies._now()
        for token in (
            "x", "0", "null", "%00", "A" * 100, "é".encode().decode("latin-1"), '"quoted"',
            other.seal(self.name, "ada", now=now),
            other.seal("logged_in/2", f'["ada","x",{now},null]', now=now),
        ):  # fmt: skip
            self.anonymous(token)

    def test_changed(self) -> None:
        """A letter is another one: in the version, the time, the text, the signature."""
        for index in (0, 4, 10, 30, len(self.token) // 2, len(self.token) - 6):
            other = "A" if self.token[index] != "A" else "B"
            self.anonymous(self.token[:index] + other + self.token[index + 1 :])

    def test_swapped(self) -> None:
        """One of our cookies under the name of another."""
        seal = self.server.service.cookies.seal
        others = [token for name, token in self.browser.jar.items() if name != self.wire_name]
        names = {"session_id", "logged_in", "csrf_token", "session_data", "mine"} - {self.name}
        for token in (*others, *(seal(name, "ada") for name in names)):
            self.anonymous(token)

    def test_truncated(self) -> None:
        for length in (0, 1, 10, len(self.token) // 2, len(self.token) - 1):
            self.anonymous(self.token[:length])

    def test_lengthened(self) -> None:
        for more in ("=", "A", "AAAA", "==", " x"):
            self.anonymous(self.token + more)

    def test_expired(self) -> None:
        self.server.clock.advance(HOUR + 1)
        self.anonymous(self.token)

    def test_future(self) -> None:
        """More than a minute ahead; less is forgiven to clocks that differ."""
        self.server.clock.rightNow -= 59
        self.assertEqual(self.who(self.token), self.mine)
        self.server.clock.rightNow -= 3
        self.anonymous(self.token)

    def test_replayed(self) -> None:
        """After the logout, at once and when the browser's grace is over."""
        self.browser.post("/logout")
        if self.name == "logged_in":
            self.anonymous(self.token)
        self.server.clock.advance(31)
        if self.name == "logged_in":
            self.anonymous(self.token)
        else:
            # It is a good cookie of a session that has gone: a visitor without a past.
            self.assertNotEqual(self.who(self.token), self.browser.get("/").text.split(" ")[0])

    def test_revoked(self) -> None:
        session_id = self.browser.get("/").text.split(" ")[0]
        self.server.service.revoke(session_id=session_id)
        self.anonymous(self.token)

    def test_oversized(self) -> None:
        """It is not looked at, good or bad."""
        for size in (4000, 4097, 15_000):
            self.anonymous("A" * size)
            self.anonymous(self.token + "A" * size)

    def test_duplicated(self) -> None:
        """Two that are good and differ are nobody, in either order."""
        seal = self.server.service.cookies.seal
        other = seal(self.name, "somebody-else")
        self.anonymous(self.token, other)
        self.anonymous(other, self.token)
        self.anonymous(*([self.token, other] * 20))

    def test_duplicated_with_a_bad_one(self) -> None:
        """What does not open is not there."""
        for tokens in (("bad", self.token), (self.token, "bad"), (self.token, self.token)):
            self.assertEqual(self.who(*tokens), self.mine)

    def test_many(self) -> None:
        """As many as fit into a request are looked at in a moment."""
        began = time.process_time()
        self.anonymous(*(f"x{number}" for number in range(400)))
        self.assertLess(time.process_time() - began, 2)

    def test_other_spellings_of_the_name(self) -> None:
        """White space that only Python knows, capitals, and quotes make another cookie."""
        for name in (
            f"\xa0{self.wire_name}", f"\x85{self.wire_name}", f"\u00a0\u0085{self.wire_name}",
            self.wire_name.upper(), f'"{self.wire_name}"', f"%20{self.wire_name}",
        ):  # fmt: skip
            if "\x85" in name:
                # The mounts refuse it altogether.
                self.assertIsNone(self.who(self.token, name=name))
            else:
                self.anonymous(self.token, name=name)


class SessionIdTests(BadCookieTests, SynchronousTestCase):
    name = "session_id"


class LoggedInTests(BadCookieTests, SynchronousTestCase):
    name = "logged_in"


class HostSessionIdTests(BadCookieTests, SynchronousTestCase):
    name = "session_id"
    secure = True


class HostLoggedInTests(BadCookieTests, SynchronousTestCase):
    name = "logged_in"
    secure = True
