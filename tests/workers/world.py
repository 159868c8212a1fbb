"""Two or more workers in one process, each with its own site, on real sockets."""

from __future__ import annotations

import gc
import os
import re
import tempfile
from pathlib import Path
from shutil import rmtree

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from mojo.engineio import EngineOptions, EngineResource, EngineServer, EngineSite
from mojo.testing.http import Response, parse_response
from mojo.workers.handover import Handover
from mojo.workers.place import Place


class Echo:
    """Says again what it is told."""

    def __init__(self, session) -> None:
        self.session = session

    def message_received(self, data) -> None:
        self.session.send(data)

    def session_closed(self, reason) -> None:
        pass


class Slow(Resource):
    """A page that is answered when the test says so."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list = []

    def render_GET(self, request):
        self.asked.append(request)
        return NOT_DONE_YET


class Worker:
    """
    A worker without the process.

    Attributes:
        engine: its sessions.
        site: its connections.
        slow: what is at ``/slow``.
        port: where it listens.
    """

    def __init__(self, name: str, folder: Path, **options: object) -> None:
        self.place = Place(name, folder)
        self.clock = Clock()
        self.engine = EngineServer(
            self._receiver,
            reactor,
            EngineOptions(sid_prefix=self.place.sid_prefix, **options),
        )
        resource = EngineResource(self.engine)
        self.slow = Slow()
        root = Resource()
        root.putChild(b"engine.io", resource)
        root.putChild(b"slow", self.slow)
        self.site = EngineSite(root, {b"/engine.io": resource}, reactor)
        self.handover = Handover(reactor, self.place, self.site)
        self.handover.open()
        self.port = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.sessions: list = []

    def _receiver(self, session) -> Echo:
        self.sessions.append(session)
        return Echo(session)

    async def stop(self) -> None:
        await self.port.stopListening()
        await self.handover.close()
        self.engine.stop()
        self.engine.abort()
        self.site.abort()


class Client(Protocol):
    """
    A client that waits for what it expects.

    Attributes:
        received: what came and was not asked for yet.
        lost: fires with why the connection ended.
    """

    def __init__(self) -> None:
        self.received = b""
        self.lost: Deferred = Deferred()
        self._waiting: tuple[re.Pattern[bytes], Deferred] | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self._look()

    def connectionLost(self, reason=connectionDone) -> None:
        self.lost.callback(reason.type)
        if self._waiting is not None:
            self._waiting[1].errback(reason)

    def _look(self) -> None:
        if self._waiting is not None:
            pattern, found = self._waiting
            match = pattern.match(self.received)
            if match is not None:
                self._waiting = None
                self.received = self.received[match.end() :]
                found.callback(match)

    def expect(self, pattern: bytes) -> Deferred:
        """Wait until what came begins with something, and take that."""
        found: Deferred = Deferred()
        self._waiting = re.compile(pattern, re.DOTALL), found
        self._look()
        return found

    async def response(self) -> Response:
        """Wait for an answer."""
        head = await self.expect(rb"HTTP/1\.1 .*?\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head[0])[1])
        body = await self.expect(rb".{%d}" % length)
        answer = parse_response(head[0] + body[0])
        assert answer is not None
        return answer

    async def ask(self, method: str, uri: str, body: bytes = b"", headers: str = "") -> Response:
        """Send a request, and wait for the answer."""
        self.transport.write(request(method, uri, body, headers))
        return await self.response()


def request(method: str, uri: str, body: bytes = b"", headers: str = "") -> bytes:
    if method == "POST":
        headers += f"Content-Length: {len(body)}\r\n"
    return f"{method} {uri} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode() + body


POLLING = "/engine.io/?EIO=4&transport=polling"


class WorkersTestCase(TestCase):
    """
    Tests with two workers.

    Attributes:
        right: the worker who has the session.
        wrong: the worker to whom the client comes.
        uri: of the session's requests.
    """

    timeout = 120

    async def setUp(self) -> None:
        # Short: the path of a UNIX socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(rmtree, self.folder)
        self.right = self.work("0.1")
        self.wrong = self.work("1.1")
        self.uri = await self.open(self.right)

    def turn(self) -> Deferred:
        """Let the reactor turn."""
        return deferLater(reactor, 0)

    async def handed_over(self, client: Client) -> None:
        """Wait until the right worker has the connection of a client, alone."""
        ours = client.transport.getHost().port
        while not any(channel.getPeer().port == ours for channel in self.right.site.channels):
            await self.turn()
        assert not self.wrong.site.channels

    def work(self, name: str, **options: object) -> Worker:
        worker = Worker(name, self.folder, **options)
        self.addCleanup(lambda: Deferred.fromCoroutine(worker.stop()))
        return worker

    async def connect(self, worker: Worker) -> Client:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", worker.port.getHost().port)
        return await self.connect_to(endpoint)

    async def connect_to(self, endpoint) -> Client:
        client = await endpoint.connect(Factory.forProtocol(Client))
        self.addCleanup(self.leave, client)
        return client

    def leave(self, client: Client) -> Deferred:
        if not client.lost.called:
            client.transport.abortConnection()
        return client.lost

    async def open(self, worker: Worker) -> str:
        """Open a session; give the URI of its requests."""
        before = len(worker.site.channels)
        client = await self.connect(worker)
        answer = await client.ask("GET", POLLING)
        await self.leave(client)
        while len(worker.site.channels) > before:
            await self.turn()
        sid = re.search(r'"sid":"([^"]+)"', answer.text)[1]
        return f"{POLLING}&sid={sid}"


def open_files() -> int:
    """Count this process's open files, without those that nobody has any more."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))
