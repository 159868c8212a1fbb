"""Clients that do not read, over real sockets and TLS, where Twisted's own buffers are."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import endpoints, reactor, ssl
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from mojo.engineio import EngineOptions, EngineResource, EngineServer, EngineSession, EngineSite
from mojo.testing.frames import CLOSE, UPGRADE_HEADERS, parse_frames
from mojo.testing.http import http_request
from tests.e2e.certificate import make_certificate
from tests.engineio.endpoint import WEBSOCKET, Application

#: More than the two kernels' buffers hold.
MANY = 400
SIZE = 100_000


class Reader(Protocol):
    """A WebSocket client that can stop reading, and waits for so many bytes."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.opened: Deferred[None] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        request = http_request("GET", WEBSOCKET, headers=UPGRADE_HEADERS)
        self.transport.write(request)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if not self.opened.called and b'"maxPayload"' in self.received:
            self.transport.pauseProducing()
            self.received.clear()
            self.opened.callback(None)
        elif self.received.endswith(b"forced close"):
            self.transport.loseConnection()

    def connectionLost(self, reason) -> None:
        self.lost.callback(None)


class SlowClientTests(TestCase):
    timeout = 120

    async def open(self, where: str, **options: object) -> None:
        self.log: list = []
        self.sessions: list[EngineSession] = []

        def receiver(session: EngineSession) -> Application:
            self.sessions.append(session)
            return Application(session, self.log)

        engine = EngineServer(receiver, reactor, EngineOptions(**options))
        self.resource = EngineResource(engine)
        root = Resource()
        root.putChild(b"engine.io", self.resource)
        site = EngineSite(root, {b"/engine.io": self.resource}, reactor)
        port = await endpoints.serverFromString(reactor, where).listen(site)
        self.addCleanup(self.stop, port)
        number = port.getHost().port
        client: object = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", number)
        if where.startswith("ssl"):
            client = endpoints.SSL4ClientEndpoint(
                reactor, "127.0.0.1", number, ssl.CertificateOptions(verify=False)
            )
        self.reader = await client.connect(Factory.forProtocol(Reader))
        await self.reader.opened
        (self.session,) = self.sessions

    async def stop(self, port) -> None:
        self.resource.engine.stop()
        self.resource.abort()
        self.reader.transport.abortConnection()
        await self.reader.lost
        await port.stopListening()

    def tls(self) -> str:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        key, certificate = make_certificate(folder)
        return f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"

    async def check_all_comes(self, where: str) -> None:
        """What the client did not read waits in the session, and comes when it reads."""
        await self.open(where, max_buffered=2 * MANY * SIZE)
        for number in range(MANY):
            self.session.send(f"{number:04}" + "x" * SIZE)
        drained = self.session.drain()
        # The kernels take what they take; the rest stays, and stays counted.
        for _ in range(20):
            await deferLater(reactor, 0)
        self.assertFalse(drained.called)
        self.assertFalse(self.session.writable)
        self.assertGreater(self.session.buffered, MANY * SIZE // 4)
        self.reader.transport.resumeProducing()
        await drained
        self.assertEqual(self.session.buffered, 0)
        self.session.close()
        await self.reader.lost
        *frames, close = parse_frames(bytes(self.reader.received))
        self.assertEqual(
            [frame.payload[1:5] for frame in frames], [b"%04d" % n for n in range(MANY)]
        )
        self.assertEqual({len(frame.payload) for frame in frames}, {SIZE + 5})
        self.assertEqual((close.opcode, close.code), (CLOSE, 1000))
        self.reader.lost = deferLater(reactor, 0)

    async def test_tcp(self) -> None:
        await self.check_all_comes("tcp:0:interface=127.0.0.1")

    async def test_tls(self) -> None:
        await self.check_all_comes(self.tls())

    async def check_limit(self, where: str) -> None:
        """A client that never reads is closed when max_buffered waits, and no later."""
        await self.open(where, max_buffered=2_000_000)
        most = 0
        while not self.log:
            self.session.send("x" * SIZE)
            most = max(most, self.session.buffered)
            await deferLater(reactor, 0)
        self.assertEqual(self.log, [("closed", "transport error")])
        self.assertTrue(1_000_000 < most <= 2_000_000, most)

    async def test_limit_tcp(self) -> None:
        await self.check_limit("tcp:0:interface=127.0.0.1")

    async def test_limit_tls(self) -> None:
        await self.check_limit(self.tls())
