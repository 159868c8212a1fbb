"""What an application may say: who is let in, ids, headers, the cookie, refusals."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mojo.engineio.response_headers import EngineCookie
from mojo.errors import ConnectionRefused, EngineErrorCode
from mojo.testing.frames import TEXT, WebSocketWire, client_frame
from tests.engineio.endpoint import POLLING, WEBSOCKET, Endpoint


class AllowRequestTests(SynchronousTestCase):
    def test_facts(self) -> None:
        """The hook sees the handshake, before there is a session."""
        seen: list = []
        endpoint = Endpoint(allow_request=seen.append)
        endpoint.get(POLLING + "&token=t", Cookie="a=b")
        (handshake,) = seen
        self.assertIs(handshake, endpoint.session.handshake)
        self.assertEqual(handshake.get_query("token"), "t")

    def test_refusal(self) -> None:
        """Code 4 with status 403, and the hook's message if it gives one."""

        def refuse(handshake):
            raise ConnectionRefused("come back later")

        async def refuse_later(handshake):
            raise ConnectionRefused("come back later")

        for hook, message in (
            (lambda handshake: False, "Forbidden"),
            (refuse, "come back later"),
            (refuse_later, "come back later"),
        ):
            endpoint = Endpoint(allow_request=hook)
            response = endpoint.get()
            self.assertEqual(response.status, 403)
            self.assertEqual(response.json, {"code": 4, "message": message})
            self.assertEqual(WebSocketWire(endpoint.site, WEBSOCKET).status, 403)
            self.assertEqual(endpoint.engine.sessions, {})

    def test_failure(self) -> None:
        """A hook that fails lets nobody in."""
        endpoint = Endpoint(allow_request=lambda handshake: 1 / 0)
        response = endpoint.get()
        self.assertEqual((response.status, response.json["code"]), (403, 4))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_only_handshakes(self) -> None:
        calls: list = []
        endpoint = Endpoint(allow_request=calls.append)
        uri = endpoint.open_polling()
        endpoint.post(uri, b"4a")
        endpoint.open_websocket(uri.replace("polling", "websocket"))
        self.assertEqual(len(calls), 1)

    def test_later(self) -> None:
        """The answer waits for the hook, by either transport."""
        decisions: list = []

        def decide(handshake):
            decisions.append(Deferred())
            return decisions[-1]

        endpoint = Endpoint(allow_request=decide)
        wire = endpoint.wire()
        self.assertIsNone(wire.get(POLLING))
        self.assertEqual(endpoint.engine.sessions, {})
        decisions.pop().callback(True)
        self.assertTrue(wire.answer().text.startswith("0{"))
        socket = WebSocketWire(endpoint.site, WEBSOCKET)
        self.assertIsNone(socket.status)
        decisions.pop().callback(None)
        self.assertTrue(socket.wire.read().startswith(b"HTTP/1.1 101 "))
        socket.send("4a")
        self.assertEqual(endpoint.log, ["a"])

    def test_frames_meanwhile(self) -> None:
        """What a client sends before it is answered is not lost, nor read too soon."""
        decision: Deferred = Deferred()
        endpoint = Endpoint(allow_request=lambda handshake: decision)
        socket = WebSocketWire(endpoint.site, WEBSOCKET, rest=client_frame(TEXT, b"4a"))
        socket.send("4b")
        self.assertEqual(endpoint.log, [])
        decision.callback(None)
        self.assertEqual(endpoint.log, ["a", "b"])
        socket.send("4c")
        self.assertEqual(endpoint.log, ["a", "b", "c"])

    def test_client_leaves_meanwhile(self) -> None:
        """Nobody is left to open a session for, or to refuse."""
        for result in (None, False):
            for uri in (POLLING, WEBSOCKET):
                decision: Deferred = Deferred()
                endpoint = Endpoint(allow_request=lambda handshake, d=decision: d)
                if uri == POLLING:
                    wire = endpoint.wire()
                    wire.get(uri)
                else:
                    wire = WebSocketWire(endpoint.site, uri).wire
                wire.hang_up()
                decision.callback(result)
                self.assertEqual(endpoint.engine.sessions, {})
                self.assertEqual(wire.read(), b"")


class GenerateIdTests(SynchronousTestCase):
    def test_id(self) -> None:
        async def later(handshake):
            return f"user-{handshake.get_query('user')}"

        endpoint = Endpoint(generate_id=later)
        self.assertIn('"sid":"user-ada"', endpoint.get(POLLING + "&user=ada").text)

    def test_prefix(self) -> None:
        """Ids begin with the name of their node, by both transports; the app's own do not."""
        endpoint = Endpoint(sid_prefix="node-a.")
        self.assertIn('"sid":"node-a.eid1"', endpoint.get(POLLING).text)
        endpoint.open_websocket(WEBSOCKET)
        self.assertEqual(endpoint.session.eid, "node-a.eid2")
        self.assertEqual(endpoint.post(f"{POLLING}&sid=node-a.eid1", b"4a").text, "ok")
        own = Endpoint(sid_prefix="a.", generate_id=lambda handshake: "own")
        self.assertIn('"sid":"own"', own.get(POLLING).text)
        own = Endpoint(generated_prefix="0.1-", generate_id=lambda handshake: "own")
        self.assertIn('"sid":"0.1-own"', own.get(POLLING).text)

    def test_taken(self) -> None:
        """Code 3; whoever has the id keeps it, and their session."""
        endpoint = Endpoint(generate_id=lambda handshake: "same")
        uri = endpoint.open_polling()
        response = endpoint.get()
        self.assertEqual((response.status, response.json["code"]), (400, 3))
        self.assertEqual(endpoint.post(uri, b"4a").text, "ok")
        self.assertEqual(endpoint.log, ["a"])

    def test_no_id(self) -> None:
        """Code 3 for what cannot stand in a URL and a cookie."""
        for value in (None, 5, "", "a b", "a;b", "a\r\nb", "ä", "x" * 201):
            endpoint = Endpoint(generate_id=lambda handshake, value=value: value)
            response = endpoint.get()
            self.assertEqual((response.status, response.json["code"]), (400, 3), value)
            self.assertEqual(endpoint.engine.sessions, {})

    def test_failure(self) -> None:
        endpoint = Endpoint(generate_id=lambda handshake: 1 / 0)
        response = endpoint.get()
        self.assertEqual((response.status, response.json["code"]), (400, 3))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class CookieTests(SynchronousTestCase):
    def test_off(self) -> None:
        self.assertIsNone(Endpoint().get().header("set-cookie"))

    def test_name(self) -> None:
        endpoint = Endpoint(cookie="io")
        expected = "io=eid1; Path=/; HttpOnly; SameSite=lax".replace("lax", "Lax")
        self.assertEqual(endpoint.get().header("set-cookie"), expected)
        socket = WebSocketWire(endpoint.site, WEBSOCKET)
        self.assertIn(b"set-cookie: io=eid2; Path=/; HttpOnly; SameSite=Lax", socket.head)

    def test_only_with_the_handshake(self) -> None:
        endpoint = Endpoint(cookie="io")
        uri = endpoint.open_polling()
        self.assertIsNone(endpoint.post(uri, b"4a").header("set-cookie"))
        socket = endpoint.open_websocket(uri.replace("polling", "websocket"))
        self.assertNotIn(b"set-cookie", socket.head.lower())

    def test_attributes(self) -> None:
        endpoint = Endpoint(
            cookie={
                "name": "lb",
                "path": "/chat",
                "http_only": False,
                "same_site": "strict",
                "secure": True,
                "max_age": 60,
                "domain": "example.com",
            }
        )
        self.assertEqual(
            endpoint.get().header("set-cookie"),
            "lb=eid1; Path=/chat; Domain=example.com; Max-Age=60; Secure; SameSite=Strict",
        )

    def test_secure(self) -> None:
        """By default where the client came by https."""
        endpoint = Endpoint(cookie="io")
        response = endpoint.wire(secure=True).get(POLLING)
        self.assertIn("; Secure;", response.header("set-cookie"))

    def test_injection(self) -> None:
        for attributes in (
            {"path": "/;x"},
            {"domain": "a\r\nb"},
            {"same_site": "lax; x"},
            {"name": "a=b"},
            {"name": ""},
        ):
            self.assertRaises(ValueError, EngineCookie, **attributes)


class HeadersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.seen: list = []

        def initial(headers, facts) -> None:
            self.seen.append("initial")
            headers["X-First"] = "1"
            headers["Set-Cookie"] = ["a=1", "b=2"]

        def every(headers, facts) -> None:
            self.seen.append(facts.get_query("transport"))
            headers["X-Every"] = "2"
            headers["Cache-Control"] = "no-cache"

        self.endpoint = Endpoint(cookie="io", initial_headers=initial, headers=every)

    def test_polling(self) -> None:
        response = self.endpoint.get()
        self.assertEqual(response.header("x-first"), "1")
        self.assertEqual(response.header("x-every"), "2")
        self.assertEqual(response.headers["cache-control"], ["no-cache"])
        self.assertEqual(len(response.headers["set-cookie"]), 3)
        uri = f"{POLLING}&sid={self.endpoint.session.eid}"
        response = self.endpoint.post(uri, b"4a")
        self.assertIsNone(response.header("x-first"))
        self.assertEqual(response.header("x-every"), "2")
        self.assertEqual(self.seen, ["initial", "polling", "polling"])

    def test_websocket(self) -> None:
        head = WebSocketWire(self.endpoint.site, WEBSOCKET).head.lower()
        for line in (b"x-first: 1", b"x-every: 2", b"set-cookie: a=1", b"set-cookie: b=2"):
            self.assertIn(line, head)

    def test_upgrade(self) -> None:
        uri = self.endpoint.open_polling()
        socket = self.endpoint.open_websocket(uri.replace("polling", "websocket"))
        self.assertIn(b"x-every: 2", socket.head.lower())
        self.assertNotIn(b"x-first", socket.head.lower())

    def test_what_cannot_be_set(self) -> None:
        """It is left out, on both transports; the response is whole."""
        import mojo.engineio.response_headers as module

        logged: list = []
        self.patch(module._log, "error", lambda text, **fields: logged.append(fields["name"]))

        def bad(headers, facts) -> None:
            headers["X-Good"] = "1"
            headers["X-Split"] = "a\r\nSet-Cookie: stolen=1"
            headers["X-Number"] = 5
            headers["X-Letter"] = "ä"
            headers["X Name"] = "a"
            headers["Content-Length"] = "0"
            headers["Sec-WebSocket-Accept"] = "x"

        endpoint = Endpoint(headers=bad)
        response = endpoint.get()
        self.assertTrue(response.text.startswith("0{"))
        self.assertEqual(response.header("x-good"), "1")
        self.assertNotIn(b"stolen", response.raw)
        head = endpoint.open_websocket().head
        self.assertIn(b"x-good: 1", head)
        self.assertNotIn(b"stolen", head)
        self.assertEqual(len(logged), 12)

    def test_failure(self) -> None:
        endpoint = Endpoint(initial_headers=lambda headers, facts: 1 / 0)
        self.assertEqual(endpoint.get().status, 200)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ConnectionErrorTests(SynchronousTestCase):
    def test_told(self) -> None:
        """Of each refusal, with its code; without facts if there are none."""
        seen: list = []
        endpoint = Endpoint(connection_error=lambda error, facts: seen.append((error, facts)))
        endpoint.get("/engine.io/?EIO=4")
        endpoint.get(POLLING + "&sid=nobody", User_Agent="Test")
        endpoint.get("/engine.io/?EIO=4&transport=%ff")
        WebSocketWire(endpoint.site, WEBSOCKET, {"Sec-WebSocket-Version": "8"})
        codes = EngineErrorCode
        self.assertEqual(
            [error.code for error, _ in seen],
            [codes.UNKNOWN_TRANSPORT, codes.UNKNOWN_SID, codes.BAD_REQUEST, codes.BAD_REQUEST],
        )
        self.assertEqual(seen[1][1].headers["user-agent"], ("Test",))
        self.assertIsNone(seen[2][1])

    def test_failure(self) -> None:
        endpoint = Endpoint(connection_error=lambda error, facts: 1 / 0)
        self.assertEqual(endpoint.get("/engine.io/").status, 400)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class InitialPacketTests(SynchronousTestCase):
    def test_with_the_handshake(self) -> None:
        """In the handshake's own response, so that nobody asks again for it."""
        text = Endpoint(initial_packet="welcome").get().text
        self.assertTrue(text.startswith("0{"))
        self.assertTrue(text.endswith("\x1e4welcome"))
        socket = WebSocketWire(Endpoint(initial_packet=b"\x01").site, WEBSOCKET)
        self.assertEqual(socket.messages()[1], b"\x01")
