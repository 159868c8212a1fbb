"""`mojo.workers.ports`: sockets that one opens and others accept from."""

from __future__ import annotations

import os
import socket
import stat
from functools import partial
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, clientFromString, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mojo.errors import ListenError
from mojo.listening import Listening
from mojo.workers.loads import Turnstile
from mojo.workers.ports import Adopter, Holder, OpenPort, for_worker
from tests.e2e.certificate import make_certificate


class Greeter(Protocol):
    """Says who has accepted."""

    def connectionMade(self) -> None:
        self.transport.write(self.factory.name)
        self.transport.loseConnection()


class Caller(Protocol):
    """Hears who has accepted."""

    def __init__(self) -> None:
        self.heard = b""
        self.done: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason) -> None:
        self.done.callback(self.heard)


class PortsTestCase(TestCase):
    timeout = 120

    def hold(self, *endpoints: str) -> None:
        self.clock = Clock()
        self.clock.advance(1)
        self.endpoints = endpoints
        self.holder = Holder(reactor)
        self.parent = Listening(self.holder, endpoints, Factory())
        self.parent.open()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.parent.close()))

    def adopt(self, name: bytes, *, is_loaded: bool = False) -> Listening:
        """Do what a worker does: the files are its own, and it closes what is over."""
        ports = [OpenPort(os.dup(port.fileno()), port.socket.family) for port in self.holder.held]
        factory = Factory.forProtocol(Greeter)
        factory.name = name
        adopter = Adopter(reactor, ports, partial(Turnstile, self.clock, lambda: is_loaded))
        worker = Listening(adopter, [for_worker(e) for e in self.endpoints], factory)
        worker.open()
        self.addCleanup(lambda: Deferred.fromCoroutine(worker.close()))
        return worker

    async def call(self, endpoint: str) -> bytes:
        caller = await clientFromString(reactor, endpoint).connect(Factory.forProtocol(Caller))
        return await caller.done

    @property
    def port(self) -> int:
        return self.holder.held[0].getHost().port


class TCPTests(PortsTestCase):
    async def test_waiting(self) -> None:
        """Who comes before there is a worker waits for one, and the parent takes nobody."""
        self.hold("tcp:0:interface=127.0.0.1")
        calling = Deferred.fromCoroutine(self.call(f"tcp:127.0.0.1:{self.port}"))
        await deferLater(reactor, 0.05)
        self.assertNoResult(calling)
        worker = self.adopt(b"one")
        self.assertEqual(await calling, b"one")
        self.assertEqual(worker.addresses, [f"http://127.0.0.1:{self.port}/"])

    async def test_shares(self) -> None:
        """Of many who come at once no worker takes more than others do."""
        self.hold("tcp:0:interface=127.0.0.1")
        callers = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(30)]
        self.addCleanup(lambda: [caller.close() for caller in callers])
        self.adopt(b"one")
        self.adopt(b"two")
        for _ in range(40):
            await deferLater(reactor, 0)
        heard = [caller.recv(3) for caller in callers]
        self.assertEqual((heard.count(b"one"), heard.count(b"two")), (15, 15))

    async def test_loaded(self) -> None:
        """Who has much to do leaves all of them to another."""
        self.hold("tcp:0:interface=127.0.0.1")
        self.adopt(b"one", is_loaded=True)
        self.adopt(b"two")
        calls = [self.call(f"tcp:127.0.0.1:{self.port}") for _ in range(5)]
        self.assertEqual(await gatherResults(map(Deferred.fromCoroutine, calls)), [b"two"] * 5)

    async def test_exchange(self) -> None:
        """A worker that listens no longer takes nothing from the others."""
        self.hold("tcp:0:interface=127.0.0.1")
        first, _ = self.adopt(b"one"), self.adopt(b"two")
        await first.close()
        calls = [self.call(f"tcp:127.0.0.1:{self.port}") for _ in range(5)]
        self.assertEqual(await gatherResults(map(Deferred.fromCoroutine, calls)), [b"two"] * 5)

    async def test_parent_first(self) -> None:
        """A parent that closes its ports takes nothing from the workers."""
        self.hold("tcp:0:interface=127.0.0.1")
        self.assertTrue(self.holder.are_shared)
        port = self.port
        self.adopt(b"one")
        await self.parent.close()
        self.assertEqual(await self.call(f"tcp:127.0.0.1:{port}"), b"one")

    async def test_busy(self) -> None:
        """A port that is taken is told as it is without workers."""
        self.hold("tcp:0:interface=127.0.0.1")
        other = Listening(Holder(reactor), [f"tcp:{self.port}:interface=127.0.0.1"], Factory())
        with self.assertRaisesRegex(ListenError, "cannot listen on 'tcp:.*Address already in use"):
            other.open()

    async def test_ipv6(self) -> None:
        self.hold("tcp6:0:interface=\\:\\:1")
        worker = self.adopt(b"one")
        self.assertEqual(worker.addresses, [f"http://[::1]:{self.port}/"])
        self.assertEqual(await self.call(f"tcp:\\:\\:1:{self.port}"), b"one")

    async def test_inherited(self) -> None:
        """A socket that was open already, as systemd's are, is held and taken like others."""
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        listening.setblocking(False)
        self.hold()
        self.holder.adoptStreamPort(listening.fileno(), socket.AF_INET, Factory())
        self.endpoints = ("systemd:domain=INET:index=0",)
        self.adopt(b"one")
        self.assertEqual(await self.call(f"tcp:127.0.0.1:{self.port}"), b"one")
        await self.holder.held[0].stopListening()


class TLSTests(PortsTestCase):
    async def test_worker_speaks_it(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        key, certificate = make_certificate(folder)
        self.hold(f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1")
        self.adopt(b"one")
        trusted = Certificate.loadPEM(certificate.read_bytes())
        options = optionsForClientTLS("localhost", trustRoot=trusted)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        caller = await wrapClientTLS(options, endpoint).connect(Factory.forProtocol(Caller))
        self.assertEqual(await caller.done, b"one")

    async def test_certificate(self) -> None:
        """The parent finds that it cannot be read, and no worker has to."""
        parent = Listening(Holder(reactor), ["ssl:0:privateKey=/nowhere"], Factory())
        with self.assertRaisesRegex(ListenError, "cannot listen on 'ssl:0:.*No such file"):
            parent.open()


class UnixTests(PortsTestCase):
    async def test_shared(self) -> None:
        """A worker neither removes nor shuts down what is everybody's, nor changes its mode."""
        path = Path(self.mktemp()).absolute()
        self.hold(f"unix:{path}:mode=600")
        self.assertFalse(self.holder.are_shared)
        first, _ = self.adopt(b"one"), self.adopt(b"two")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        await first.close()
        self.assertEqual(await self.call(f"unix:{path}"), b"two")
        await self.parent.close()
        self.assertFalse(path.exists())


class ForWorkerTests(SynchronousTestCase):
    def test_systemd(self) -> None:
        """What only the parent has of systemd a worker has from the parent."""
        for endpoint, expected in (
            ("systemd:domain=INET:index=0", "tcp:0"),
            ("haproxy:systemd:domain=INET:name=mojo", "haproxy:tcp:0"),
            ("tcp:80", "tcp:80"),
            ("unix:/run/systemd/x", "unix:/run/systemd/x"),
        ):
            self.assertEqual(for_worker(endpoint), expected)
