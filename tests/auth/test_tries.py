"""`mojo.auth.tries`: ten tries at an account, and one more each minute and a half."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mojo import MojoRequestHandler
from mojo.auth import LoginTries
from mojo.errors import TooManyTries
from mojo.testing import Browser
from tests.web.server import app_of, make_service


class TriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.tries = LoginTries(self.clock)

    def wait(self, account: str = "ada", address: str = "192.0.2.1") -> float:
        """Try once; give the seconds to wait if it is refused."""
        try:
            self.tries.begin(account, address)
        except TooManyTries as exc:
            return exc.seconds
        return 0.0

    def waits(self, count: int, account: str = "ada", address: str = "192.0.2.1") -> list[float]:
        return [self.wait(account, address) for _ in range(count)]

    def test_account(self) -> None:
        """Ten at once, from wherever; the eleventh waits 90 s, to the second."""
        self.assertEqual([self.wait("ada", f"192.0.2.{n}") for n in range(10)], [0.0] * 10)
        self.assertEqual(self.wait("ada", "192.0.2.99"), 90.0)
        self.clock.advance(89)
        self.assertEqual(self.wait(), 1.0)
        self.clock.advance(1)
        self.assertEqual(self.waits(2), [0.0, 90.0])
        self.assertEqual(self.wait("bob"), 0.0)

    def test_window(self) -> None:
        """After 900 s it is as if there had been none."""
        self.waits(10)
        self.clock.advance(900)
        self.assertEqual(self.waits(11), [0.0] * 10 + [90.0])

    def test_refused_tries_do_not_count(self) -> None:
        """Who goes on knocking does not wait longer for it."""
        self.assertEqual(self.waits(15)[10:], [90.0] * 5)

    def test_address(self) -> None:
        """A hundred from one address, whatever the accounts; the next waits 9 s."""
        self.assertEqual([self.wait(f"user{n}") for n in range(100)], [0.0] * 100)
        self.assertEqual(self.wait("ada"), 9.0)
        self.assertEqual(self.wait("ada", "192.0.2.2"), 0.0)

    def test_success(self) -> None:
        """The account begins anew; the address gets back that one try only."""
        self.waits(9)
        self.wait()
        self.tries.succeeded("ada", "192.0.2.1")
        self.assertEqual(self.waits(10), [0.0] * 10)
        self.assertEqual([self.wait(f"user{n}") for n in range(82)], [0.0] * 81 + [9.0])

    def test_names(self) -> None:
        """Capitals, spaces around a name, and other forms of its letters make no other account."""
        names = ("ada", "Ada", " ADA ", "ada\n", "\uff41da")
        self.assertEqual([self.wait(name) for name in names * 2], [0.0] * 10)
        self.assertEqual(self.wait("adA"), 90.0)

    def test_networks(self) -> None:
        """A visitor has a whole /64 of IPv6, and of IPv4 one address in either spelling."""
        tries = LoginTries(self.clock, address=1)
        tries.begin("a", "2001:db8::1")
        self.assertRaises(TooManyTries, tries.begin, "b", "2001:db8::ffff:1")
        tries.begin("c", "2001:db8:0:1::1")
        tries.begin("d", "192.0.2.1")
        self.assertRaises(TooManyTries, tries.begin, "e", "::ffff:192.0.2.1")
        tries.begin("f", "unix")
        self.assertRaises(TooManyTries, tries.begin, "g", "unix")

    def test_mistakes(self) -> None:
        """What would let everybody try, or nobody, is said when it is made."""
        for options in ({"account": 0}, {"address": -1}, {"window": 0}, {"max_keys": None}):
            self.assertRaises(ValueError, LoginTries, self.clock, **options)
        tries = LoginTries(self.clock)
        self.assertRaises(TypeError, tries.begin, None, "192.0.2.1")
        self.assertRaises(TypeError, tries.begin, "ada", None)

    def test_memory(self) -> None:
        """A flood of names is forgotten, the oldest first, and so is what is over."""
        tries = LoginTries(self.clock, address=10**9, max_keys=100)
        for number in range(1000):
            tries.begin(f"user{number}", "192.0.2.1")
        self.assertEqual(len(tries._accounts), 100)
        self.clock.advance(900)
        tries.begin("ada", "192.0.2.1")
        self.assertEqual(len(tries._accounts), 1)


class PageTests(SynchronousTestCase):
    def test_answer(self) -> None:
        """429, and when to come again: whole seconds, no fewer than it takes."""

        class Page(MojoRequestHandler):
            def get(self):
                raise TooManyTries(88.2)

        response = Browser(make_service(app_of({"/": Page}))).get("/")
        self.assertEqual((response.status, response.header("retry-after")), (429, "89"))
