"""`mojo.engineio.plain`: what goes past twisted.web, and that nobody can tell."""

import random
import re

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from mojo.engineio import EngineSite
from mojo.engineio.handshake import Identity
from mojo.engineio.plain import read_plain
from mojo.engineio.plain_exchange import PlainExchange
from mojo.engineio.ports import CloseReason
from mojo.testing.frames import TEXT, UPGRADE_HEADERS, WebSocketWire, client_frame, parse_frames
from mojo.testing.http import http_request
from mojo.testing.wire import Wire
from tests.engineio.endpoint import POLLING, WEBSOCKET, Endpoint

BROWSER = (
    "Host: example.com\r\nConnection: keep-alive\r\nUser-Agent: Mozilla/5.0 (X11)\r\n"
    "Accept: */*\r\nOrigin: http://example.com\r\nAccept-Encoding: gzip, deflate\r\n"
    "Cookie: session_id=ada; theme=dark\r\n"
)


def raw(method: str, uri: str, headers: str = BROWSER, body: bytes = b"") -> bytes:
    """A request as browsers send it."""
    if method == "POST":
        headers += f"Content-Length: {len(body)}\r\nContent-Type: text/plain;charset=UTF-8\r\n"
    return f"{method} {uri} HTTP/1.1\r\n{headers}\r\n".encode("latin-1") + body


class PlainPaths:
    """A site whose mount is at one path."""

    def __init__(self) -> None:
        mount = Resource()
        mount.max_body = 1000
        self.plain_mounts = {b"/engine.io/": mount}

    def leads_to(self, path, mount) -> bool:
        return True

    def owner_of(self, uri) -> None:
        return None


class ReadingTests(SynchronousTestCase):
    def read(self, data: bytes):
        return read_plain(data, PlainPaths(), [])

    def test_plain(self) -> None:
        known: list = []
        for method, body in (("GET", b""), ("POST", b"4a"), ("POST", b"")):
            request = read_plain(raw(method, POLLING, body=body), PlainPaths(), known)
            exchange = PlainExchange(None, request)
            self.assertEqual((exchange.method, exchange.uri), (method.encode(), POLLING.encode()))
            self.assertEqual(request.body, body)

    def test_without_headers(self) -> None:
        self.assertIsNotNone(self.read(b"GET /engine.io/?EIO=4 HTTP/1.1\r\n\r\n"))

    def test_not_plain(self) -> None:
        """Whatever is incomplete, followed by more, or could be read in two ways."""
        get, post = raw("GET", POLLING), raw("POST", POLLING, body=b"4abc")
        for number, data in enumerate(
            (
                b"",
                get[:-1],
                get + b"\r\n",
                b"\r\n" + get,
                get + get,
                post[:-1],
                post + b"x",
                raw("GET", "/engine.io/x?EIO=4"),
                raw("GET", "/engine%2eio/?EIO=4"),
                raw("GET", "//example.com/engine.io/"),
                raw("GET", "http://example.com" + POLLING),
                raw("PUT", POLLING),
                raw("HEAD", POLLING),
                raw("get", POLLING),
                get.replace(b"HTTP/1.1", b"HTTP/1.0"),
                get.replace(b" HTTP", b"  HTTP"),
                get.replace(b"GET ", b"GET\t"),
                get.replace(b"\r\n", b"\n"),
                get.replace(b"Host:", b"Host :"),
                get.replace(b"Host: ", b" Host: "),
                get.replace(b"\r\nConnection", b"\r\n Connection"),
                get.replace(b"Host", b"H\x00st"),
                get.replace(b"Accept: */*", b"Accept: \x00"),
                get.replace(b"Accept: */*", b"Accept: \x85"),
                get.replace(b"Accept: */*", b"Accept: \r"),
                get.replace(b"Accept: */*", b"no colon"),
                get.replace(b"Accept: */*", b"Content-Length: 0"),
                get.replace(b"Accept: */*", b"Transfer-Encoding: chunked"),
                get.replace(b"Accept: */*", b"TRANSFER-ENCODING: identity"),
                get.replace(b"Accept: */*", b"Connection: close"),
                get.replace(b"keep-alive", b"keep-alive, close"),
                get.replace(b"Accept: */*", b"Accept: " + b"x" * 8192),
                get.replace(b"Accept: */*", b"\r\n".join([b"a: b"] * 101)),
                post.replace(b"Accept: */*", b"Expect: 100-continue"),
                post.replace(b"Accept: */*", b"content-length: 4"),
                post.replace(b"Length: 4", b"Length: +4"),
                post.replace(b"Length: 4", b"Length: 4, 4"),
                post.replace(b"Length: 4", b"Length: -1"),
                post.replace(b"Content-Length: 4\r\n", b""),
                post.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked"),
                raw("POST", POLLING, body=b"x" * 1001),
            )
        ):
            self.assertIsNone(self.read(data), f"{number}: {data!r}")

    def test_stamps(self) -> None:
        """Wherever a client writes its ``t``, and whatever else it says, its next is known."""
        for query in (
            "EIO=4&transport=polling&t=%s&sid=eid1",
            "EIO=4&transport=polling&sid=eid1&t=%s",
            "t=%s&EIO=4&transport=polling",
            "token=a%%20b&EIO=4&transport=polling&t=%s&sid=eid1",
            "EIO=4&t=%s&t=last",
            "EIO=4&transport=polling",
        ):
            for method, body in (("GET", b""), ("POST", b"4a")):
                known: list = []
                for stamp in ("P0x_-", "~.9", "Z" * 64):
                    uri = "/engine.io/?" + (query % stamp if "%s" in query else query)
                    request = read_plain(raw(method, uri, body=body), PlainPaths(), known)
                    exchange = PlainExchange(None, request)
                    self.assertEqual(exchange.uri, uri.encode())
                    self.assertEqual(exchange.method, method.encode())
                    self.assertEqual(exchange.read_body(10), body)
                self.assertEqual(len(known), 1, query)

    def test_what_a_stamp_is_not(self) -> None:
        """Nothing else may stand there, or another client's terms would be taken for it."""
        known: list = []
        first = read_plain(raw("GET", POLLING + "&t=abc&sid=eid1"), PlainPaths(), known)
        self.assertEqual(PlainExchange(None, first).terms.sid, "eid1")
        for query, sid in (
            ("&t=abc&sid=eid2", "eid2"),
            ("&t=a%62c&sid=eid1", "eid1"),
            ("&t=&sid=eid1", "eid1"),
            ("&t=" + "Z" * 65 + "&sid=eid1", "eid1"),
            ("&t=abc", None),
            ("&t=abc&x=1&sid=eid3&sid2=", "eid3"),
        ):
            request = read_plain(raw("GET", POLLING + query), PlainPaths(), known)
            self.assertIsNot(request.known, first.known, query)
            self.assertEqual(PlainExchange(None, request).terms.sid, sid, query)
        self.assertIsNone(read_plain(raw("GET", POLLING + "&t=a c&sid=eid1"), PlainPaths(), known))

    def test_known_is_still_checked(self) -> None:
        """Its length, its end and its method, however often it came before."""
        known: list = []
        post = raw("POST", POLLING, body=b"4a")
        for data in (post, raw("GET", POLLING)):
            self.assertIsNotNone(read_plain(data, PlainPaths(), known))
        for data in (
            post[:-1],
            post + b"x",
            post.replace(b"Length: 2", b"Length: 1"),
            post.replace(b"Length: 2", b"Length: 000000002"),
            post.replace(b"Length: 2", b"Length: -2"),
            post.replace(b"Length: 2", b"Length: "),
            post.replace(b"Length: 2", b"Length: 2 "),
            post.replace(b"Length: 2", b"Length: \xb2"),
            raw("POST", POLLING, body=b"x" * 1001),
            raw("GET", POLLING) + b"4a",
            raw("GET", POLLING)[:-1],
            post.replace(b"/engine.io/", b"/elsewhere/"),
            raw("GET", POLLING).replace(b"GET", b"PUT"),
        ):
            self.assertIsNone(read_plain(data, PlainPaths(), known), data)
        self.assertEqual(len(known), 2)

    def test_of_another_process(self) -> None:
        """It is not plain; whose a request is, is asked once for all that are alike."""
        asked: list[bytes] = []
        site, known = PlainPaths(), []
        site.owner_of = asked.append
        for stamp in ("a", "b", "c"):
            self.assertIsNotNone(read_plain(raw("GET", f"{POLLING}&t={stamp}"), site, known))
        self.assertEqual(asked, [f"{POLLING}&t=a".encode()])
        site.owner_of = lambda uri: "another"
        self.assertIsNone(read_plain(raw("GET", POLLING), site, known))

    def test_memory_is_bounded(self) -> None:
        """A client that never repeats itself is remembered no more than others."""
        known: list = []
        for number in range(1000):
            read_plain(raw("GET", POLLING, f"X-Number: {number}\r\n"), PlainPaths(), known)
            self.assertLessEqual(len(known), 4)

    def test_hostile_heads_in_linear_time(self) -> None:
        """Nothing in a head is tried twice: 8 kB that nearly match are soon read."""
        import time

        began = time.process_time()
        for filling in (b"a" * 8000, b" " * 8000, b":" * 8000, b"a:\r\n" * 2000, b"a: \t" * 2000):
            for _ in range(50):
                self.read(b"GET /engine.io/ HTTP/1.1\r\na:" + filling + b"\x00\r\n\r\n")
        self.assertLess(time.process_time() - began, 2)


def who(cookies) -> Identity:
    return Identity(cookies.get("session_id", (None,))[0])


class Twin:
    """
    Two endpoints that are told the same: one with plain requests, and one without.

    Args:
        options: of the engines.
    """

    def __init__(self, **options: object) -> None:
        self.fast = Endpoint(identify=who, max_payload=1000, **options)
        self.slow = Endpoint(identify=who, max_payload=1000, **options)
        self.slow.site.plain_mounts = {}
        self.both = (self.fast, self.slow)
        self.wires: list[list[Wire]] = []

    def connect(self) -> int:
        self.wires.append([endpoint.wire() for endpoint in self.both])
        return len(self.wires) - 1

    def send(self, number: int, data: bytes) -> None:
        for wire in self.wires[number]:
            wire.send(data)

    def states(self) -> list:
        """What can be seen of each: answers, ends, messages, sessions, timers."""
        dates = re.compile(rb"Date: [^\r]*")
        return [
            (
                [dates.sub(b"Date", wires[side].read()) for wires in self.wires],
                [wires[side].closed for wires in self.wires],
                [wires[side].transport.reading for wires in self.wires],
                endpoint.log,
                {eid: s.state for eid, s in endpoint.engine.sessions.items()},
                endpoint.engine.stats.dump(),
                endpoint.site.busy,
                len(endpoint.site.channels),
            )
            for side, endpoint in enumerate(self.both)
        ]


class SameAnswersTests(SynchronousTestCase):
    def compare(self, twin: Twin, what: object = "") -> None:
        fast, slow = twin.states()
        self.assertEqual(fast, slow, what)

    def test_plain_is_used(self) -> None:
        """Or these tests compare twisted.web with itself."""
        twin = Twin()
        made: list = []
        for endpoint in twin.both:
            factory = endpoint.site.requestFactory
            endpoint.site.requestFactory = lambda *a, f=factory, e=endpoint, **k: (
                made.append(e) or f(*a, **k)
            )
        number = twin.connect()
        twin.send(number, raw("GET", POLLING))
        for body in (b"4a", b"4bc"):
            twin.send(number, raw("POST", POLLING + "&sid=eid1", body=body))
        self.compare(twin)
        self.assertEqual(made, [twin.slow] * 3)
        self.assertEqual(twin.fast.log, ["a", "bc"])

    #: What clients say, of which each is plain alone or is not.
    def requests(self) -> list[bytes]:
        sid = POLLING + "&t=abc&sid=eid1"
        others = BROWSER.replace("example.com", "evil.example").replace("Host: evil", "Host: x")
        get, post = raw("GET", sid), raw("POST", sid, body=b"4hi")
        return [
            raw("GET", POLLING),
            raw("GET", POLLING + "&room=a%20b&x=%e2%82%ac"),
            get,
            get,
            post,
            post,
            raw("POST", sid, body="4€\x1ebAQID\x1e4z".encode()),
            raw("POST", sid, body=b"3"),
            raw("POST", sid, body=b"abc"),
            raw("POST", sid, body=b"1"),
            raw("POST", sid, body=b"\xff"),
            raw("POST", sid, body=b""),
            raw("POST", sid, body=b"4" + b"x" * 999),
            raw("POST", sid, body=b"4" + b"x" * 1000),
            raw("POST", sid, others, body=b"4a"),
            raw("GET", sid, others),
            raw("GET", sid, BROWSER.replace("=ada", "=eve")),
            raw("GET", sid, BROWSER.replace("Cookie", "X-Cookie")),
            raw("GET", sid, BROWSER + "Host: example.org\r\n"),
            raw("GET", sid, BROWSER.replace("keep-alive", "close")),
            raw("GET", POLLING, BROWSER.replace("keep-alive", "close")),
            raw("GET", sid, BROWSER.replace("*/*", "\x85")),
            raw("GET", sid, BROWSER.replace("*/*", "a\x1cCookie: a=b")),
            raw("GET", sid + "&sid=eid2"),
            raw("GET", POLLING + "&sid=nobody"),
            raw("GET", "/engine.io?EIO=4&transport=polling"),
            raw("GET", "/engine.io/?EIO=3&transport=polling"),
            raw("GET", "/engine.io/?transport=%ff"),
            raw("GET", sid + "&j=0"),
            raw("GET", sid + "&j=x"),
            raw("GET", WEBSOCKET),
            raw("GET", "/elsewhere"),
            raw("HEAD", POLLING),
            raw("OPTIONS", POLLING),
            raw("PUT", sid),
            raw("POST", "/elsewhere", body=b"a=b"),
            post.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
            post.replace(b"Content-Length: 3", b"Content-Length: 3\r\nContent-Length: 3"),
            post.replace(b"Accept: */*", b"Expect: 100-continue"),
            post.replace(b"Content-Length: 3", b"Content-Length: 10000000000"),
            post.replace(b"text/plain", b"application/octet-stream"),
            get.replace(b"HTTP/1.1", b"HTTP/1.0"),
            b"\r\n",
            b"garbage\r\n\r\n",
            b"GET",
        ]

    def test_one_by_one(self) -> None:
        """Each request, whole and byte by byte, after a session was opened."""
        for data in self.requests():
            for cut in (False, True):
                twin = Twin()
                first, number = twin.connect(), twin.connect()
                twin.send(first, raw("GET", POLLING))
                pieces = [data[i : i + 1] for i in range(len(data))] if cut else [data]
                for piece in pieces:
                    twin.send(number, piece)
                twin.send(number, raw("GET", POLLING))
                self.compare(twin, data)

    def test_cut_everywhere(self) -> None:
        """Two requests in two pieces, cut at every byte."""
        sid = POLLING + "&sid=eid1"
        data = raw("POST", sid, body=b"4hi") + raw("GET", sid)
        for cut in range(1, len(data)):
            twin = Twin()
            twin.send(twin.connect(), raw("GET", POLLING))
            number = twin.connect()
            twin.send(number, data[:cut])
            twin.send(number, data[cut:])
            for endpoint in twin.both:
                endpoint.session.send("out")
                endpoint.turn()
            twin.send(number, raw("POST", sid, body=b"4again"))
            self.compare(twin, cut)
            self.assertEqual(twin.fast.log, ["hi", "again"])

    def test_random_streams(self) -> None:
        """Any requests, in any pieces, on some connections at once, with all that may happen."""
        for seed in range(int(__import__("os").environ.get("N", "60"))):
            chance = random.Random(seed)
            twin = Twin(headers=hook if seed % 3 == 0 else None, http_compression=20)
            twin.send(twin.connect(), raw("GET", POLLING))
            for _ in range(3):
                twin.connect()
            for _ in range(25):
                self.step(twin, chance)
                self.compare(twin, seed)
            for wires in twin.wires:
                for wire in wires:
                    wire.hang_up()
            self.compare(twin, seed)
            for endpoint in twin.both:
                self.assertEqual(endpoint.http_clock.getDelayedCalls(), [], seed)

    def step(self, twin: Twin, chance: random.Random) -> None:
        number = chance.randrange(len(twin.wires))
        what = chance.random()
        if what < 0.6:
            data = b"".join(chance.choices(self.requests()[:8], k=chance.choice((1, 1, 1, 2))))
            if chance.random() < 0.2:
                data = chance.choice(self.requests())
            if chance.random() < 0.2:
                cut = chance.randrange(len(data) + 1)
                twin.send(number, data[:cut])
                data = data[cut:]
            twin.send(number, data)
        elif what < 0.65:
            for wire in twin.wires[number]:
                wire.hang_up()
            twin.wires[number] = [endpoint.wire() for endpoint in twin.both]
        else:
            text, seconds = "x" * chance.randrange(50), chance.choice((0, 1, 30, 59))
            for endpoint in twin.both:
                session = endpoint.session
                if what < 0.85:
                    session.send(text)
                    endpoint.turn()
                elif what < 0.88:
                    session.pause()
                elif what < 0.93:
                    session.resume()
                elif what < 0.95:
                    session.close()
                else:
                    endpoint.clock.advance(seconds)
                    endpoint.http_clock.advance(seconds)


def hook(headers, facts) -> None:
    headers["X-Query"] = str(facts.get_query("t"))
    headers["Cache-Control"] = "no-cache"


class FoundTests(SynchronousTestCase):
    """What was found for a connection's last request is not believed when it has changed."""

    def setUp(self) -> None:
        self.twin = Twin()
        self.number = self.twin.connect()
        self.open()

    def open(self) -> None:
        self.twin.send(self.number, raw("GET", POLLING))
        self.post()

    def post(self, cookie: str = "session_id=ada; theme=dark", sid: str = "eid1") -> list[int]:
        """POST, compare everything, and give the statuses of all answers since the last."""
        headers = BROWSER.replace("session_id=ada; theme=dark", cookie)
        self.twin.send(self.number, raw("POST", f"{POLLING}&sid={sid}", headers, body=b"4a"))
        fast, slow = self.twin.states()
        self.assertEqual(fast, slow)
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", fast[0][self.number])]

    def test_kept(self) -> None:
        """Or there is nothing to test here."""
        found = [channel._known[-1].found for channel in self.twin.fast.site.channels]
        self.assertEqual(self.post(), [200])
        self.assertEqual(
            [channel._known[-1].found for channel in self.twin.fast.site.channels], found
        )
        self.assertTrue(found[0].holds)

    def test_another_id_of_the_visitor(self) -> None:
        """The session is another visitor's by now."""
        for endpoint in self.twin.both:
            (session,) = endpoint.engine.sessions.values()
            session.handshake = session.handshake.moved("bea")
            session.handshake.head = b"Cookie: session_id=bea\r\n"
        self.assertEqual(self.post(), [403])
        self.assertEqual(self.post("session_id=bea"), [200])
        self.assertEqual(self.post(), [403])

    def test_session_over(self) -> None:
        """And another session may have its id by then."""
        for endpoint in self.twin.both:
            (session,) = endpoint.engine.sessions.values()
            session.lose(CloseReason.PING_TIMEOUT)
        self.assertEqual(self.post(), [400])
        for endpoint in self.twin.both:
            endpoint.engine._new_id = lambda: "eid1"
        self.open()
        self.assertEqual(self.post(), [200])
        self.assertEqual(self.twin.fast.log[-2:], ["a", "a"])

    def test_another_session(self) -> None:
        """One connection may serve several sessions in turn."""
        self.open()
        for sid in ("eid1", "eid2", "eid1"):
            self.assertEqual(self.post(sid=sid), [200])
        self.assertEqual(self.post(sid="eid3"), [400])

    def test_cookies_that_must_be_read(self) -> None:
        """They are other than those that opened it: whose they are is asked each time."""
        cookie = "session_id=ada"
        self.assertEqual(self.post(cookie), [200])
        for endpoint in self.twin.both:
            endpoint.engine.identify = lambda cookies: Identity("eve")
        self.assertEqual(self.post(cookie), [403])

    def test_second_post(self) -> None:
        """It ends the session, also when it came with what was found before."""
        for endpoint in self.twin.both:
            (session,) = endpoint.engine.sessions.values()
            session.pause()
        self.post()
        other = self.twin.connect()
        self.twin.send(other, raw("POST", POLLING + "&sid=eid1", body=b"4b"))
        fast, slow = self.twin.states()
        self.assertEqual(fast, slow)
        self.assertEqual(fast[3][-1], ("closed", "transport error"))


class ConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.uri = self.endpoint.open_polling()

    def test_ahead_of_the_answer(self) -> None:
        """What comes while a GET waits is answered after it, and not read before."""
        wire = self.endpoint.wire()
        wire.send(raw("GET", self.uri))
        wire.send(raw("POST", self.uri, body=b"4a"))
        self.assertEqual(self.endpoint.log, [])
        self.endpoint.session.send("out")
        self.endpoint.turn()
        first, second = wire.read().split(b"HTTP/1.1 ")[1:]
        self.assertTrue(first.endswith(b"4out"))
        self.assertTrue(second.endswith(b"ok"))
        self.assertEqual(self.endpoint.log, ["a"])

    def test_too_much_ahead(self) -> None:
        """A client that floods a waiting GET is not read until that is answered."""
        wire = self.endpoint.wire()
        wire.send(raw("GET", self.uri))
        wire.send(b"x" * 16_384)
        self.assertTrue(wire.transport.reading)
        wire.send(b"x")
        self.assertFalse(wire.transport.reading)
        self.endpoint.session.send("out")
        self.endpoint.turn()
        self.assertTrue(wire.transport.reading)

    def test_aborted_get(self) -> None:
        wire = self.endpoint.wire()
        wire.send(raw("GET", self.uri))
        wire.hang_up()
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])

    def test_busy(self) -> None:
        """A waiting GET is a request under way, for a site that is to end."""
        wire = self.endpoint.wire()
        self.assertFalse(self.endpoint.site.busy)
        wire.send(raw("GET", self.uri))
        self.assertTrue(self.endpoint.site.busy)
        self.endpoint.site.abort()
        self.assertEqual(wire.closed, "aborted")
        self.assertFalse(self.endpoint.site.busy)

    def test_idle_after_post(self) -> None:
        """A connection is closed 60 s after its last answer, whatever the request was."""
        for data in (raw("POST", self.uri, body=b"4a"), http_request("PUT", "/", body=b"x")):
            wire = self.endpoint.wire()
            wire.send(data)
            self.endpoint.http_clock.advance(59)
            self.assertIsNone(wire.closed)
            self.endpoint.http_clock.advance(1)
            self.assertEqual(wire.closed, "closed")

    def test_close(self) -> None:
        """``Connection: close`` ends the connection after the answer."""
        wire = self.endpoint.wire()
        wire.send(raw("POST", self.uri, BROWSER.replace("keep-alive", "close"), body=b"4a"))
        self.assertEqual(wire.closed, "closed")
        self.assertIn(b"Connection: close\r\n", wire.read())

    def test_date(self) -> None:
        """It is that of the second in which the answer leaves."""
        import mojo.engineio.site as module

        dates = iter([b"one", b"two"])
        self.patch(module.http, "datetimeToString", lambda: next(dates))
        wire = self.endpoint.wire()
        for seconds, expected in ((1.5, b"one"), (0.4, b"one"), (0.2, b"two")):
            self.endpoint.http_clock.advance(seconds)
            wire.send(raw("POST", self.uri, body=b"4a"))
            self.assertIn(b"\r\nDate: " + expected + b"\r\n", wire.read())

    def test_failure(self) -> None:
        """A mistake of ours is logged, and answered."""
        self.patch(self.endpoint.engine, "find", lambda eid: 1 / 0)
        for endpoint_site in (self.endpoint.site.plain_mounts, {}):
            self.endpoint.site.plain_mounts = endpoint_site
            wire = self.endpoint.wire()
            wire.send(raw("GET", self.uri))
            self.assertEqual(wire.answer().status, 500)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_frames_behind_the_upgrade(self) -> None:
        """Frames that come while an application decides are the WebSocket's to read."""
        decision: Deferred = Deferred()
        endpoint = Endpoint(allow_request=lambda handshake: decision)
        wire = endpoint.wire()
        wire.send(http_request("GET", WEBSOCKET, headers=UPGRADE_HEADERS))
        wire.send(client_frame(TEXT, b"4a"))
        decision.callback(None)
        self.assertEqual(endpoint.log, ["a"])
        head, _, frames = wire.read().partition(b"\r\n\r\n")
        self.assertIn(b"101", head)
        self.assertEqual(parse_frames(frames)[0].payload[:1], b"0")
        self.assertEqual(endpoint.site.channels, set())
        endpoint.http_clock.advance(3600)
        self.assertIsNone(wire.closed)


class Gate(Resource):
    """A resource that lets through who knows the password."""

    def getChildWithDefault(self, name, request):
        if request.getHeader(b"x-password") != b"sesame":
            return Resource().getChildWithDefault(b"", request)
        return super().getChildWithDefault(name, request)


class WayTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.mount = self.endpoint.site.resource.children[b"engine.io"]

    def site(self, root: Resource, path: bytes = b"/engine.io") -> EngineSite:
        return EngineSite(root, {path: self.mount}, self.endpoint.http_clock)

    def test_gate(self) -> None:
        """A resource on the way is asked, for each request."""
        gate = Gate()
        gate.putChild(b"engine.io", self.mount)
        site = self.site(gate)
        self.assertEqual(Wire(site).get(POLLING).status, 404)
        wire = Wire(site)
        self.assertEqual(wire.get(POLLING, X_Password="sesame").status, 200)
        self.assertEqual(wire.get(POLLING).status, 404)

    def test_gate_at_the_mount(self) -> None:
        """The resource at the path is served, if it is another than the mount."""
        root = Resource()
        root.putChild(b"engine.io", Resource())
        self.assertEqual(Wire(self.site(root)).get(POLLING).status, 404)

    def test_deeper(self) -> None:
        root, folder = Resource(), Resource()
        root.putChild(b"a", folder)
        folder.putChild(b"engine.io", self.mount)
        site = self.site(root, b"/a/engine.io")
        self.assertTrue(site.leads_to(b"/a/engine.io/", self.mount))
        self.assertEqual(Wire(site).get("/a" + POLLING).status, 200)

    def test_plain_site(self) -> None:
        """A mount in a Site of twisted.web works, without plain requests."""
        wire = Wire(Site(self.endpoint.site.resource, reactor=self.endpoint.http_clock))
        wire.get(POLLING)
        self.assertEqual(wire.post(POLLING + "&sid=eid1", b"4a").text, "ok")

    def test_access_log(self) -> None:
        """Requests of mounts are not in it, by either way."""
        seen: list = []
        site = EngineSite(
            self.endpoint.site.resource,
            {b"/engine.io": self.mount},
            self.endpoint.http_clock,
            log_request=seen.append,
        )
        wire = Wire(site)
        wire.get(POLLING)
        wire.send_bytewise(raw("GET", POLLING))
        self.assertEqual(seen, [])


class UpgradeTests(SynchronousTestCase):
    def test_websocket(self) -> None:
        """A plain upgrade, and one that twisted.web read, are the same."""
        heads = []
        for plain in (True, False):
            endpoint = Endpoint()
            if not plain:
                endpoint.site.plain_mounts = {}
            socket = WebSocketWire(endpoint.site, WEBSOCKET)
            socket.send("4a")
            self.assertEqual(endpoint.log, ["a"])
            heads.append(socket.head)
        self.assertEqual(heads[0], heads[1])
