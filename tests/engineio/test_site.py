"""`mojo.engineio.site`: bodies are judged by their headers, deadlines hold."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from mojo.engineio import EngineResource, EngineSite
from mojo.testing.http import http_request
from mojo.testing.wire import Wire
from tests.engineio.endpoint import Endpoint


def head(uri: str, *lines: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {uri} HTTP/1.1", "Host: example.com", *lines, "", ""]).encode()


class BodyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint(max_payload=1000)
        self.uri = self.endpoint.open_polling()

    def test_announced_length(self) -> None:
        """10 GB are refused when they are announced, before a byte of them is kept."""
        wire = self.endpoint.wire()
        wire.send(head(self.uri, "Content-Length: 10000000000"))
        response = wire.answer()
        self.assertEqual((response.status, response.header("connection")), (413, "close"))
        self.assertTrue(wire.transport.half_closed)

    def test_refused_by_tls(self) -> None:
        """TLS ends with a farewell, for which nobody may be left who would write."""
        wire = self.endpoint.wire(secure=True)
        wire.send(head(self.uri, "Content-Length: 10000000000"))
        self.assertEqual(wire.answer().status, 413)
        self.assertEqual((wire.transport.half_closed, wire.transport.closed), (False, "closed"))
        self.assertIsNone(wire.transport.producer)

    def test_encoded_path(self) -> None:
        """A mount is found under every spelling of its path that leads to it."""
        wire = self.endpoint.wire()
        wire.send(head(self.uri.replace(".", "%2E"), "Content-Length: 1001"))
        self.assertEqual(wire.answer().status, 413)

    def test_one_byte_too_many(self) -> None:
        self.assertEqual(self.endpoint.post(self.uri, b"4" + b"x" * 999).status, 200)
        self.assertEqual(self.endpoint.post(self.uri, b"4" + b"x" * 1000).status, 413)

    def test_chunked_without_length(self) -> None:
        """A body without a length is cut when it has become too long."""
        wire = self.endpoint.wire()
        wire.send(head(self.uri, "Transfer-Encoding: chunked"))
        chunk = b"64\r\n" + b"x" * 100 + b"\r\n"
        wire.send(chunk * 10)
        self.assertIsNone(wire.answer())
        wire.send(chunk)
        self.assertEqual(wire.answer().status, 413)
        self.assertEqual(self.endpoint.log, [])

    def test_rest_is_thrown_away(self) -> None:
        """The sender may finish a megabyte, so that it reads the answer; then it is cut."""
        wire = self.endpoint.wire()
        wire.send(head(self.uri, "Content-Length: 10000000000"))
        for _ in range(9):
            wire.send(b"x" * 100_000)
        self.assertIsNone(wire.closed)
        wire.send(b"x" * 100_001)
        self.assertEqual(wire.closed, "aborted")

    def test_nothing_follows_a_refusal(self) -> None:
        """A second request in the same piece is not served."""
        wire = self.endpoint.wire()
        wire.send(
            head(self.uri, "Content-Length: 5000") + b"x" * 5000 + head(self.uri, method="GET")
        )
        self.assertEqual(wire.read().count(b"HTTP/1.1"), 1)

    def test_elsewhere(self) -> None:
        """Other resources have the site's own limit."""
        site = EngineSite(Resource(), {}, self.endpoint.clock, max_body=10)
        self.assertEqual(Wire(site).post("/page", b"x" * 10).status, 404)
        self.assertEqual(Wire(site).post("/page", b"x" * 11).status, 413)

    def test_plain_site(self) -> None:
        """On a Site of twisted.web the limits hold when the body is complete."""
        resource = EngineResource(self.endpoint.engine)
        root = Resource()
        root.putChild(b"engine.io", resource)
        site = Site(root, reactor=self.endpoint.http_clock)
        response = Wire(site).post(self.uri, b"4" + b"x" * 1000)
        self.assertEqual(response.json, {"code": 3, "message": "Bad request"})
        self.assertEqual(response.status, 413)
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])


class HeadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()

    def refused(self, request: bytes) -> int | None:
        """Send a request in one piece; give the status of the one answer to it."""
        wire = self.endpoint.wire()
        wire.send(request)
        self.assertTrue(wire.transport.half_closed)
        answer = wire.answer()
        self.assertIsNone(wire.answer())
        return None if answer is None else answer.status

    def test_long_header(self) -> None:
        """A browser that has gathered too many cookies reads why it gets no page."""
        cookie = "Cookie: a=" + "x" * 16_400
        self.assertEqual(self.refused(head("/nothing", cookie, "Accept: *", method="GET")), 431)

    def test_long_url(self) -> None:
        self.assertEqual(self.refused(head("/" + "x" * 16_400, method="GET")), 431)

    def test_uncountable_length(self) -> None:
        """Python reads no number of 4,301 digits; the request is answered all the same."""
        length = "Content-Length: " + "9" * 5000
        self.assertEqual(self.refused(head("/nothing", length)), 413)
        self.assertEqual(self.refused(head("/nothing", length, "Accept: *")), 413)


class DeadlineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()

    def test_slow_headers(self) -> None:
        """A byte a second does not keep a connection open beyond 60 s."""
        wire = self.endpoint.wire()
        request = http_request("GET", "/engine.io/?EIO=4&transport=polling")
        for index in range(60):
            wire.send(request[index : index + 1])
            self.assertIsNone(wire.closed)
            self.endpoint.http_clock.advance(1)
        self.assertEqual(wire.closed, "closed")

    def test_slow_body(self) -> None:
        """A body has 120 s from its headers."""
        wire = self.endpoint.wire()
        uri = self.endpoint.open_polling()
        wire.send(head(uri, "Content-Length: 1000") + b"4")
        for _ in range(119):
            self.endpoint.http_clock.advance(1)
            wire.send(b"x")
        self.assertIsNone(wire.closed)
        self.endpoint.http_clock.advance(1)
        self.assertEqual(wire.closed, "closed")
        self.assertEqual(self.endpoint.log, [])

    def test_waiting_get(self) -> None:
        """A GET that waits for packets is not late."""
        wire = self.endpoint.wire()
        wire.get(self.endpoint.open_polling())
        self.endpoint.http_clock.advance(3600)
        self.assertIsNone(wire.closed)

    def test_idle_connection(self) -> None:
        """A connection is closed 60 s after its last answer."""
        wire = self.endpoint.wire()
        wire.get("/nothing")
        self.endpoint.http_clock.advance(59)
        wire.get("/nothing")
        self.endpoint.http_clock.advance(59)
        self.assertIsNone(wire.closed)
        self.endpoint.http_clock.advance(1)
        self.assertEqual(wire.closed, "closed")
        self.assertEqual(self.endpoint.http_clock.getDelayedCalls(), [])

    def test_client_that_does_not_let_go(self) -> None:
        wire = self.endpoint.wire()
        wire.transport.loseConnection = lambda: None
        self.endpoint.http_clock.advance(60)
        self.endpoint.http_clock.advance(15)
        self.assertEqual(wire.closed, "aborted")

    def test_websocket_has_no_http_deadline(self) -> None:
        socket = self.endpoint.open_websocket()
        self.endpoint.http_clock.advance(3600)
        self.assertIsNone(socket.closed)


class SiteTests(SynchronousTestCase):
    def test_http_only(self) -> None:
        """HTTP/2 is not offered: a WebSocket takes the connection over."""
        site = EngineSite(Resource(), {}, Endpoint().clock)
        self.assertEqual(site.acceptableProtocols(), [b"http/1.1"])

    def test_access_log(self) -> None:
        seen: list[int] = []
        site = EngineSite(
            Resource(), {}, Endpoint().clock, log_request=lambda request: seen.append(request.code)
        )
        Wire(site).get("/nothing")
        self.assertEqual(seen, [404])
