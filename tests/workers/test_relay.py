"""`mojo.workers.relay`: connections that cannot leave their process, such as those of TLS."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from twisted.internet import reactor, ssl
from twisted.internet.endpoints import SSL4ClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock

from mojo.engineio.deadlines import Deadlines
from mojo.testing.frames import TEXT, UPGRADE_HEADERS, client_frame
from mojo.workers import handover
from mojo.workers.relay import Relay
from tests.e2e.certificate import make_certificate
from tests.workers.world import POLLING, Client, WorkersTestCase, open_files, request


class RelayTestCase(WorkersTestCase):
    async def setUp(self) -> None:
        await super().setUp()
        key, certificate = make_certificate(Path(tempfile.mkdtemp(dir=self.folder)))
        context = ssl.DefaultOpenSSLContextFactory(str(key), str(certificate))
        self.port = reactor.listenSSL(0, self.wrong.site, context, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.files = open_files()

    async def connect_tls(self) -> Client:
        port = self.port.getHost().port
        options = ssl.CertificateOptions(verify=False)
        return await self.connect_to(SSL4ClientEndpoint(reactor, "127.0.0.1", port, options))

    @property
    def relays(self) -> set[Relay]:
        return self.wrong.handover._relays

    async def nothing_left(self) -> None:
        while self.relays or self.right.site.channels or self.wrong.site.channels:
            await self.turn()
        self.assertEqual(open_files(), self.files)


class TlsTests(RelayTestCase):
    async def test_served(self) -> None:
        """The right worker serves it as long as it lasts."""
        client = await self.connect_tls()
        for number in range(3):
            text = f"4{number}"
            self.assertEqual((await client.ask("POST", self.uri, text.encode())).text, "ok")
            self.assertEqual((await client.ask("GET", self.uri)).text, text)
        self.assertEqual((len(self.right.site.channels), len(self.relays)), (1, 1))
        stats = self.wrong.handover.stats
        self.assertEqual((stats.relayed, stats.handed_over), (1, 0))
        self.assertEqual(self.wrong.site.channels, set())
        await self.leave(client)
        await self.nothing_left()

    async def test_facts(self) -> None:
        """Its client's address is known, and that it came by TLS."""
        client = await self.connect_tls()
        await client.ask("POST", self.uri, b"4hello")
        await client.ask("GET", POLLING)
        handshake = self.right.sessions[-1].handshake
        self.assertEqual((handshake.address, handshake.secure), ("127.0.0.1", True))

    async def test_much(self) -> None:
        """A megabyte both ways, most of which comes when it is relayed."""
        client = await self.connect_tls()
        body = b"4" + b"x" * 999_999
        self.assertEqual((await client.ask("POST", self.uri, body)).text, "ok")
        self.assertEqual((await client.ask("GET", self.uri)).body, body)

    async def test_websocket(self) -> None:
        client = await self.connect_tls()
        uri = self.uri.replace("=polling", "=websocket")
        headers = "".join(f"{name}: {value}\r\n" for name, value in UPGRADE_HEADERS.items())
        client.transport.write(request("GET", uri, headers=headers) + client_frame(TEXT, b"2probe"))
        await client.expect(rb"HTTP/1\.1 101 .*?\r\n\r\n\x81\x063probe")
        client.transport.write(client_frame(TEXT, b"5") + client_frame(TEXT, b"4hello"))
        await client.expect(rb"\x81\x064hello")
        await self.leave(client)
        await self.nothing_left()

    async def test_on_and_on(self) -> None:
        """A connection that is relayed to one worker goes on to a third by the same relay."""
        third = self.work("2.1")
        uri = await self.open(third)
        client = await self.connect_tls()
        await client.ask("POST", self.uri, b"4hello")
        for _ in range(3):
            for worker, there in ((third, uri), (self.right, self.uri)):
                await client.ask("POST", there, b"4hello")
                self.assertEqual(len(worker.site.channels), 1)
                self.assertEqual(len(self.relays), 1)
                self.assertEqual(len(self.right.handover._relays | third.handover._relays), 0)
        # And home again: by a relay still, since it has been one.
        await client.ask("POST", await self.open(self.wrong), b"4hello")
        self.assertEqual(len(self.relays), 1)

    async def test_closed_by_the_worker(self) -> None:
        """What was written before is heard, and then the end, which is a clean one."""
        client = await self.connect_tls()
        answer = await client.ask("POST", self.uri, b"4hello", "Connection: close\r\n")
        self.assertEqual(answer.text, "ok")
        self.assertIs(await client.lost, ConnectionDone)
        await self.nothing_left()

    async def test_refused(self) -> None:
        """Who is refused while it sends reads why before the connection ends."""
        client = await self.connect_tls()
        data = request("POST", self.uri, b"4" + b"x" * 1_000_000)
        client.transport.write(data[:100_000])
        await client.expect(rb"HTTP/1\.1 413 ")
        await client.lost
        await self.nothing_left()

    async def test_worker_gone(self) -> None:
        """The client of a worker that has died sees its connection end."""
        client = await self.connect_tls()
        client.transport.write(request("GET", self.uri))
        while not self.right.site.channels:
            await self.turn()
        self.right.site.abort()
        await client.lost
        await self.nothing_left()

    async def test_stopped(self) -> None:
        """With the worker that has the keys the connection ends, for both sides."""
        client = await self.connect_tls()
        await client.ask("POST", self.uri, b"4hello")
        self.wrong.site.abort()
        await client.lost
        await self.nothing_left()

    async def test_no_files(self) -> None:
        """Where no more files can be opened it is answered where it came."""
        client = await self.connect_tls()
        await client.ask("GET", "/nothing")

        def none_left():
            raise OSError(24, "Too many open files")

        self.patch(socket, "socketpair", none_left)
        answer = await client.ask("GET", self.uri)
        self.assertEqual((answer.status, answer.json["code"]), (400, 1))


class PressureTests(RelayTestCase):
    """Neither end is read while the other one does not take what was read."""

    async def setUp(self) -> None:
        await super().setUp()
        self.client = await self.connect_tls()
        await self.client.ask("POST", self.uri, b"4hello")
        (self.relay,) = self.relays
        (self.channel,) = self.right.site.channels

    async def check(self, sender, receiver, end) -> None:
        receiver.pauseProducing()
        for _ in range(200):
            sender.write(b"x" * 100_000)
            await self.turn()
        waiting = sum(map(len, end.transport._tempDataBuffer)) + len(end.transport.dataBuffer)
        self.assertLess(waiting, 1_000_000)
        sender.abortConnection()
        receiver.resumeProducing()

    async def test_worker_does_not_read(self) -> None:
        await self.check(self.client.transport, self.channel.transport, self.relay.worker)

    async def test_client_does_not_read(self) -> None:
        await self.check(self.channel.transport, self.client.transport, self.relay.client)


class TimeTests(RelayTestCase):
    async def test_does_not_let_go(self) -> None:
        """A client has so many seconds to let go of what its worker has closed."""
        clock = Clock()
        self.wrong.handover._closing = Deadlines(clock, handover.RELAY_LINGER, Relay.abort)
        client = await self.connect_tls()
        await client.ask("POST", self.uri, b"4hello")
        client.transport.pauseProducing()
        for channel in self.right.site.channels:
            channel.transport.write(b"x" * 10_000_000)
            channel.loseConnection()
        while not len(self.wrong.handover._closing):
            client.transport.resumeProducing()
            await self.turn()
            client.transport.pauseProducing()
        clock.advance(handover.RELAY_LINGER - 1)
        self.assertEqual(len(self.relays), 1)
        clock.advance(1)
        while self.relays:
            await self.turn()
        client.transport.resumeProducing()
        self.assertIs(await client.lost, ConnectionLost)
        await self.nothing_left()


class StayingTests(RelayTestCase):
    async def test_answers_that_wait(self) -> None:
        """What was written before and not taken leaves first; then the connection is relayed."""
        client = await self.connect(self.wrong)
        client.transport.write(request("GET", "/slow"))
        while not self.wrong.slow.asked:
            await self.turn()
        client.transport.pauseProducing()
        page = self.wrong.slow.asked.pop()
        page.setHeader(b"content-length", b"20000000")
        page.write(b"x" * 20_000_000)
        page.finish()
        client.transport.write(request("POST", self.uri, b"4hello"))
        while not self.wrong.slow.asked and not self.relays:
            client.transport.resumeProducing()
            await self.turn()
            client.transport.pauseProducing()
        client.transport.resumeProducing()
        self.assertEqual(len((await client.response()).body), 20_000_000)
        self.assertEqual((await client.response()).text, "ok")
        self.assertEqual((await client.ask("GET", self.uri)).text, "4hello")
