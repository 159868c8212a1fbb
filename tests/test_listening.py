"""`mojo.listening` and the start of a service: ports open together or not at all."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, _SystemdParser, connectProtocol
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, _FakePort
from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mojo import MojoService, Settings
from mojo.errors import ListenError
from mojo.listening import BACKLOG, Listening, with_backlog
from mojo.sessions import current
from mojo.workers.place import Place
from mojo.workers.ports import Holder
from mojo.workers.reception import Reception


class Busy(MemoryReactorClock):
    """A reactor whose port 81 is taken."""

    def listenTCP(self, port, *args, **kwargs):
        if port == 81:
            raise CannotListenError(
                kwargs.get("interface", ""), port, OSError(98, "Address in use")
            )
        return super().listenTCP(port, *args, **kwargs)


class ListenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Busy()

    def service(self, *endpoints: str) -> MojoService:
        return MojoService(self.reactor, Settings(debug=True), endpoints=endpoints)

    def test_opened_while_privileged(self) -> None:
        """Once, although twistd calls both."""
        service = self.service("tcp:80:interface=127.0.0.1", "unix:/run/x")
        service.privilegedStartService()
        service.startService()
        self.addCleanup(current.unbind, service)
        self.assertEqual([server[0] for server in self.reactor.tcpServers], [80])
        self.assertEqual([server[0] for server in self.reactor.unixServers], ["/run/x"])
        self.assertIs(self.reactor.tcpServers[0][1], service.site)

    def test_busy_port(self) -> None:
        """The start ends with the endpoint's name; what was open is closed."""
        service = self.service("tcp:80", "tcp:81", "tcp:82")
        with self.assertRaises(ListenError) as caught:
            service.privilegedStartService()
        self.assertEqual(
            str(caught.exception), "cannot listen on 'tcp:81': [Errno 98] Address in use"
        )
        self.assertEqual(service._listening.addresses, [])
        self.assertNotIn(82, [server[0] for server in self.reactor.tcpServers])

    def test_worker(self) -> None:
        """What others hand to a worker comes to a socket that is open before its ports are."""
        place = Place("0.1", Path("/run/workers"))
        service = MojoService(self.reactor, Settings(debug=True), endpoints=["tcp:80"], place=place)
        service.privilegedStartService()
        self.addCleanup(current.unbind, service)
        ((path, factory, _, mode, _),) = self.reactor.unixServers
        self.assertEqual((path, mode), ("/run/workers/0.1", 0o600))
        self.assertIsInstance(factory, Reception)
        self.assertIs(self.reactor.tcpServers[0][1], service.site)
        self.assertEqual(service.stats.dump()["workers_handed_over"], 0)

    def test_worker_closes_its_ports(self) -> None:
        """Who has a session there is still brought to it; others come to other workers."""
        place = Place("0.1", Path("/run/workers"))
        service = MojoService(self.reactor, Settings(debug=True), endpoints=["tcp:80"], place=place)
        service._listening.open()
        closed: list = []
        self.patch(_FakePort, "stopListening", lambda port: closed.append(type(port.getHost())))
        Deferred.fromCoroutine(service._listening.close_ports())
        self.assertEqual(closed, [IPv4Address])
        Deferred.fromCoroutine(service._listening.close())
        self.assertEqual(closed, [IPv4Address, UNIXAddress])

    def test_worker_without_its_folder(self) -> None:
        """A worker that others cannot reach does not start."""

        def listen(path, factory, **options):
            raise CannotListenError(None, path, OSError(2, "No such file or directory"))

        self.reactor.listenUNIX = listen
        place = Place("0.1", Path("/nowhere"))
        service = MojoService(self.reactor, Settings(debug=True), endpoints=["tcp:80"], place=place)
        with self.assertRaisesRegex(ListenError, "worker's own socket.*: .*No such file"):
            service.privilegedStartService()
        self.assertEqual(self.reactor.tcpServers, [])

    def test_bad_endpoints(self) -> None:
        for endpoint in ("nonsense", "tcp:", "tcp:x", "quic:80", "ssl:443:privateKey=/nowhere", ""):
            with self.assertRaises(ListenError) as caught:
                self.service(endpoint).startService()
            self.assertIn(repr(endpoint), str(caught.exception))
        self.assertEqual(current._running, [])

    def test_no_systemd(self) -> None:
        with self.assertRaises(ListenError) as caught:
            self.service("systemd:domain=INET:index=0").startService()
        self.assertIn("systemd has passed no such socket", str(caught.exception))

    def test_addresses(self) -> None:
        """What the banner shows; the port in memory says that it is on all addresses."""
        service = self.service("tcp:80", "unix:/run/x")
        service._listening.open()
        self.assertEqual(
            service._listening.addresses, ["http://0.0.0.0:80/", "unix socket '/run/x'"]
        )


class BacklogTests(TestCase):
    """How many may wait: Linux tells it of a port in the place of what is not acknowledged."""

    def depth(self, endpoint: str, opened_by=reactor) -> int:
        listening = Listening(opened_by, [endpoint], Factory())
        listening.open()
        self.addCleanup(lambda: Deferred.fromCoroutine(listening.close()))
        ((_, port),) = listening._ports
        facts = port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
        return struct.unpack_from("I", facts, 28)[0]

    def test_default(self) -> None:
        """All who come back at once after a restart, where Twisted has 50."""
        most = int(Path("/proc/sys/net/core/somaxconn").read_text())
        for opened_by in (reactor, Holder(reactor)):
            depth = self.depth("tcp:0:interface=127.0.0.1", opened_by)
            self.assertEqual(depth, min(BACKLOG, most))

    def test_said(self) -> None:
        self.assertEqual(self.depth("tcp:0:interface=127.0.0.1:backlog=7"), 7)
        self.assertEqual(self.depth("haproxy:tcp:0:interface=127.0.0.1:backlog=7"), 7)

    def test_systemd(self) -> None:
        """Its unit says it."""
        opened = socket.create_server(("127.0.0.1", 0), backlog=7)
        # Whoever takes it closes it.
        self.patch(_SystemdParser, "_sddaemon", ListenFDs([opened.detach()]))
        self.assertEqual(self.depth("systemd:domain=INET:index=0"), 7)

    def test_kinds(self) -> None:
        for endpoint, expected in (
            ("unix:/run/x", "unix:/run/x:backlog=1024"),
            ("unix:/run/x:backlog=7:mode=600", "unix:/run/x:backlog=7:mode=600"),
            ("ssl:0:privateKey=/k", "ssl:0:privateKey=/k:backlog=1024"),
            ("haproxy:tcp:0", "haproxy:tcp:0:backlog=1024"),
            ("onion:80", "onion:80"),
        ):
            self.assertEqual(with_backlog(endpoint), expected)


class GivenTests(TestCase):
    """A UNIX socket that systemd has opened, and keeps."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.systemds = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.systemds.close)
        self.systemds.bind(str(self.path))
        self.path.chmod(0o600)
        self.systemds.listen(7)
        self.patch(_SystemdParser, "_sddaemon", ListenFDs([self.systemds.dup().detach()]))

    def look(self) -> None:
        """It is as it was: nobody else may use it, and who comes waits in it."""
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.path))

    async def test_service(self) -> None:
        service = MojoService(
            reactor, Settings(debug=True), endpoints=["systemd:domain=UNIX:index=0"]
        )
        service.privilegedStartService()
        service.startService()
        self.look()
        await service.stopService()
        self.look()

    async def test_parent(self) -> None:
        listening = Listening(Holder(reactor), ["systemd:domain=UNIX:index=0"], Factory())
        listening.open()
        self.look()
        await listening.close()
        self.look()


class HeldTests(TestCase):
    """Ports that are open, and whose connections wait."""

    async def test_held(self) -> None:
        """Nobody is refused, and nobody is heard before the time is come."""
        let_in: Deferred[None] = Deferred()
        came: Deferred[None] = Deferred()

        class Server(Protocol):
            def connectionMade(self):
                self.transport.loseConnection()
                came.callback(None)

        endpoints = ["tcp:0:interface=127.0.0.1"]
        factory = Factory.forProtocol(Server)
        listening = Listening(reactor, endpoints, factory, let_in=lambda: let_in)
        listening.open()
        self.addCleanup(listening.close)
        ((_, port),) = listening._ports
        await connectProtocol(
            TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port), Protocol()
        )
        self.assertNotIn(port, reactor.getReaders())
        self.assertFalse(listening.complete)
        let_in.callback(None)
        self.assertTrue(listening.complete)
        await came
