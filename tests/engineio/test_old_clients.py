"""Engine.IO 3 through a real Site: who is let in, both transports, the client's heartbeat."""

import json

from twisted.trial.unittest import SynchronousTestCase

from mojo.testing.frames import CLOSE, TEXT, WebSocketWire, client_frame
from tests.engineio.endpoint import POLLING, WEBSOCKET, Endpoint

POLLING_3 = "/engine.io/?EIO=3&transport=polling"
WEBSOCKET_3 = "/engine.io/?EIO=3&transport=websocket"


class OldTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint = Endpoint(allow_eio3=True)

    def open_polling(self, more: str = "") -> str:
        text = self.endpoint.get(POLLING_3 + more).text
        length, _, packet = text.partition(":")
        self.assertEqual(int(length), len(packet))
        return f"{POLLING_3}&sid={json.loads(packet[1:])['sid']}"


class AdmissionTests(OldTestCase):
    def test_off(self) -> None:
        """Code 5, and the log names the option, once."""
        endpoint = Endpoint()
        logged: list = []
        import mojo.engineio.resource as resource

        self.patch(resource._log, "info", lambda text, **fields: logged.append(fields["error"]))
        for uri in (POLLING_3, "/engine.io/?transport=polling", POLLING_3):
            response = endpoint.get(uri)
            self.assertEqual(
                (response.status, response.json),
                (400, {"code": 5, "message": "Unsupported protocol version"}),
            )
        self.assertEqual(WebSocketWire(endpoint.site, WEBSOCKET_3).status, 400)
        self.assertEqual(["allow_eio3" in error for error in logged], [True, False, False, False])

    def test_missing_version(self) -> None:
        """The first clients of version 3 did not name it."""
        response = self.endpoint.get("/engine.io/?transport=polling")
        self.assertTrue(response.text.startswith("102:0{"), response.text)

    def test_no_version_at_all(self) -> None:
        for version in ("5", "abc", "", "3&EIO=4"):
            response = self.endpoint.get(f"/engine.io/?EIO={version}&transport=polling")
            self.assertEqual(response.status, 400, version)
        self.assertEqual(self.endpoint.engine.sessions, {})

    def test_version_4_beside_it(self) -> None:
        self.assertTrue(self.endpoint.get(POLLING).text.startswith("0{"))

    def test_two_versions_in_one_session(self) -> None:
        """The later request is refused; the session goes on."""
        old, new = self.open_polling(), self.endpoint.open_polling()
        self.assertEqual(self.endpoint.get(old.replace("EIO=3", "EIO=4")).status, 400)
        self.assertEqual(self.endpoint.post(new.replace("EIO=4", "EIO=3"), b"2:4a").status, 400)
        self.assertEqual(self.endpoint.post(old, b"2:4a").text, "ok")
        self.assertEqual(self.endpoint.log, ["a"])


class PollingTests(OldTestCase):
    def test_exchange(self) -> None:
        uri = self.open_polling()
        self.assertEqual(self.endpoint.post(uri, "6:4hello3:4😀".encode()).text, "ok")
        self.assertEqual(self.endpoint.log, ["hello", "😀"])
        self.endpoint.session.send("€")
        self.endpoint.session.send("b")
        self.endpoint.turn()
        response = self.endpoint.get(uri)
        self.assertEqual(response.text, "2:4€2:4b")
        self.assertEqual(response.header("content-type"), "text/plain; charset=UTF-8")

    def test_binary(self) -> None:
        uri = self.open_polling()
        body = b"\x01\x03\xff\x04\x01\x02"
        response = self.endpoint.post(uri, body, Content_Type="application/octet-stream")
        self.assertEqual(response.text, "ok")
        self.assertEqual(self.endpoint.log, [b"\x01\x02"])
        self.endpoint.session.send(b"\x01\x02")
        self.endpoint.turn()
        response = self.endpoint.get(uri)
        self.assertEqual(response.body, body)
        self.assertEqual(response.header("content-type"), "application/octet-stream")

    def test_b64(self) -> None:
        """A client that cannot take bytes says so when it comes."""
        uri = self.open_polling("&b64=1")
        self.endpoint.session.send(b"\x01\x02\x03\x04")
        self.endpoint.turn()
        self.assertEqual(self.endpoint.get(uri).text, "10:b4AQIDBA==")

    def test_broken_payload(self) -> None:
        uri = self.open_polling()
        self.assertEqual(self.endpoint.post(uri, b"abc").status, 400)
        self.assertEqual(self.endpoint.log, [("closed", "parse error")])
        self.assertEqual(self.endpoint.get(uri).json["code"], 1)

    def test_octet_stream_of_version_4(self) -> None:
        """Still answered 400, and the session is closed (CVE-2026-59725)."""
        uri = self.endpoint.open_polling()
        response = self.endpoint.post(uri, b"4a", Content_Type="application/octet-stream")
        self.assertEqual(response.status, 400)
        self.assertEqual(self.endpoint.log, [("closed", "parse error")])

    def test_close(self) -> None:
        """The client's close lets its GET go with a noop; the server's is a close packet."""
        uri = self.open_polling()
        wire = self.endpoint.wire()
        wire.get(uri)
        self.assertEqual(self.endpoint.post(uri, b"1:1").text, "ok")
        self.assertEqual(wire.answer().text, "1:6")
        uri = self.open_polling()
        wire.get(uri)
        self.endpoint.session.close()
        self.assertEqual(wire.answer().text, "1:1")


class WebSocketTests(OldTestCase):
    def test_exchange(self) -> None:
        """A binary frame begins with the type, both ways."""
        socket = self.endpoint.open_websocket(WEBSOCKET_3)
        socket.send("4€")
        socket.send(b"\x04\x01\x02")
        self.assertEqual(self.endpoint.log, ["€", b"\x01\x02"])
        self.endpoint.session.send("back")
        self.endpoint.session.send(b"\x03")
        self.endpoint.turn()
        self.assertEqual(socket.messages(), ["4back", b"\x04\x03"])

    def test_one_packet_for_both_versions(self) -> None:
        """Neither version is sent the other's bytes."""
        old = self.endpoint.open_websocket(WEBSOCKET_3)
        new = self.endpoint.open_websocket(WEBSOCKET)
        from mojo.engineio.packet import message

        packets = [message(b"\x01"), message("a")]
        for application in self.endpoint.applications:
            application.session.send_packets(packets)
        self.endpoint.turn()
        self.assertEqual(old.messages(), [b"\x04\x01", "4a"])
        self.assertEqual(new.messages(), [b"\x01", "4a"])

    def test_b64(self) -> None:
        socket = self.endpoint.open_websocket(WEBSOCKET_3 + "&b64=1")
        socket.send("b4AQIDBA==")
        self.assertEqual(self.endpoint.log, [b"\x01\x02\x03\x04"])
        self.endpoint.session.send(b"\x01\x02\x03\x04")
        self.endpoint.turn()
        self.assertEqual(socket.messages(), ["b4AQIDBA=="])

    def test_broken_frame(self) -> None:
        socket = self.endpoint.open_websocket(WEBSOCKET_3)
        socket.send(b"\x02")
        self.assertEqual([f.opcode for f in socket.frames()], [CLOSE])
        self.assertEqual(self.endpoint.log, [("closed", "parse error")])

    def test_upgrade(self) -> None:
        uri = self.open_polling()
        poll = self.endpoint.wire()
        poll.get(uri)
        socket = self.endpoint.open_websocket(uri.replace("polling", "websocket"))
        socket.send("2probe")
        self.assertEqual(socket.messages(), ["3probe"])
        self.assertEqual(poll.answer().text, "1:6")
        socket.send_raw(client_frame(TEXT, b"5") + client_frame(TEXT, b"4a"))
        self.endpoint.session.send(b"\x01")
        self.endpoint.turn()
        self.assertEqual(self.endpoint.log, ["a"])
        self.assertEqual(socket.messages(), [b"\x04\x01"])


class HeartbeatTests(OldTestCase):
    def open_stalled(self, **options: object):
        """Open a WebSocket whose client reads nothing more; give its session."""
        self.endpoint = Endpoint(allow_eio3=True, **options)
        self.socket = self.endpoint.open_websocket(WEBSOCKET_3)
        self.socket.wire.transport.stalled = True
        return self.endpoint.session

    def test_client_pings(self) -> None:
        """A ping is answered, with what it brought, and renews 45 seconds of patience."""
        socket = self.endpoint.open_websocket(WEBSOCKET_3)
        for _ in range(3):
            self.endpoint.clock.advance(44)
            socket.send("2")
            self.endpoint.turn()
            self.assertEqual(socket.messages(), ["3"])
        socket.send("2x")
        self.endpoint.turn()
        self.assertEqual(socket.messages(), ["3x"])
        self.endpoint.clock.advance(44.9)
        self.assertEqual(self.endpoint.log, [])
        self.endpoint.clock.advance(0.1)
        self.assertEqual(self.endpoint.log, [("closed", "ping timeout")])

    def test_pong_passes(self) -> None:
        """The answer to a ping does not wait behind what the client has not taken."""
        session = self.open_stalled()
        session.send("x" * 500_000)
        session.send("y")
        self.endpoint.turn()
        self.socket.send("2")
        self.socket.wire.transport.catch_up()
        self.assertEqual([text[:2] for text in self.socket.messages()], ["4x", "3", "4y"])

    def test_pings_without_end(self) -> None:
        """A client that pings and does not read is closed for what waits, as any other."""
        session = self.open_stalled(max_buffered=200_000)
        session.send("x" * 150_000)
        self.endpoint.turn()
        self.assertEqual(self.endpoint.log, [])
        for _ in range(2000):
            self.socket.send("2")
        self.endpoint.turn()
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])

    def test_slow_client_lives(self) -> None:
        """While it takes something it may ping late: 45 s count from there."""
        session = self.open_stalled()
        for _ in range(4):
            session.send("x" * 500_000)
        self.endpoint.turn()
        for _ in range(5):
            self.endpoint.clock.advance(30)
            self.socket.wire.transport.take()
        self.assertEqual(self.endpoint.log, [])
        self.endpoint.clock.advance(45)
        self.assertEqual(self.endpoint.log, [("closed", "ping timeout")])

    def test_server_does_not_ping(self) -> None:
        socket = self.endpoint.open_websocket(WEBSOCKET_3)
        self.endpoint.clock.advance(40)
        self.endpoint.turn()
        self.assertEqual(socket.frames(), [])

    def test_messages_are_no_pings(self) -> None:
        socket = self.endpoint.open_websocket(WEBSOCKET_3)
        self.endpoint.clock.advance(44)
        socket.send("4a")
        self.endpoint.clock.advance(1)
        self.assertEqual(self.endpoint.log, ["a", ("closed", "ping timeout")])

    def test_wrong_direction(self) -> None:
        """In version 3 a client that answers pings is lost in the protocol."""
        socket = self.endpoint.open_websocket(WEBSOCKET_3)
        socket.send("3")
        self.assertEqual(self.endpoint.log, [("closed", "transport error")])

    def test_pause(self) -> None:
        """A client whose pings are not read cannot be late with them."""
        self.endpoint.open_websocket(WEBSOCKET_3)
        self.endpoint.session.pause()
        self.endpoint.clock.advance(1000)
        self.endpoint.session.resume()
        self.endpoint.clock.advance(44)
        self.assertEqual(self.endpoint.log, [])

    def test_nothing_is_left(self) -> None:
        self.endpoint.open_websocket(WEBSOCKET_3)
        self.endpoint.engine.stop()
        self.endpoint.engine.abort()
        self.endpoint.clock.advance(60)
        self.assertEqual(self.endpoint.clock.getDelayedCalls(), [])
