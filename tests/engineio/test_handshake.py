"""Origins, cookies, CORS and who a request speaks for."""

import time

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.handshake import Identity, read_cookies
from mojo.engineio.origins import Origins
from mojo.testing.frames import WebSocketWire
from mojo.testing.wire import Wire
from tests.engineio.endpoint import POLLING, WEBSOCKET, Endpoint


def by_cookie(cookies):
    """An `Identify` that believes a plain cookie."""
    return Identity((cookies.get("session_id") or (None,))[0], (cookies.get("user") or (None,))[0])


class OriginsTests(SynchronousTestCase):
    def test_same_origin(self) -> None:
        own = Origins()
        for origin, host, secure, expected in (
            (None, "example.com", False, True),
            ("http://example.com", "example.com", False, True),
            ("http://EXAMPLE.com", "example.COM", False, True),
            ("http://example.com:80", "example.com", False, True),
            ("http://example.com:8000", "example.com:8000", False, True),
            ("http://example.com:8000", "example.com:8001", False, False),
            ("http://example.com", "example.com:8000", False, False),
            ("https://example.com", "example.com", True, True),
            # TLS ended at a proxy that nobody listed as trusted.
            ("https://example.com", "example.com", False, True),
            # What somebody in the middle of a plain connection could send.
            ("http://example.com", "example.com", True, False),
            ("http://evil.example", "example.com", False, False),
            ("http://evil-example.com", "example.com", False, False),
            ("http://example.com.evil.example", "example.com", False, False),
            ("http://example.com@evil.example", "example.com", False, False),
            ("http://evil.example/example.com", "example.com", False, False),
            ("http://example.com/", "example.com", False, False),
            ("null", "example.com", False, False),
            ("", "example.com", False, False),
            ("file://", "", False, False),
            ("http://example.com:99999", "example.com:99999", False, False),
            ("http://[::1]:8000", "[::1]:8000", False, True),
            ("http://", "", False, False),
            ("ftp://example.com", "example.com", False, False),
        ):
            self.assertIs(own.trusts(origin, host, secure), expected, (origin, host, secure))
            self.assertIs(own.admits(origin, host, secure), expected, (origin, host, secure))

    def test_listed(self) -> None:
        origins = Origins(["https://shop.example", "null"])
        self.assertTrue(origins.trusts("https://shop.example", "example.com", False))
        self.assertTrue(origins.trusts("https://shop.example:443", "example.com", False))
        self.assertTrue(origins.trusts("null", "example.com", False))
        self.assertFalse(origins.trusts("http://shop.example", "example.com", False))
        self.assertFalse(origins.admits("https://a.shop.example", "example.com", False))

    def test_any(self) -> None:
        """``*`` admits every page, but believes only ours."""
        origins = Origins(["*"])
        self.assertTrue(origins.admits("https://evil.example", "example.com", False))
        self.assertFalse(origins.trusts("https://evil.example", "example.com", False))
        self.assertTrue(origins.trusts("http://example.com", "example.com", False))


class ForeignPageTests(SynchronousTestCase):
    def test_default(self) -> None:
        """A page of another origin can neither poll nor open a WebSocket."""
        endpoint = Endpoint(identify=by_cookie)
        for origin in ("https://evil.example", "null", "http://example.com.evil.example", "x\ty"):
            response = endpoint.get(POLLING, Origin=origin, Cookie="session_id=victim")
            self.assertEqual(response.status, 403, origin)
            self.assertEqual(response.json, {"code": 4, "message": "Origin not allowed"})
            self.assertNotIn("access-control-allow-origin", response.headers)
            headers = {"Origin": origin, "Cookie": "session_id=victim"}
            self.assertEqual(WebSocketWire(endpoint.site, WEBSOCKET, headers).status, 403)
        self.assertEqual(endpoint.engine.sessions, {})

    def test_later_requests(self) -> None:
        """The origin is checked on every request, not only on the first."""
        endpoint = Endpoint()
        uri = endpoint.open_polling()
        self.assertEqual(endpoint.get(uri, Origin="https://evil.example").status, 403)
        self.assertEqual(endpoint.post(uri, b"4a", Origin="https://evil.example").status, 403)
        self.assertEqual(endpoint.log, [])

    def test_two_origins(self) -> None:
        wire = Endpoint().wire()
        wire.send(
            f"GET {POLLING} HTTP/1.1\r\nHost: example.com\r\n"
            "Origin: http://example.com\r\nOrigin: http://evil.example\r\n\r\n".encode()
        )
        self.assertEqual(wire.answer().status, 400)

    def test_own_page(self) -> None:
        endpoint = Endpoint(identify=by_cookie)
        response = endpoint.get(POLLING, Origin="http://example.com", Cookie="session_id=me")
        self.assertEqual(response.status, 200)
        self.assertEqual(endpoint.session.handshake.session_id, "me")

    def test_listed_page(self) -> None:
        """It gets the CORS headers that let it read the answer, with credentials."""
        endpoint = Endpoint(identify=by_cookie, allowed_origins=("https://shop.example",))
        response = endpoint.get(POLLING, Origin="https://shop.example", Cookie="session_id=me")
        self.assertEqual(response.header("access-control-allow-origin"), "https://shop.example")
        self.assertEqual(response.header("access-control-allow-credentials"), "true")
        self.assertEqual(response.header("vary"), "Origin")
        self.assertEqual(endpoint.session.handshake.session_id, "me")

    def test_any_page(self) -> None:
        """``*`` lets it in without its visitor's cookies."""
        endpoint = Endpoint(identify=by_cookie, allowed_origins=("*",))
        response = endpoint.get(POLLING, Origin="https://evil.example", Cookie="session_id=victim")
        self.assertEqual(response.header("access-control-allow-origin"), "https://evil.example")
        self.assertNotIn("access-control-allow-credentials", response.headers)
        self.assertIsNone(endpoint.session.handshake.session_id)

    def test_errors_can_be_read(self) -> None:
        endpoint = Endpoint(allowed_origins=("https://shop.example",))
        response = endpoint.get(POLLING + "&sid=x", Origin="https://shop.example")
        self.assertEqual(response.status, 400)
        self.assertEqual(response.header("access-control-allow-origin"), "https://shop.example")

    def test_preflight(self) -> None:
        endpoint = Endpoint(allowed_origins=("https://shop.example",))
        wire = endpoint.wire()
        wire.ask(
            "OPTIONS",
            POLLING,
            headers={
                "Origin": "https://shop.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,x-token",
            },
        )
        response = wire.answer()
        self.assertEqual(response.status, 204)
        self.assertEqual(response.header("access-control-allow-methods"), "GET, POST")
        self.assertEqual(response.header("access-control-allow-headers"), "content-type,x-token")
        wire = endpoint.wire()
        wire.ask("OPTIONS", POLLING, headers={"Origin": "https://evil.example"})
        self.assertEqual(wire.answer().status, 403)

    def test_log_line(self) -> None:
        """The operator reads what came and what is expected."""
        from twisted.logger import formatEvent, globalLogPublisher

        lines: list[str] = []
        observer = lambda event: lines.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        endpoint = Endpoint(allowed_origins=("https://shop.example",))
        endpoint.get(POLLING + "&token=secret", Origin="https://evil.example", Cookie="a=secret")
        (line,) = [line for line in lines if "evil" in line]
        self.assertIn("'https://evil.example' is not one of http://example.com,", line)
        self.assertIn(" https://shop.example", line)
        self.assertNotIn("secret", "".join(lines))


class VisitorTests(SynchronousTestCase):
    def test_other_visitors_cookie(self) -> None:
        """Whoever knows the id in the URL, but not the cookie, is refused."""
        endpoint = Endpoint(identify=by_cookie)
        uri = endpoint.open_polling(Cookie="session_id=me")
        elsewhere = "203.0.113.66"
        for address, headers in (
            ("198.51.100.7", {"Cookie": "session_id=thief"}),
            (elsewhere, {"Cookie": "session_id=thief"}),
            (elsewhere, {}),
            (elsewhere, {"Cookie": "other=1"}),
        ):
            response = Wire(endpoint.site, address).get(uri, **headers)
            self.assertEqual(response.json, {"code": 4, "message": "Forbidden"})
            self.assertEqual(response.status, 403)
            response = Wire(endpoint.site, address).post(uri, b"4a", **headers)
            self.assertEqual(response.status, 403)
            socket = WebSocketWire(endpoint.site, WEBSOCKET + "&sid=eid1", headers, address=address)
            self.assertEqual(socket.status, 403)
        self.assertEqual(endpoint.log, [])
        response = Wire(endpoint.site, elsewhere).post(uri, b"4a", Cookie="session_id=me")
        self.assertEqual(response.text, "ok")

    def test_cookies_with_the_first_request_alone(self) -> None:
        """As python-socketio's client sends them, from one address."""
        endpoint = Endpoint(identify=by_cookie)
        uri = endpoint.open_polling(Cookie="session_id=me")
        self.assertEqual(endpoint.post(uri, b"4a").text, "ok")
        response = endpoint.post(uri, b"4a", Cookie="other=1; session_id=me")
        self.assertEqual(response.text, "ok")

    def test_anonymous_session(self) -> None:
        """A visitor who is given a cookie meanwhile keeps the connection."""
        endpoint = Endpoint(identify=by_cookie)
        uri = endpoint.open_polling()
        self.assertEqual(endpoint.post(uri, b"4a", Cookie="session_id=new").text, "ok")

    def test_login_without_a_session(self) -> None:
        """A visitor who has only a login is known by that."""
        endpoint = Endpoint(
            identify=lambda cookies: Identity(None, cookies.get("logged_in", (None,))[0])
        )
        uri = endpoint.open_polling(Cookie="logged_in=ada")
        elsewhere = "203.0.113.66"
        for headers in ({}, {"Cookie": "logged_in=bob"}):
            self.assertEqual(Wire(endpoint.site, elsewhere).get(uri, **headers).status, 403)
        self.assertEqual(endpoint.post(uri, b"4a").text, "ok")
        response = Wire(endpoint.site, elsewhere).post(uri, b"4a", Cookie="logged_in=ada; b=1")
        self.assertEqual(response.text, "ok")


class CookieTests(SynchronousTestCase):
    def test_doubles_are_kept(self) -> None:
        cookies = read_cookies(["a=1; b=2; a=3", "a=4"])
        self.assertEqual(dict(cookies), {"a": ("1", "3", "4"), "b": ("2",)})

    def test_odd_pairs(self) -> None:
        cookies = read_cookies(["", ";;", "novalue; =x; a==; b=c=d ;"])
        self.assertEqual(dict(cookies), {"a": ("=",), "b": ("c=d",)})

    def test_white_space(self) -> None:
        """What only Python takes for white space is part of the name: it is another cookie's."""
        for character in "\x85\xa0\x1c\x1f\x0b\x0c":
            cookies = read_cookies([f"\t a=1 ; {character}a=2"])
            self.assertEqual(dict(cookies), {"a": ("1",), f"{character}a": ("2",)})

    def test_long_header_in_linear_time(self) -> None:
        """64 KB of quotes, backslashes and doubles (tornado CVE-2024-52804)."""
        began = time.process_time()
        read_cookies(['"' + "\\" * 65536 + '"', "a=;" * 22000])
        self.assertLess(time.process_time() - began, 2)


class MalformedTests(SynchronousTestCase):
    def test_smuggling(self) -> None:
        """A length and a chunked body at once is refused by twisted.web."""
        wire = Endpoint().wire()
        wire.send(
            f"POST {POLLING} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n".encode()
        )
        self.assertEqual(wire.read().count(b"HTTP/1.1 "), 1)

    def test_control_characters(self) -> None:
        for character in "\x01\x0b\x0c\x1c\x1d\x1e\x1f\x7f":
            response = Endpoint().get(POLLING, X_Other=f"a{character}b")
            self.assertEqual(response.json, {"code": 3, "message": "Bad request"})

    def test_url_that_is_not_ascii(self) -> None:
        response = Endpoint().get(POLLING + "&x=\xff")
        self.assertEqual(response.status, 400)
