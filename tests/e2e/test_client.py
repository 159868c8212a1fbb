"""Mojo's client and servers that we did not write, and our own: real sockets, real time."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.trial.unittest import TestCase
from twisted.web.client import BrowserLikePolicyForHTTPS
from zope.interface import implementer

from mojo.client import ConnectError, Disconnected, Manager, connect
from mojo.client.endpoints import Endpoints
from mojo.socketio.msgpack_parser import MsgpackParser
from tests.e2e.certificate import make_certificate
from tests.e2e.processes import HERE, NO_NODE, NODE, PROJECT, start, start_python, start_twistd
from tests.e2e.test_clients import NO_PYTHON_CLIENT
from tests.ports import free_port

TRANSPORTS = (("polling",), ("websocket",), ("polling", "websocket"))
MARKS = {"extra_headers": {"X-Token": "t"}, "cookies": {"a": "b"}, "query": {"room": "1"}}


def heard(target, name: str) -> Deferred:
    """Give a Deferred of the arguments of the next event of a name."""
    came: Deferred = Deferred()
    target.once(name, lambda *args: came.callback(args))
    return came


@implementer(IStreamClientEndpoint)
class _Wiretap:
    def __init__(self, endpoint, protocols: list) -> None:
        self._endpoint = endpoint
        self._protocols = protocols

    def connect(self, factory):
        return self._endpoint.connect(factory).addCallback(self._connected)

    def _connected(self, protocol):
        self._protocols.append(protocol)
        received = protocol.dataReceived

        def receive(data: bytes) -> None:
            # In pieces, whatever the kernel had: what is behind a cut does not come.
            for at in range(0, len(data), 100):
                if protocol in self._protocols:
                    received(data[at : at + 100])

        protocol.dataReceived = receive
        return protocol


class Cuttable(Endpoints):
    """Endpoints whose connections can be cut, as a cable is."""

    def __init__(self) -> None:
        super().__init__(reactor)
        self.protocols: list = []

    def endpointForURI(self, uri):
        return _Wiretap(super().endpointForURI(uri), self.protocols)

    def cut(self) -> None:
        protocols = self.protocols[:]
        self.protocols.clear()
        for protocol in protocols:
            protocol.transport.abortConnection()


class Exchange:
    """Starts a server, and says everything to it once."""

    timeout = 120
    namespace = "/"
    admin = "/admin"
    most_posted = 600_000

    async def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        # Of the test and not of the server: a second one must be where the first one was.
        self.port = free_port(self.addCleanup)
        await self.start_server()

    async def start_server(self) -> None:
        self.server = self.spawn(self.port)
        await self.server.wait_for(rf"PORT {self.port}\.")
        self.addCleanup(self.server.stop)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, namespace=None, **options):
        options.setdefault("reconnection_delay", 0.05)
        return connect(self.base + (namespace or self.namespace), **options)

    async def test_exchange(self) -> None:
        """By either transport and while one follows the other: events, acks, binary."""
        for transports in TRANSPORTS:
            async with self.connect(transports=transports, auth={"n": 1}, **MARKS) as socket:
                welcome = heard(socket, "welcome")
                messages: list = []
                socket.on("message", lambda *args, messages=messages: messages.append(args[:2]))
                socket.on("question", lambda text: f"{text}!")
                for number in range(100):
                    socket.send(number, b"%d" % number)
                value = {"a": [b"\x00\xff", "ü", None, 1.5]}
                self.assertEqual(await socket.call("echo", value), value)
                self.assertEqual(await socket.call("echo", 1, b"2"), (1, b"2"))
                self.assertEqual(
                    list(await socket.call("ask_back", "why")), ["the answer was", "why!"]
                )
                answer: Deferred = Deferred()
                socket.emit("echo", "with an ack", ack=answer.callback)
                self.assertEqual(await answer, "with an ack")
                self.assertEqual((await welcome)[0]["auth"], {"n": 1})
                self.assertEqual(messages, [(n, b"%d" % n) for n in range(100)])
                self.assertEqual(
                    await socket.call("handshake"), {"token": "t", "cookie": "a=b", "room": "1"}
                )
                large = bytes(range(250)) * (self.most_posted // 250)
                self.assertEqual(await socket.call("echo", large), large)


class Peer(Exchange):
    """What a server of any kind must do with our client, and our client with it."""

    async def test_upgrade(self) -> None:
        """Both ends agree on the transport, and nothing is lost on the way to it."""
        numbers: list = []
        async with self.connect() as socket:
            socket.on("message", lambda number, *_: numbers.append(number))
            for number in range(200):
                socket.send(number)
                await socket.call("echo", number)
            self.assertEqual(await socket.call("transport"), "websocket")
            self.assertEqual(socket.manager.engine.transport.name, "websocket")
        self.assertEqual(numbers, list(range(200)))
        async with self.connect(upgrade=False) as socket:
            self.assertEqual(await socket.call("transport"), "polling")

    async def test_namespaces(self) -> None:
        """Two on one connection, of which one ends without the other."""
        manager = Manager(self.base)
        auth = {"password": "open sesame"}
        socket = await manager.socket(self.namespace).connect()
        admin = await manager.socket(self.admin, auth=auth).connect()
        self.assertNotEqual(socket.id, admin.id)
        self.assertEqual(await admin.call("whoami"), self.admin)
        await admin.disconnect()
        self.assertEqual(await socket.call("echo", 1), 1)
        await manager.close()

    async def test_refusal(self) -> None:
        """The server's words and data."""
        for transports in TRANSPORTS:
            with self.assertRaises(ConnectError) as caught:
                await self.connect(self.admin, transports=transports, auth={"password": "guess"})
            self.assertEqual(caught.exception.message, "wrong password")
            self.assertEqual(caught.exception.data, {"hint": "caves"})
        with self.assertRaises(ConnectError):
            await self.connect("/nowhere")

    async def test_leaving(self) -> None:
        """A server that disconnects us is left alone until we ask again."""
        async with self.connect() as socket:
            gone = heard(socket, "disconnect")
            socket.emit("leave_me")
            self.assertEqual(await gone, ("io server disconnect",))
            await socket.connect()
            self.assertEqual(await socket.call("echo", 1), 1)

    async def test_dropped(self) -> None:
        """A connection that ends under us is made anew, and what waits is sent."""
        for transports in TRANSPORTS:
            async with self.connect(transports=transports) as socket:
                gone, before = heard(socket, "disconnect"), socket.id
                socket.emit("drop")
                await gone
                self.assertEqual(await socket.call("echo", "waited"), "waited")
                if not socket.recovered:
                    self.assertNotEqual(socket.id, before)

    async def test_restart(self) -> None:
        """The server ends, and comes back later."""
        for transports in TRANSPORTS:
            async with self.connect(transports=transports) as socket:
                gone = heard(socket, "disconnect")
                call = socket.call("echo", "answered")
                self.assertEqual(await call, "answered")
                await self.server.stop()
                self.assertIn((await gone)[0], ("transport close", "transport error"))
                failed = heard(socket.manager, "reconnect_error")
                await failed
                waiting = socket.call("echo", "waited")
                await self.start_server()
                self.assertEqual(await waiting, "waited")

    async def test_nobody_there(self) -> None:
        await self.server.stop()
        for transports in TRANSPORTS:
            with self.assertRaises(ConnectError):
                await self.connect(transports=transports)


class Recovery:
    """Connection state recovery."""

    async def test_recovery(self) -> None:
        """The connection is cut among 1,000 numbered events: all arrive once, in order."""
        for transports in self.recovers:
            endpoints = Cuttable()
            async with self.connect(transports=transports, endpoints=endpoints) as socket:
                numbers = await self.interrupted(socket, endpoints)
                self.assertEqual(numbers, list(range(1000)))

    async def interrupted(self, socket, endpoints) -> list:
        numbers: list = []
        complete: Deferred = Deferred()

        def number_came(number):
            numbers.append(number)
            # Of the first that come, since a GET that is late has all that there is by then.
            if number == 5:
                endpoints.cut()
            if number == 999:
                complete.callback(None)

        while socket.manager.engine.transport.name != socket.manager.options.transports[-1]:
            await socket.call("echo", "is it yet?")
        socket.on("number", number_came)
        cid = socket.id
        socket.emit("stream", 1000)
        await complete
        await socket.connect()
        self.assertTrue(socket.recovered)
        self.assertEqual(socket.id, cid)
        return numbers


class NodeServerTests(Peer, Recovery, TestCase):
    """
    The official server.

    It recovers by WebSocket only: between two GETs it does not notice that a client is gone,
    and knows nothing of recovery before its heartbeat has.
    """

    skip = NO_NODE
    recovers = TRANSPORTS[1:]

    def spawn(self, port):
        return start(NODE, HERE / "js" / "server.mjs", str(port))

    async def test_retries(self) -> None:
        """What is answered at the second try only is sent twice, in order."""
        async with self.connect(retries=100, ack_timeout=0.1) as socket:
            answers = [socket.call("second_try", number) for number in range(5)]
            self.assertEqual([await answer for answer in answers], list(range(5)))

    async def test_pending_calls(self) -> None:
        """They fail when the connection goes."""
        async with self.connect() as socket:
            call = socket.call("second_try", 1)
            await socket.call("echo", 1)
            socket.emit("drop")
            with self.assertRaises(Disconnected):
                await call


class NodeMsgpackTests(Exchange, TestCase):
    """The official server with the official MessagePack parser."""

    skip = NO_NODE

    def spawn(self, port):
        return start(NODE, HERE / "js" / "server.mjs", str(port), "msgpack")

    def connect(self, namespace=None, **options):
        return super().connect(namespace, parser=MsgpackParser(), **options)


class PythonServerTests(Peer, TestCase):
    """
    The server of python-socketio, on aiohttp.

    It takes what it has of a POST's body when it looks, and cuts off the rest of a long one.
    """

    most_posted = 50_000
    skip = NO_PYTHON_CLIENT

    def spawn(self, port):
        return start_python(HERE / "python_server.py", str(port))


class MojoServerTests(Peer, Recovery, TestCase):
    """``twistd mojo``."""

    recovers = TRANSPORTS
    namespace = "/EchoSocket"
    admin = "/EchoSocket/admin"

    async def start_server(self) -> None:
        self.server = start_twistd(
            self.folder,
            "--project",
            PROJECT,
            "--listen",
            f"tcp:{self.port}:interface=127.0.0.1",
            "--settings",
            "SOCKET_IO.recovery={}",
        )
        await self.server.wait_for(rf"on http://127\.0\.0\.1:{self.port}/")
        self.addCleanup(self.server.stop)

    async def test_own_path(self) -> None:
        """An app's own path is an endpoint, and the app its root."""
        async with connect(self.base, path="/EchoSocket/") as socket:
            self.assertEqual(await socket.call("echo", 1), 1)


class TlsTests(TestCase):
    """Our server by TLS, with a certificate that somebody vouches for, and not."""

    timeout = 120

    async def test_tls(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        key, certificate = make_certificate(folder)
        endpoint = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
        server = start_twistd(folder, "--project", PROJECT, "--listen", endpoint)
        found = await server.wait_for(r"on https://127\.0\.0\.1:(\d+)/")
        self.addCleanup(server.stop)
        url = f"https://localhost:{found.group(1)}/EchoSocket"
        root = ssl.Certificate.loadPEM(certificate.read_bytes())
        for transports in TRANSPORTS:
            tls = BrowserLikePolicyForHTTPS(trustRoot=root)
            async with connect(url, transports=transports, tls=tls) as socket:
                self.assertEqual(await socket.call("echo", b"secret"), b"secret")
            with self.assertRaisesRegex(ConnectError, "certificate verify failed"):
                await connect(url, transports=transports)
