"""Addresses, delays, cookies, options and open packets: the parts that do no I/O."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mojo.client.address import parse_url
from mojo.client.backoff import Backoff
from mojo.client.cookies import Cookies
from mojo.client.opening import read_opening
from mojo.client.options import ClientOptions
from mojo.errors import PacketError
from tests.client.scripted import open_packet


def address(url, path="/socket.io/", **query):
    return parse_url(url, path, query)


class AddressTests(SynchronousTestCase):
    def test_parts(self) -> None:
        found = address("https://example.com/admin?token=1")
        self.assertTrue(found.secure)
        self.assertEqual((found.host, found.port), ("example.com", 443))
        self.assertEqual(found.namespace, "/admin")
        self.assertEqual(found.root, "https://example.com:443/")
        self.assertEqual(
            found.resource("polling", None), "/socket.io/?token=1&EIO=4&transport=polling"
        )
        self.assertEqual(
            found.resource("websocket", "a b"),
            "/socket.io/?token=1&EIO=4&transport=websocket&sid=a+b",
        )

    def test_schemes(self) -> None:
        """``ws`` is ``http``, and ``wss`` is ``https``."""
        for scheme, secure, port in (
            ("http", False, 80), ("ws", False, 80), ("https", True, 443), ("wss", True, 443),
        ):  # fmt: skip
            found = address(f"{scheme}://h")
            self.assertEqual((found.secure, found.port, found.namespace), (secure, port, "/"))

    def test_hosts(self) -> None:
        self.assertEqual(address("http://[::1]:8000").netloc, "[::1]:8000")
        self.assertEqual(address("http://bücher.example").host, "xn--bcher-kva.example")

    def test_path(self) -> None:
        """It ends with a slash, however it was given."""
        for path in ("/ws", "ws", "/ws/"):
            self.assertEqual(address("http://h", path).path, "/ws/")
        self.assertEqual(address("http://h", "/").path, "/")
        self.assertEqual(address("http://h", "/a b\r\n").path, "/a%20b%0D%0A/")

    def test_query(self) -> None:
        """The option's fields come before those of the URL."""
        self.assertEqual(address("http://h/?a=1&b=2", a="x&y").query, (("a", "x&y"), ("b", "2")))

    def test_refused(self) -> None:
        """What is wrong is said, but not what is in the URL: there may be a token in it."""
        for url in ("example.com?s3cret", "ftp://h/?s3cret", "http:///?s3cret", "http://s3cret@h"):
            error = self.assertRaises(ValueError, address, url)
            self.assertNotIn("s3cret", str(error))


class BackoffTests(SynchronousTestCase):
    def test_doubles(self) -> None:
        """1, 2, 4 s, and then 5; from the beginning after a reset."""
        backoff = Backoff(ClientOptions(), lambda: 0.5)
        self.assertEqual([backoff.next_delay() for _ in range(5)], [1, 2, 4, 5, 5])
        self.assertEqual(backoff.attempts, 5)
        backoff.reset()
        self.assertEqual(backoff.next_delay(), 1)

    def test_chance(self) -> None:
        """Up to half of it shorter or longer."""
        for chance, delay in ((0.0, 0.5), (0.25, 0.75), (1.0, 1.5)):
            self.assertEqual(Backoff(ClientOptions(), lambda c=chance: c).next_delay(), delay)

    def test_for_ever(self) -> None:
        """The thousandth attempt has a delay too."""
        backoff = Backoff(ClientOptions(), lambda: 0.5)
        self.assertEqual([backoff.next_delay() for _ in range(2000)][-1], 5)


class CookiesTests(SynchronousTestCase):
    def test_own_and_set(self) -> None:
        cookies = Cookies({"a": "1"})
        cookies.set(["b=2; Path=/; HttpOnly", "a=3", " c = x=y ; Max-Age=60"])
        self.assertEqual(cookies.header(), "a=3; b=2; c=x=y")

    def test_deleted(self) -> None:
        cookies = Cookies({"a": "1", "b": "2", "c": "3"})
        cookies.set(["a=; max-age=0", "b=; Max-Age=-1", "c=4; Max-Age=10"])
        self.assertEqual(cookies.header(), "c=4")

    def test_none(self) -> None:
        cookies = Cookies({})
        cookies.set(["", "nonsense", "=x"])
        self.assertEqual(cookies.header(), "")

    def test_bounded(self) -> None:
        """A server cannot make a client keep any number."""
        cookies = Cookies({})
        cookies.set(f"c{number}=x" for number in range(1000))
        self.assertEqual(cookies.header().count("="), 100)


class OptionsTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """The message names the option, and not its value."""
        for name, value in (
            ("transports", ("webtransport",)),
            ("transports", ()),
            ("extra_headers", {"X": "s3cret\r\nCookie: x"}),
            ("extra_headers", {"X:": "s3cret"}),
            ("cookies", {"a": "s3cret; b=c"}),
            ("cookies", {"a b": "s3cret"}),
            ("randomization_factor", 2),
        ):
            error = self.assertRaises(ValueError, ClientOptions, **{name: value})
            self.assertIn(name, str(error))
            self.assertNotIn("s3cret", str(error))


class OpeningTests(SynchronousTestCase):
    def test_read(self) -> None:
        opening = read_opening(open_packet()[1:])
        self.assertEqual(opening.eid, "lv_VI97HAXpY6yYWAAAC")
        self.assertEqual(opening.upgrades, ("websocket",))
        self.assertEqual((opening.ping_interval, opening.ping_timeout), (25.0, 20.0))
        self.assertEqual(opening.max_payload, 1000000)

    def test_without_max_payload(self) -> None:
        """Servers of before 2022 do not say it."""
        self.assertIsNone(read_opening(open_packet(maxPayload=None)[1:]).max_payload)

    def test_refused(self) -> None:
        for packet in (
            "", "[]", "{", "[" * 100_000, open_packet(sid=None)[1:], open_packet(sid="")[1:],
            open_packet(sid=1)[1:], open_packet(upgrades=None)[1:], open_packet(pingInterval=0)[1:],
            open_packet(pingInterval=True)[1:], open_packet(pingTimeout="1")[1:],
            open_packet(pingTimeout=1e300)[1:], open_packet(pingTimeout=float("nan"))[1:],
            open_packet(maxPayload=-1)[1:], open_packet(maxPayload=1.5)[1:],
        ):  # fmt: skip
            self.assertRaises(PacketError, read_opening, packet)
