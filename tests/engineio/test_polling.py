"""Long-polling through a real Site: handshake, GET and POST, overlap, limits, end."""

import gzip
import zlib

from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.handshake import Identity
from mojo.engineio.packet import message
from mojo.testing.http import http_request
from tests.engineio.endpoint import POLLING, WEBSOCKET, Endpoint


class HandshakeTests(SynchronousTestCase):
    def test_open_packet(self) -> None:
        """Times are in milliseconds on the wire, sizes in bytes."""
        response = Endpoint().get()
        self.assertEqual(response.status, 200)
        self.assertEqual(
            response.text,
            '0{"sid":"eid1","upgrades":["websocket"],"pingInterval":25000,'
            '"pingTimeout":20000,"maxPayload":1000000}',
        )
        self.assertEqual(response.header("content-type"), "text/plain; charset=UTF-8")
        self.assertEqual(response.header("cache-control"), "no-store")

    def test_no_upgrades(self) -> None:
        for options in ({"allow_upgrades": False}, {"transports": ("polling",)}):
            response = Endpoint(**options).get()
            self.assertIn('"upgrades":[]', response.text)

    def test_path_without_slash(self) -> None:
        """Clients with ``addTrailingSlash: false`` are served too."""
        self.assertEqual(Endpoint().get("/engine.io?EIO=4&transport=polling").status, 200)

    def test_handshake_facts(self) -> None:
        """The application sees query, headers and address of the first request."""
        endpoint = Endpoint()
        endpoint.get(POLLING + "&room=a%20b&t=1", User_Agent="Test", Cookie="a=1; b=2")
        handshake = endpoint.session.handshake
        self.assertEqual(handshake.path, "/engine.io/")
        self.assertEqual(handshake.get_query("room"), "a b")
        self.assertEqual(handshake.headers["user-agent"], ("Test",))
        self.assertEqual(dict(handshake.cookies), {"a": ("1",), "b": ("2",)})
        self.assertEqual(handshake.address, "198.51.100.7")
        self.assertFalse(handshake.secure)


class ExchangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.uri = self.endpoint.open_polling()

    def test_post(self) -> None:
        response = self.endpoint.post(self.uri, b"4hello\x1ebAQIDBA==\x1e4world")
        self.assertEqual((response.status, response.text), (200, "ok"))
        self.assertEqual(self.endpoint.log, ["hello", b"\x01\x02\x03\x04", "world"])

    def test_get_of_what_waits(self) -> None:
        """A GET is answered at once with everything that waits."""
        self.endpoint.session.send("a")
        self.endpoint.session.send(b"\x01\x02\x03\x04")
        self.endpoint.turn()
        self.assertEqual(self.endpoint.get(self.uri).text, "4a\x1ebAQIDBA==")

    def test_get_waits(self) -> None:
        """A GET is answered when the turn that sends something ends."""
        wire = self.endpoint.wire()
        self.assertIsNone(wire.get(self.uri))
        self.endpoint.session.send("a")
        self.endpoint.session.send("b")
        self.assertIsNone(wire.answer())
        self.endpoint.turn()
        self.assertEqual(wire.answer().text, "4a\x1e4b")

    def test_keep_alive(self) -> None:
        """GETs and POSTs of one connection are answered one after another."""
        wire = self.endpoint.wire()
        for number in range(3):
            self.assertEqual(wire.post(self.uri, b"4%d" % number).text, "ok")
            self.endpoint.session.send(f"back {number}")
            self.endpoint.turn()
            self.assertEqual(wire.get(self.uri).text, f"4back {number}")
        self.assertEqual(self.endpoint.log, ["0", "1", "2"])

    def test_pipelined(self) -> None:
        """Two POSTs in one piece are two requests, answered in order."""
        wire = self.endpoint.wire()
        post = http_request("POST", self.uri, body=b"4a")
        wire.send(post + http_request("POST", self.uri, body=b"4b"))
        self.assertEqual(wire.read().count(b"200 OK"), 2)
        self.assertEqual(self.endpoint.log, ["a", "b"])

    def test_bytewise(self) -> None:
        """A request that comes byte by byte is the same request."""
        wire = self.endpoint.wire()
        wire.send_bytewise(http_request("POST", self.uri, body="4€".encode()))
        self.assertEqual(wire.answer().text, "ok")
        self.assertEqual(self.endpoint.log, ["€"])

    def test_chunked(self) -> None:
        wire = self.endpoint.wire()
        head = (
            f"POST {self.uri} HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        wire.send(head.encode() + b"3\r\n4ab\r\n1\r\nc\r\n0\r\n\r\n")
        self.assertEqual(wire.answer().text, "ok")
        self.assertEqual(self.endpoint.log, ["abc"])

    def test_form_type_is_not_parsed(self) -> None:
        """A body that says it is a form cannot choose the session or add a query."""
        response = self.endpoint.post(
            POLLING, b"sid=eid1", Content_Type="application/x-www-form-urlencoded"
        )
        self.assertEqual(response.json, {"code": 2, "message": "Bad handshake method"})

    def test_response_is_cut_at_max_payload(self) -> None:
        """What does not fit into one body goes into the next."""
        endpoint = Endpoint(max_payload=20)
        uri = endpoint.open_polling()
        for text in ("a" * 8, "b" * 8, "c" * 30, "d"):
            endpoint.session.send(text)
        endpoint.turn()
        bodies = [endpoint.get(uri).text for _ in range(3)]
        self.assertEqual(bodies, ["4" + "a" * 8 + "\x1e4" + "b" * 8, "4" + "c" * 30, "4d"])

    def test_failing_application(self) -> None:
        """An exception is logged; the session and the rest of the payload go on."""
        response = self.endpoint.post(self.uri, b"4raise\x1e4after")
        self.assertEqual(response.text, "ok")
        self.assertEqual(self.endpoint.log, ["after"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class CompressionTests(SynchronousTestCase):
    def answer(self, accept: str | None, text: str = "x" * 2000, **options: object):
        endpoint = Endpoint(**options)
        uri = endpoint.open_polling()
        endpoint.session.send(text)
        endpoint.turn()
        headers = {} if accept is None else {"Accept-Encoding": accept}
        return endpoint.get(uri, **headers)

    def test_gzip(self) -> None:
        response = self.answer("deflate;q=0.8, gzip")
        self.assertEqual(response.header("content-encoding"), "gzip")
        self.assertEqual(gzip.decompress(response.body), b"4" + b"x" * 2000)
        self.assertLess(len(response.body), 100)
        self.assertEqual(response.header("vary"), "Accept-Encoding")

    def test_deflate(self) -> None:
        """What the client likes best; of two that it likes equally, gzip."""
        response = self.answer("br, deflate, gzip;q=0.8")
        self.assertEqual(response.header("content-encoding"), "deflate")
        self.assertEqual(zlib.decompress(response.body), b"4" + b"x" * 2000)
        for accept in ("deflate, gzip", "*", "deflate;q=x, gzip"):
            self.assertEqual(self.answer(accept).header("content-encoding"), "gzip", accept)

    def test_packets_that_are_not_compressed(self) -> None:
        """A body is compressed if one of its packets may be."""
        for flags, expected in (
            ((False,), None),
            ((False, False), None),
            ((False, True), "gzip"),
        ):
            endpoint = Endpoint()
            uri = endpoint.open_polling()
            packets = [message("x" * 2000) for _ in flags]
            for packet, flag in zip(packets, flags, strict=True):
                packet.compress = flag
            endpoint.session.send_packets(packets)
            endpoint.turn()
            response = endpoint.get(uri, Accept_Encoding="gzip")
            self.assertEqual(response.header("content-encoding"), expected)

    def test_packets_of_other_bodies(self) -> None:
        """What counts is what is in the body, not what still waits."""
        endpoint = Endpoint(max_payload=3000)
        uri = endpoint.open_polling()
        packets = [message("x" * 2000), message("y" * 2000)]
        packets[0].compress = False
        endpoint.session.send_packets(packets)
        endpoint.turn()
        for expected in (None, "gzip"):
            response = endpoint.get(uri, Accept_Encoding="gzip")
            self.assertEqual(response.header("content-encoding"), expected)

    def test_not_accepted(self) -> None:
        for accept in (None, "identity", "gzip;q=0", "gzip; q=0.000", "br, zstd", "*;q=0"):
            response = self.answer(accept)
            self.assertIsNone(response.header("content-encoding"), accept)
            self.assertEqual(len(response.body), 2001)

    def test_threshold(self) -> None:
        """1,024 bytes are compressed, 1,023 are not, and 0 turns it off."""
        self.assertIsNotNone(self.answer("gzip", "x" * 1023).header("content-encoding"))
        self.assertIsNone(self.answer("gzip", "x" * 1022).header("content-encoding"))
        response = self.answer("gzip", http_compression=0)
        self.assertIsNone(response.header("content-encoding"))


class OverlapTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.uri = self.endpoint.open_polling()

    def test_two_gets(self) -> None:
        """The first learns of the end by a close packet, the second by a 400."""
        first = self.endpoint.wire()
        first.get(self.uri)
        second = self.endpoint.get(self.uri)
        self.assertEqual(first.answer().text, "1")
        self.assertEqual(second.json, {"code": 3, "message": "Bad request"})
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])
        self.assertEqual(self.endpoint.get(self.uri).json["code"], 1)

    def test_two_posts(self) -> None:
        """Noticed when the second's headers are in, while both bodies are on their way."""
        first, second = self.endpoint.wire(), self.endpoint.wire()
        head = f"POST {self.uri} HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2\r\n\r\n"
        first.send(head.encode() + b"4")
        second.send(head.encode())
        self.assertEqual(second.answer().status, 400)
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])
        first.send(b"a")
        self.assertEqual(first.answer().status, 400)
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])

    def test_of_somebody_else(self) -> None:
        """Who knows the ``sid`` and is not the visitor can end nothing, by a GET or a POST."""
        endpoint = Endpoint(
            identify=lambda cookies: Identity(cookies.get("session_id", (None,))[0])
        )
        uri = endpoint.open_polling(Cookie="session_id=ada")
        post = f"POST {uri} HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2\r\n"
        plain, other = f"{post}\r\n".encode(), f"{post}Cookie: session_id=eve\r\n\r\n".encode()
        first = endpoint.wire()
        first.send(f"{post}Cookie: session_id=ada\r\n\r\n4".encode())
        for spy in (endpoint.wire(address="203.0.113.66"), endpoint.wire()):
            # Whole, in one piece; in pieces; and as a GET beside one that waits.
            spy.send(other + b"4x")
            self.assertEqual(spy.answer().status, 403)
            spy.send(other[:90])
            spy.send(other[90:])
            self.assertIsNone(spy.answer())
            spy.send(b"4x")
            self.assertEqual(spy.answer().status, 403)
        spy = endpoint.wire(address="203.0.113.66")
        spy.send(plain + b"4x")
        self.assertEqual(spy.answer().status, 403)
        waiting = endpoint.wire()
        waiting.get(uri, Cookie="session_id=ada")
        self.assertEqual(endpoint.get(uri, Cookie="session_id=eve").status, 403)
        first.send(b"a")
        self.assertEqual(first.answer().text, "ok")
        self.assertEqual(endpoint.log, ["a"])

    def test_post_that_is_refused(self) -> None:
        """It is no second one: of another version, of a page that may not, with a wrong name."""
        first = self.endpoint.wire()
        first.send(f"POST {self.uri} HTTP/1.1\r\nContent-Length: 2\r\n\r\n4".encode())
        for uri, headers in (
            (self.uri.replace("EIO=4", "EIO=3"), {}),
            (self.uri.replace("polling", "websocket"), {}),
            (self.uri.replace("polling", "pigeon"), {}),
            (self.uri, {"Origin": "https://evil.example"}),
        ):
            self.assertIn(self.endpoint.post(uri, b"4x", **headers).status, (400, 403))
        first.send(b"a")
        self.assertEqual(first.answer().text, "ok")
        self.assertEqual(self.endpoint.log, ["a"])

    def test_aborted_post(self) -> None:
        """A POST that breaks off is over: the next one is no second one."""
        first = self.endpoint.wire()
        first.send(f"POST {self.uri} HTTP/1.1\r\nContent-Length: 9\r\n\r\n4".encode())
        first.hang_up()
        self.assertEqual(self.endpoint.post(self.uri, b"4a").text, "ok")
        self.assertEqual(self.endpoint.log, ["a"])

    def test_aborted_get(self) -> None:
        wire = self.endpoint.wire()
        wire.get(self.uri)
        wire.hang_up()
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])
        self.assertEqual(self.endpoint.get(self.uri).status, 400)


class RefusalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()

    def test_handshakes(self) -> None:
        """Each refusal has the reference's code; a missing or odd EIO is refused too."""
        get, unknown, version = "/engine.io/?", "Transport unknown", "Unsupported protocol version"
        for uri, expected in (
            (get + "EIO=4", (0, unknown)),
            (get + "EIO=4&transport=abc", (0, unknown)),
            (get + "EIO=4&transport=constructor", (0, unknown)),
            (get + "EIO=4&transport=__proto__", (0, unknown)),
            (get + "transport=polling", (5, version)),
            (get + "EIO=abc&transport=polling", (5, version)),
            (get + "EIO=3&transport=polling", (5, version)),
            (get + "EIO=4&EIO=4&transport=polling", (3, "Bad request")),
            (get + "EIO=4&transport=polling&transport=websocket", (3, "Bad request")),
            (get + "EIO=4&transport=polling&sid=", (1, "Session ID unknown")),
            (get + "EIO=4&transport=polling&sid=nobody", (1, "Session ID unknown")),
            (get + "EIO=4&transport=polling&sid=__proto__", (1, "Session ID unknown")),
            (get + "EIO=4&transport=websocket", (3, "Bad request")),
            (get + "EIO=4&transport=polling&x=%ff", (3, "Bad request")),
            (get + "EIO=4&transport=polling" + "&x=1" * 200, (3, "Bad request")),
        ):
            response = self.endpoint.get(uri)
            self.assertEqual(response.status, 400, uri)
            code, message = expected
            self.assertEqual(response.json, {"code": code, "message": message}, uri)
            self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(self.endpoint.engine.sessions, {})

    def test_sid_in_brackets(self) -> None:
        """``sid[]=`` is another field, not a list: it opens a session of its own."""
        self.assertEqual(self.endpoint.get(POLLING + "&sid[]=eid1").status, 200)

    def test_methods(self) -> None:
        for method in ("POST", "PUT", "DELETE", "BREW"):
            wire = self.endpoint.wire()
            wire.ask(method, POLLING, body=b"")
            self.assertEqual(wire.answer().status, 400, method)
        uri = self.endpoint.open_polling()
        wire = self.endpoint.wire()
        wire.ask("PUT", uri, body=b"4a")
        self.assertEqual(wire.answer().json, {"code": 3, "message": "Bad request"})

    def test_websocket_url_by_polling(self) -> None:
        uri = self.endpoint.open_polling().replace("transport=polling", "transport=websocket")
        self.assertEqual(self.endpoint.get(uri).json["code"], 3)

    def test_polling_after_websocket(self) -> None:
        self.endpoint.open_websocket(WEBSOCKET)
        for response in (
            self.endpoint.get(POLLING + "&sid=eid1"),
            self.endpoint.post(POLLING + "&sid=eid1", b"4a"),
        ):
            self.assertEqual(response.json, {"code": 3, "message": "Bad request"})
        self.assertEqual(self.endpoint.log, [])

    def test_malformed_payloads(self) -> None:
        """Each is a 400 and the end of its session, and of no other."""
        other = self.endpoint.open_polling()
        for body in (b"abc", b"", b"4a\x1e", b"\xff", b"b$", b"0", b"5"):
            self.endpoint.log.clear()
            uri = self.endpoint.open_polling()
            response = self.endpoint.post(uri, body)
            self.assertEqual(response.json, {"code": 3, "message": "Bad request"}, body)
            self.assertEqual(self.endpoint.log[-1], ("closed", "parse error"), body)
            self.assertEqual(self.endpoint.get(uri).status, 400)
        self.assertEqual(self.endpoint.post(other, b"4still here").text, "ok")

    def test_ping_from_the_client(self) -> None:
        """Since protocol 4 only the server pings."""
        uri = self.endpoint.open_polling()
        self.assertEqual(self.endpoint.post(uri, b"2").status, 400)
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])

    def test_octet_stream(self) -> None:
        """Engine.IO 3's binary payloads are answered and end the session (GHSA-r635)."""
        uri = self.endpoint.open_polling()
        response = self.endpoint.post(uri, b"\x00", Content_Type="application/octet-stream")
        self.assertEqual(response.status, 400)
        self.assertEqual(self.endpoint.log, [("closed", "parse error")])

    def test_unknown_sids(self) -> None:
        """A flood of them leaves nothing behind."""
        for number in range(1000):
            self.endpoint.get(f"{POLLING}&sid=x{number}")
        self.assertEqual(self.endpoint.engine.sessions, {})
        self.assertEqual(self.endpoint.clock.getDelayedCalls(), [])


class EndTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint()
        self.uri = self.endpoint.open_polling()

    def test_client_closes(self) -> None:
        """A close packet is answered ok, the GET ends with a noop, the id is gone."""
        wire = self.endpoint.wire()
        wire.get(self.uri)
        self.assertEqual(self.endpoint.post(self.uri, b"1").text, "ok")
        self.assertEqual(wire.answer().text, "6")
        self.assertEqual(self.endpoint.log, [("closed", "transport close")])
        self.assertEqual(self.endpoint.get(self.uri).status, 400)

    def test_messages_after_close(self) -> None:
        self.endpoint.post(self.uri, b"4a\x1e1\x1e4b")
        self.assertEqual(self.endpoint.log, ["a", ("closed", "transport close")])

    def test_server_closes_waiting_get(self) -> None:
        """Alone if there is nothing else, the close packet ends it at once."""
        wire = self.endpoint.wire()
        wire.get(self.uri)
        self.endpoint.session.close()
        self.assertEqual(wire.answer().text, "1")
        self.assertEqual(self.endpoint.log, [("closed", "forced close")])
        self.assertEqual(self.endpoint.engine.sessions, {})

    def test_close_packet_comes_alone(self) -> None:
        """What was sent leaves first: the client acts on a close before what came with it."""
        wire = self.endpoint.wire()
        wire.get(self.uri)
        self.endpoint.session.send("bye")
        self.endpoint.session.close()
        self.assertEqual(wire.answer().text, "4bye")
        self.assertEqual(self.endpoint.log, [("closed", "forced close")])
        self.assertEqual(self.endpoint.get(self.uri).text, "1")
        self.assertEqual(self.endpoint.engine.sessions, {})

    def test_server_closes_between_gets(self) -> None:
        """The next GET fetches the rest, within close_timeout."""
        self.endpoint.session.send("bye")
        self.endpoint.session.close()
        self.assertEqual(self.endpoint.log, [("closed", "forced close")])
        self.endpoint.session.send("too late")
        self.assertEqual(self.endpoint.post(self.uri, b"4ignored").text, "ok")
        self.assertEqual(self.endpoint.get(self.uri).text, "4bye")
        self.assertEqual(self.endpoint.get(self.uri).text, "1")
        self.assertEqual(self.endpoint.get(self.uri).status, 400)
        self.assertEqual(self.endpoint.log, [("closed", "forced close")])

    def test_client_does_not_come_back(self) -> None:
        """The session is forgotten 30 s after it was closed."""
        self.endpoint.session.close()
        self.endpoint.clock.advance(29)
        self.assertEqual(len(self.endpoint.engine.sessions), 1)
        self.endpoint.clock.advance(1)
        self.assertEqual(len(self.endpoint.engine.sessions), 0)
        self.assertEqual(self.endpoint.clock.getDelayedCalls(), [])

    def test_heartbeat(self) -> None:
        """A ping at 25 s; no answer until 45 s ends the session and its GET."""
        wire = self.endpoint.wire()
        wire.get(self.uri)
        self.endpoint.clock.advance(25)
        self.endpoint.turn()
        self.assertEqual(wire.answer().text, "2")
        self.assertEqual(self.endpoint.post(self.uri, b"3").text, "ok")
        wire.get(self.uri)
        self.endpoint.clock.advance(25)
        self.endpoint.turn()
        self.assertEqual(wire.answer().text, "2")
        wire.get(self.uri)
        self.endpoint.clock.advance(20)
        self.assertEqual(wire.answer().text, "1")
        self.assertEqual(self.endpoint.log, [("closed", "ping timeout")])

    def test_stop(self) -> None:
        """A stopping server tells every client, and takes no new one."""
        wire = self.endpoint.wire()
        wire.get(self.uri)
        self.endpoint.engine.stop()
        self.assertEqual(wire.answer().text, "1")
        self.assertEqual(self.endpoint.log, [("closed", "server shutting down")])
        self.assertEqual(self.endpoint.get().status, 503)


class PauseTests(SynchronousTestCase):
    def test_post_is_answered_after_resume(self) -> None:
        """While reading is paused the client is not told to send more."""
        endpoint = Endpoint()
        uri = endpoint.open_polling()
        endpoint.session.pause()
        wire = endpoint.wire()
        self.assertIsNone(wire.post(uri, b"4a"))
        self.assertEqual(endpoint.log, ["a"])
        endpoint.session.resume()
        self.assertEqual(wire.answer().text, "ok")

    def test_pipelined_post_after_resume(self) -> None:
        """The POST before it is over when it is answered: they are not two at once."""
        endpoint = Endpoint()
        uri = endpoint.open_polling()
        endpoint.session.pause()
        wire = endpoint.wire()
        post = http_request("POST", uri, body=b"4a")
        wire.send(post + post)
        endpoint.session.resume()
        self.assertEqual(wire.read().count(b"200 OK"), 2)
        self.assertEqual(endpoint.log, ["a", "a"])

    def test_heartbeat_rests(self) -> None:
        """A client whose answers are not read cannot be late with them."""
        endpoint = Endpoint()
        endpoint.open_polling()
        endpoint.session.pause()
        endpoint.clock.advance(1000)
        self.assertEqual(endpoint.log, [])
        endpoint.session.resume()
        endpoint.clock.advance(25)
        endpoint.clock.advance(20)
        self.assertEqual(endpoint.log, [("closed", "ping timeout")])

    def test_client_leaves_meanwhile(self) -> None:
        """A POST whose client is gone is not answered: that would raise."""
        endpoint = Endpoint()
        uri = endpoint.open_polling()
        endpoint.session.pause()
        wire = endpoint.wire()
        wire.post(uri, b"4a")
        wire.hang_up()
        endpoint.session.resume()
        self.assertEqual(endpoint.log, ["a"])
