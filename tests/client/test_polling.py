"""Long-polling and the upgrade, request by request, and what servers may do to them."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from tests.client.scripted import open_packet
from tests.client.test_strictness import ScriptTestCase

SID = "sid=lv_VI97HAXpY6yYWAAAC"
URI = f"/socket.io/?EIO=4&transport=polling&{SID}"


class PollingTestCase(ScriptTestCase):
    options = {"transports": ("polling",)}  # noqa: RUF012

    def open(self, *more: str, **changes) -> None:
        """Answer the first GET; what waits then is the next, and the POST of CONNECT."""
        self.script.settle()
        line, _, _ = self.script.server.request()
        self.assertEqual(line, "GET /socket.io/?EIO=4&transport=polling")
        self.script.server.respond("\x1e".join([open_packet(**changes), *more]))
        self.script.settle()

    def servers(self, method: str) -> list:
        """The connections on which a request of a kind waits for its answer."""
        return [s for s in self.script.servers if s.unread.startswith(method.encode())]

    def get(self):
        """Take the GET that waits; give its connection."""
        (server,) = self.servers("GET")
        line, _, _ = server.request()
        self.assertEqual(line, f"GET {URI}")
        return server

    def post(self):
        """Take the POST that waits; give its connection and its body."""
        (server,) = self.servers("POST")
        line, headers, body = server.request()
        self.assertEqual(line, f"POST {URI}")
        self.assertEqual(headers["content-type"], "text/plain;charset=UTF-8")
        return server, body.decode()

    def respond(self, server, *args) -> None:
        server.respond(*args)
        self.script.settle()

    def join(self, **changes):
        """Be let in; give the connection on which the GET waits."""
        self.open(**changes)
        get = self.get()
        server, body = self.post()
        self.assertEqual(body, "40{}")
        self.respond(server, "ok")
        self.respond(get, '40{"sid":"cid1"}')
        self.heard.take()
        return self.get()


class PollingTests(PollingTestCase):
    def test_exchange(self) -> None:
        """Several packets in one response, binary ones in base64, and the next GET after it."""
        get = self.join()
        self.respond(
            get, '42["news",1]\x1e451-["news",{"_placeholder":true,"num":0}]\x1ebAQI=\x1e6'
        )
        self.assertEqual(self.heard.take(), [("news", 1), ("news", b"\x01\x02")])
        self.get()

    def test_one_post_at_a_time(self) -> None:
        """What is emitted meanwhile goes with the next, all in one."""
        self.join()
        self.socket.emit("a", b"\x01")
        self.script.settle()
        self.socket.emit("b")
        self.socket.emit("c")
        self.script.settle()
        server, body = self.post()
        self.assertEqual(body, '451-["a",{"_placeholder":true,"num":0}]\x1ebAQ==')
        self.assertEqual(self.servers("POST"), [])
        self.respond(server, "ok")
        self.assertEqual(self.post()[1], '42["b"]\x1e42["c"]')

    def test_two_connections(self) -> None:
        """They are kept and used again."""
        get = self.join()
        for number in range(10):
            self.socket.emit("a", number)
            self.script.settle()
            self.respond(self.post()[0], "ok")
            self.respond(get, "6")
            get = self.get()
        self.assertEqual(len(self.script.servers), 2)

    def test_max_payload(self) -> None:
        """A POST is no longer than the server takes."""
        self.join(maxPayload=60)
        for number in range(3):
            self.socket.emit("x" * 20, number)
        self.script.settle()
        server, body = self.post()
        self.assertEqual(body.count("\x1e"), 1)
        self.respond(server, "ok")
        self.assertEqual(self.post()[1].count("\x1e"), 0)

    def test_at_most_16_packets(self) -> None:
        """More of them python-engineio refuses."""
        self.join()
        for number in range(20):
            self.socket.emit("a", number)
        self.script.settle()
        server, body = self.post()
        self.assertEqual(len(body.split("\x1e")), 16)
        self.respond(server, "ok")
        self.assertEqual(len(self.post()[1].split("\x1e")), 4)

    def test_ping(self) -> None:
        get = self.join()
        self.respond(get, "2")
        self.assertEqual(self.post()[1], "3")

    def test_cookies(self) -> None:
        """Those that the server sets come back, as a load balancer needs it."""
        self.start(cookies={"own": "1"})
        self.script.settle()
        _, headers, _ = self.script.server.request()
        self.assertEqual(headers["cookie"], "own=1")
        self.script.server.respond(open_packet(), 200, "Set-Cookie: io=node2; Path=/; HttpOnly")
        self.script.settle()
        (server,) = self.servers("GET")
        self.assertEqual(server.request()[1]["cookie"], "own=1; io=node2")

    def test_headers(self) -> None:
        self.start(extra_headers={"X-Token": "t", "User-Agent": "Me"}, query={"room": "a b"})
        self.script.settle()
        line, headers, _ = self.script.server.request()
        self.assertEqual(line, "GET /socket.io/?room=a+b&EIO=4&transport=polling")
        self.assertEqual((headers["x-token"], headers["user-agent"]), ("t", "Me"))

    def test_disconnecting(self) -> None:
        """What was sent and DISCONNECT, then a close packet, then nothing is left."""
        self.join()
        self.socket.emit("x")
        gone = self.socket.disconnect()
        self.script.settle()
        server, body = self.post()
        self.assertEqual(body, '42["x"]\x1e41')
        self.respond(server, "ok")
        server, body = self.post()
        self.assertEqual(body, "1")
        self.assertNoResult(gone)
        self.respond(server, "ok")
        self.successResultOf(gone)
        self.assertEqual(self.script.network.open_links, [])
        self.assertEqual(self.script.clock.getDelayedCalls(), [])

    def test_disconnecting_from_a_silent_server(self) -> None:
        """It is waited for, for ``close_timeout`` seconds."""
        self.join()
        self.socket.emit("x")
        self.script.settle()
        gone = self.socket.disconnect()
        self.script.advance(4.5)
        self.assertNoResult(gone)
        self.script.advance(0.5)
        self.successResultOf(gone)
        self.assertEqual(self.script.network.open_links, [])
        self.assertEqual(self.script.clock.getDelayedCalls(), [])

    def test_close_packet(self) -> None:
        get = self.join()
        self.respond(get, '42["news",1]\x1e1\x1e42["news",2]')
        self.assertEqual(self.heard.take(), [("news", 1), ("disconnect", "transport close")])

    def test_errors(self) -> None:
        """A status that is none of success ends the connection; the message is told."""
        get = self.join()
        self.respond(get, '{"code":1,"message":"Session ID unknown"}', 400)
        self.assertEqual(self.heard.take(), [("disconnect", "transport error")])
        self.script.advance(1)
        self.script.server.respond('{"code":4,"message":"Forbidden"}', 403)
        self.script.settle()
        self.assertEqual(self.errors(), ["the server answered 403: Forbidden"])
        self.script.advance(2)
        self.script.server.respond("<html>", 502)
        self.script.settle()
        self.assertEqual(self.errors(), ["the server answered 502"])

    def test_a_get_is_not_sent_again(self) -> None:
        """Where its connection broke, packets may have been lost: a new connection is made."""
        get = self.join()
        for link in self.script.network.links:
            if link.server.protocol is get:
                link.cut()
        self.script.settle()
        self.assertEqual(self.servers("GET"), [])
        self.assertEqual(self.heard.take(), [("disconnect", "transport error")])

    def test_bad_payloads(self) -> None:
        """Packets before the bad one count; the server is told of the end."""
        for payload in (b'42["news",1]\x1ex', b'42["news",1]\x1eb*', b""):
            self.start()
            get = self.join()
            self.respond(get, payload)
            heard = self.heard.take()
            self.assertEqual(heard[-1], ("disconnect", "parse error"))
            self.assertEqual(heard[:-1], [("news", 1)] if payload else [])
            self.assertEqual(self.post()[1], "1")

    def test_not_utf8(self) -> None:
        get = self.join()
        self.respond(get, b"\xff")
        self.assertEqual(self.heard.take(), [("disconnect", "parse error")])

    def test_too_long(self) -> None:
        """A response longer than ``max_payload`` is not gathered."""
        self.start(max_payload=1000)
        get = self.join()
        get.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 1001)
        self.script.settle()
        self.assertEqual(self.heard.take(), [("disconnect", "parse error")])
        self.assertIsNotNone(get.lost)

    def test_a_response_that_breaks_off(self) -> None:
        get = self.join()
        get.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + b'42["news"]')
        self.script.settle()
        get.connectionLost(Failure(ConnectionLost()))
        get.transport.abortConnection()
        self.script.settle()
        self.assertEqual(self.heard.take(), [("disconnect", "transport error")])

    def test_back_pressure(self) -> None:
        """While events pile up no GET is sent."""
        self.start(max_queued_events=1)

        get = self.join()
        gate: Deferred = Deferred()
        self.socket.on("slow", lambda: gate)
        self.respond(get, '42["slow"]\x1e42["slow"]')
        self.assertEqual(self.servers("GET"), [])
        gate.callback(None)
        self.script.settle()
        self.get()


class UpgradeTests(PollingTestCase):
    options = {"transports": ("polling", "websocket")}  # noqa: RUF012

    def websocket(self):
        """Accept the WebSocket that was opened beside the requests."""
        (server,) = [s for s in self.servers("GET") if b"transport=websocket" in s.unread[:99]]
        line, _ = server.accept()
        self.assertEqual(line, f"GET /socket.io/?EIO=4&transport=websocket&{SID}")
        self.script.settle()
        return server

    def let_in(self) -> None:
        """Answer the CONNECT, which goes by long-polling still."""
        get = self.get()
        self.respond(self.post()[0], "ok")
        self.respond(get, '40{"sid":"cid1"}')
        self.heard.take()

    def probing(self):
        """Open, and accept the WebSocket; give it."""
        self.open()
        socket = self.websocket()
        self.assertEqual(socket.heard(), ["2probe"])
        self.let_in()
        return socket

    def probed(self):
        """Answer the probe too; give the WebSocket and the GET that waits."""
        socket = self.probing()
        get = self.get()
        socket.say("3probe")
        self.script.settle()
        return socket, get

    def test_upgrade(self) -> None:
        """The GET ends, ``5``, and what was emitted meanwhile, in order."""
        socket, get = self.probed()
        self.socket.emit("a")
        self.script.settle()
        self.assertEqual(self.servers("POST"), [])
        self.assertEqual(socket.heard(), [])
        self.respond(get, '42["news",1]\x1e6')
        self.assertEqual(socket.heard(), ["5", '42["a"]'])
        socket.say('42["news",2]')
        self.script.settle()
        self.assertEqual(self.heard.take(), [("news", 1), ("news", 2)])
        self.assertEqual(len(self.script.network.open_links), 1)

    def test_a_post_is_waited_for(self) -> None:
        """What is under way arrives before what comes by WebSocket."""
        self.open()
        socket = self.websocket()
        socket.say("3probe")
        self.script.settle()
        get = self.get()
        post, _ = self.post()
        self.respond(get, "6")
        self.assertEqual(socket.heard(), ["2probe"])
        self.respond(post, "ok")
        self.assertEqual(socket.heard(), ["5"])

    def failed(self, socket) -> None:
        """The WebSocket is gone, and long-polling goes on."""
        self.script.settle()
        self.assertIsNotNone(socket.lost)
        self.assertEqual(self.script.manager.engine.transport.name, "polling")
        self.assertEqual([name for name, *_ in self.heard.take()], [])
        self.socket.emit("a")
        self.script.settle()
        self.assertIn("a", self.post()[1])

    def test_wrong_answer(self) -> None:
        for answer in ("3", "4x", "6", "x"):
            self.start()
            socket = self.probing()
            socket.say(answer)
            self.failed(socket)

    def test_refused(self) -> None:
        """A proxy that knows no WebSocket."""
        self.open()
        (socket,) = [s for s in self.servers("GET") if b"transport=websocket" in s.unread[:99]]
        socket.request()
        self.let_in()
        socket.respond("no", 400)
        self.failed(socket)

    def test_silence(self) -> None:
        """After ``timeout`` seconds it is given up."""
        socket = self.probing()
        self.script.advance(19.5)
        self.assertIsNone(socket.lost)
        self.script.advance(0.5)
        self.failed(socket)

    def test_lost_at_the_last_moment(self) -> None:
        """The WebSocket breaks while the requests come to rest: they begin again."""
        socket, get = self.probed()
        socket.transport.abortConnection()
        self.script.settle()
        self.failed(socket)
        self.respond(get, "6")
        self.get()

    def test_disconnect_meanwhile(self) -> None:
        """The WebSocket is closed, and the farewell goes by POST."""
        socket, _ = self.probed()
        self.socket.disconnect()
        self.script.settle()
        self.assertIsNotNone(socket.lost)
        server, body = self.post()
        self.assertEqual(body, "41")
        self.respond(server, "ok")
        self.respond(self.post()[0], "ok")
        self.assertEqual(self.script.network.open_links, [])
        self.assertEqual(self.script.clock.getDelayedCalls(), [])

    def test_not_wanted(self) -> None:
        """Neither by the client, nor by the server, nor where there is only one transport."""
        for options, upgrades in (
            ({"upgrade": False}, ["websocket"]),
            ({}, []),
            ({"transports": ("polling",)}, ["websocket"]),
        ):
            self.start(**options)
            self.open(upgrades=upgrades)
            self.assertFalse(any(b"websocket" in server.unread for server in self.script.servers))
