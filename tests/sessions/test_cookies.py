"""`mojo.sessions.cookies`: whom two cookies make of a visitor."""

from secrets import token_bytes

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.handshake import ANONYMOUS, Identity
from mojo.sessions.cookies import CookieAges, VisitorCookies, new_session_id
from mojo.sessions.signer import Signer
from mojo.users import user_key

SECRET = "correct horse battery staple 0123456789"


class IdentifyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 1_700_000_000.0
        self.cookies = VisitorCookies(
            Signer(SECRET, token_bytes=token_bytes),
            lambda: self.now,
            CookieAges(session=1000, login=100),
        )

    def seal(self, name: str, value: str) -> str:
        return self.cookies.seal(name, value)

    def test_both(self) -> None:
        identity = self.cookies.identify(
            {
                "session_id": (self.seal("session_id", "s"),),
                "logged_in": (self.seal("logged_in", "u"),),
            }
        )
        self.assertEqual(identity[:2], ("s", "u"))

    def test_none(self) -> None:
        self.assertEqual(self.cookies.identify({}), ANONYMOUS)

    def test_bad(self) -> None:
        """Forged, cut, of the other name, empty: an anonymous visitor."""
        good = self.seal("session_id", "s")
        for token in ("", "x", good[:-3], self.seal("logged_in", "s"), self.seal("session_id", "")):
            self.assertEqual(self.cookies.identify({"session_id": (token,)}), ANONYMOUS)

    def test_ages(self) -> None:
        """Each cookie has its own."""
        cookies = {n: (self.seal(n, "x"),) for n in ("session_id", "logged_in")}
        self.now += 101
        self.assertEqual(self.cookies.identify(cookies), Identity("x", None))
        self.now += 900
        self.assertEqual(self.cookies.identify(cookies), ANONYMOUS)

    def test_doubles(self) -> None:
        """A planted double that opens leaves nobody; one that does not is passed over."""
        mine, theirs = self.seal("session_id", "mine"), self.seal("session_id", "theirs")
        again = self.seal("session_id", "mine")
        for tokens, expected in (
            ((mine, theirs), None),
            ((theirs, mine), None),
            ((mine, "forged"), "mine"),
            (("forged", mine), "mine"),
            ((mine, mine), "mine"),
            ((mine, again), "mine"),
            ((mine, self.seal("session_id", "")), None),
        ):
            self.assertEqual(self.cookies.identify({"session_id": tokens}).session_id, expected)

    def test_stale(self) -> None:
        """Past half its age; or sealed with a secret that is on its way out."""
        cookies = {"session_id": (self.seal("session_id", "s"),)}
        self.now += 500
        opened = self.cookies.open("session_id", cookies, 1000)
        self.assertFalse(self.cookies.is_stale(opened, 1000))
        self.assertTrue(self.cookies.is_stale(opened, 999))
        self.assertTrue(self.cookies.is_stale(opened._replace(current=False), 1000))


class KeyTests(SynchronousTestCase):
    def test_user_keys(self) -> None:
        """A number and its digits are the same user."""
        self.assertEqual(user_key(42), user_key("42"))
        for wrong in (None, True, 1.5, b"x", ["x"]):
            self.assertRaises(TypeError, user_key, wrong)
        self.assertRaises(ValueError, user_key, "")

    def test_session_ids(self) -> None:
        """192 bits, never twice."""
        ids = {new_session_id() for _ in range(1000)}
        self.assertEqual(len(ids), 1000)
        self.assertEqual({len(i) for i in ids}, {32})
