"""`mojo.workers.handover`: requests that come to the wrong worker are answered by the right one."""

from __future__ import annotations

import socket

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint

from mojo.testing.frames import TEXT, UPGRADE_HEADERS, client_frame, parse_frames
from mojo.workers import door
from tests.workers.world import POLLING, WorkersTestCase, open_files, request


class PlainTests(WorkersTestCase):
    async def test_get(self) -> None:
        """It waits where its session is, and gets what that is sent."""
        client = await self.connect(self.wrong)
        client.transport.write(request("POST", self.uri, b"4hello"))
        self.assertEqual((await client.response()).text, "ok")
        answer = await client.ask("GET", self.uri)
        self.assertEqual(answer.text, "4hello")

    async def test_stays(self) -> None:
        """The connection is the right worker's from then on, and nothing of it stays."""
        client = await self.connect(self.wrong)
        await client.ask("POST", self.uri, b"4hello")
        self.assertEqual(self.wrong.site.channels, set())
        self.assertEqual(self.wrong.handover.stats.handed_over, 1)
        self.assertEqual(self.right.handover.stats.taken, 1)
        (channel,) = self.right.site.channels
        self.assertEqual((await client.ask("GET", self.uri)).text, "4hello")
        self.assertEqual(self.right.site.channels, {channel})

    async def test_head_in_pieces(self) -> None:
        """It is handed over when its head is complete, however that comes."""
        data = request("POST", self.uri, b"4hello")
        for cut in (1, 5, len(data) - 20):
            client = await self.connect(self.wrong)
            client.transport.setTcpNoDelay(True)
            client.transport.write(data[:cut])
            # Another request of another connection: what was written before it was read by then.
            await (await self.connect(self.wrong)).ask("GET", "/nothing")
            self.assertEqual(len(self.wrong.site.channels), 2)
            client.transport.write(data[cut:])
            self.assertEqual((await client.response()).text, "ok", cut)
            for channel in tuple(self.wrong.site.channels):
                channel.forceAbortClient()

    async def test_body_to_come(self) -> None:
        """A body is taken in by the worker whose it is, and by no other."""
        client = await self.connect(self.wrong)
        data = request("POST", self.uri, b"4" + b"x" * 999_999)
        client.transport.write(data[:1000])
        await self.handed_over(client)
        client.transport.write(data[1000:])
        self.assertEqual((await client.response()).text, "ok")
        self.assertEqual(len((await client.ask("GET", self.uri)).text), 1_000_000)

    async def test_too_long(self) -> None:
        """A body beyond the limit is refused before it was sent."""
        client = await self.connect(self.wrong)
        client.transport.write(request("POST", self.uri, b"4" + b"x" * 1_000_000)[:1000])
        await client.expect(rb"HTTP/1\.1 413 ")

    async def test_expected(self) -> None:
        """Who waits before its body is told to go on once, by the right worker."""
        client = await self.connect(self.wrong)
        data = request("POST", self.uri, b"4hello", "Expect: 100-continue\r\n")
        client.transport.write(data[:-6])
        await client.expect(rb"HTTP/1\.1 100 Continue\r\n\r\n")
        self.assertEqual(self.wrong.site.channels, set())
        client.transport.write(data[-6:])
        await client.expect(rb"HTTP/1\.1 200 ")

    async def test_websocket(self) -> None:
        """A session moves to a WebSocket that came to another worker."""
        polling = await self.connect(self.right)
        client = await self.connect(self.wrong)
        uri = self.uri.replace("=polling", "=websocket")
        headers = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE_HEADERS.items())
        client.transport.write(request("GET", uri, headers=headers) + client_frame(TEXT, b"2probe"))
        await client.expect(rb"HTTP/1\.1 101 .*?\r\n\r\n")
        (frame,) = parse_frames((await client.expect(rb"\x81\x06......"))[0])
        self.assertEqual(frame.payload, b"3probe")
        self.assertEqual((await polling.ask("GET", self.uri)).text, "6")
        client.transport.write(client_frame(TEXT, b"5") + client_frame(TEXT, b"4hello"))
        await client.expect(rb"\x81\x064hello")
        self.assertEqual(self.right.sessions[0].transport.name, "websocket")

    async def test_after_an_answer(self) -> None:
        """What was sent ahead goes when the requests before it were answered, and in order."""
        client = await self.connect(self.wrong)
        get, slow = request("GET", self.uri), request("GET", "/slow")
        post = request("POST", self.uri, b"4hello")
        client.transport.write(slow + post + get)
        while not self.wrong.slow.asked:
            await self.turn()
        self.assertEqual(self.right.site.channels, set())
        page = self.wrong.slow.asked.pop()
        page.write(b"at last")
        page.finish()
        await client.expect(rb"HTTP/1\.1 200 OK.*?at last\r\n0\r\n\r\n")
        self.assertEqual((await client.response()).text, "ok")
        self.assertEqual((await client.response()).text, "4hello")

    async def test_ahead_of_a_plain_one(self) -> None:
        """The same where the request before it waits for packets."""
        uri = await self.open(self.wrong)
        client = await self.connect(self.wrong)
        client.transport.write(request("GET", uri))
        while not any(channel.plain for channel in self.wrong.site.channels):
            await self.turn()
        client.transport.write(request("POST", self.uri, b"4hello"))
        await (await self.connect(self.wrong)).ask("POST", uri, b"4first")
        self.assertEqual((await client.response()).text, "4first")
        self.assertEqual((await client.response()).text, "ok")
        self.assertEqual((await client.ask("GET", self.uri)).text, "4hello")

    async def test_to_and_fro(self) -> None:
        """A proxy's connection brings requests of many sessions, and goes wherever they are."""
        other = await self.open(self.wrong)
        client = await self.connect(self.wrong)
        for number in range(5):
            for uri in (self.uri, other):
                text = f"4{number}"
                self.assertEqual((await client.ask("POST", uri, text.encode())).text, "ok")
                self.assertEqual((await client.ask("GET", uri)).text, text)
        self.assertEqual(len(self.wrong.site.channels) + len(self.right.site.channels), 1)

    async def test_unix_socket(self) -> None:
        """A connection of a UNIX socket goes as one of TCP does."""
        path = str(self.folder / "front")
        port = reactor.listenUNIX(path, self.wrong.site)
        self.addCleanup(port.stopListening)
        client = await self.connect_to(UNIXClientEndpoint(reactor, path))
        await client.ask("POST", self.uri, b"4hello")
        self.assertEqual(self.wrong.site.channels, set())
        self.assertEqual((await client.ask("GET", self.uri)).text, "4hello")

    async def test_facts(self) -> None:
        """The session that is opened next on a connection has its client's address."""
        client = await self.connect(self.wrong)
        await client.ask("POST", self.uri, b"4hello")
        await client.ask("GET", POLLING)
        handshake = self.right.sessions[-1].handshake
        self.assertEqual((handshake.address, handshake.secure), ("127.0.0.1", False))
        (channel,) = self.right.site.channels
        self.assertEqual(channel.getPeer().port, client.transport.getHost().port)
        self.assertEqual(channel.getHost().port, self.wrong.port.getHost().port)

    async def test_client_leaves(self) -> None:
        """The right worker hears it, and no file stays open anywhere."""
        before = open_files()
        client = await self.connect(self.wrong)
        await client.ask("POST", self.uri, b"4hello")
        await self.leave(client)
        while self.right.site.channels:
            await self.turn()
        self.assertEqual(open_files(), before)


class NobodyTests(WorkersTestCase):
    """Requests that nobody else takes are answered where they came."""

    def assert_unknown(self, answer) -> None:
        self.assertEqual((answer.status, answer.json["code"]), (400, 1))

    async def test_gone(self) -> None:
        """The session of a worker that has ended is unknown; the connection serves others."""
        uri = await self.open(self.wrong)
        before = open_files()
        client = await self.connect(self.wrong)
        await self.right.handover.close()
        for method, body in (("GET", b""), ("POST", b"4hello")):
            answer = await client.ask(method, self.uri, body)
            # Without a session a POST could only be a handshake, which is a GET.
            self.assert_unknown(answer)
        self.assertEqual((await client.ask("POST", uri, b"4hello")).text, "ok")
        self.assertEqual(len(self.wrong.site.channels), 1)
        self.assertEqual(self.wrong.handover.stats.unreached, 2)
        await self.leave(client)
        while self.wrong.site.channels:
            await self.turn()
        self.assertEqual(open_files(), before - 1)  # the right worker's socket

    async def test_killed(self) -> None:
        """Nobody listens at the socket of a worker that was killed."""
        name = str(self.folder / "2.1")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(name)
        client = await self.connect(self.wrong)
        self.assert_unknown(await client.ask("GET", f"{POLLING}&sid=2.1-abc"))

    async def test_too_many_wait(self) -> None:
        """Nor is waited for a worker that takes nothing, as one that hangs."""
        with socket.socket(socket.AF_UNIX) as hanging, socket.socket(socket.AF_UNIX) as first:
            hanging.bind(str(self.folder / "2.1"))
            hanging.listen(0)
            first.connect(str(self.folder / "2.1"))
            client = await self.connect(self.wrong)
            self.assert_unknown(await client.ask("GET", f"{POLLING}&sid=2.1-abc"))

    async def test_does_not_take_it_all(self) -> None:
        """What does not go in one piece stays, and is answered as if nothing had been."""
        self.patch(door, "_ROOM", 1)
        client = await self.connect(self.wrong)
        data = request("POST", self.uri, b"4" + b"x" * 60_000)
        client.transport.write(data)
        self.assert_unknown(await client.response())
        self.assertEqual(self.right.site.channels, set())
        self.assertEqual((await client.ask("GET", "/nothing")).status, 404)

    async def test_answered_once(self) -> None:
        """Who is handed a request for a session that it has not answers; it hands nothing on."""
        third = self.work("2.1")
        # Both take the other one for the owner of this id.
        self.patch(third.handover, "owner_of", lambda sid: "1.1")
        client = await self.connect(self.wrong)
        self.assert_unknown(await client.ask("GET", f"{POLLING}&sid=2.1-abc"))
        self.assertEqual((len(third.site.channels), len(self.wrong.site.channels)), (1, 0))
        # It was that request's; the next one may go elsewhere.
        await client.ask("GET", f"{POLLING}&sid=2.1-abc")
        self.assertEqual((len(third.site.channels), len(self.wrong.site.channels)), (0, 1))

    async def test_answered_once_of_many(self) -> None:
        """What follows it in the same bytes may go elsewhere."""
        uri = await self.open(self.wrong)
        client = await self.connect(self.wrong)
        unknown = request("GET", f"{POLLING}&sid=0.1-abc")
        client.transport.write(unknown + request("POST", uri, b"4hello"))
        self.assert_unknown(await client.response())
        self.assertEqual((await client.response()).text, "ok")
        self.assertEqual((await client.ask("GET", uri)).text, "4hello")

    async def test_hostile_ids(self) -> None:
        """What a client sends reaches the folder only as the name of a worker."""
        asked: list[str] = []
        self.patch(self.wrong.handover, "knock", asked.append)
        client = await self.connect(self.wrong)
        for sid in (
            "../0.1-x",
            "/etc/passwd",
            "..",
            "0.1",
            "%2e%2e/0.1-x",
            "0.1/../0.1-x",
            "0.1%00-x",
        ):
            self.assert_unknown(await client.ask("GET", f"{POLLING}&sid={sid}"))
        self.assert_unknown(await client.ask("GET", f"{POLLING}&sid=1.1-x"))
        self.assertEqual(asked, [])
        self.assert_unknown(await client.ask("GET", f"{POLLING}&sid=0.7-x"))
        self.assertEqual(asked, ["0.7"])

    async def test_not_for_a_mount(self) -> None:
        """Pages, and other methods, are anybody's."""
        client = await self.connect(self.wrong)
        self.assertEqual((await client.ask("GET", self.uri.replace("engine.io", "x"))).status, 404)
        self.assertEqual((await client.ask("OPTIONS", self.uri)).status, 204)
        self.assertEqual(len(self.wrong.site.channels), 1)


class LeavingTests(WorkersTestCase):
    """A worker whose ports are closed, since another one takes its place."""

    async def test_new_client(self) -> None:
        """On a connection that stays it comes to the worker that was started last."""
        newest = self.work("0.2")
        client = await self.connect(self.wrong)
        for _ in range(2):
            self.assertIn(
                f'"sid":"{self.wrong.place.name}-', (await client.ask("GET", POLLING)).text
            )
        self.wrong.handover.lead_away()
        self.assertIn('"sid":"0.2-', (await client.ask("GET", POLLING)).text)
        self.assertEqual((len(self.wrong.site.channels), len(newest.site.channels)), (0, 1))

    async def test_known_client(self) -> None:
        """Those who are here are served here."""
        uri = await self.open(self.wrong)
        client = await self.connect(self.wrong)
        self.wrong.handover.lead_away()
        self.assertEqual((await client.ask("POST", uri, b"4hello")).text, "ok")
        self.assertEqual((await client.ask("GET", uri)).text, "4hello")

    async def test_nobody_else(self) -> None:
        """Where there is no other worker it is answered here."""
        await self.right.handover.close()
        client = await self.connect(self.wrong)
        self.wrong.handover.lead_away()
        self.assertEqual((await client.ask("GET", POLLING)).status, 200)
