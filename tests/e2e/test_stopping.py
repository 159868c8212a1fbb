"""How ``twistd mojo`` stops: by one signal, by two, and under systemd."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.trial.unittest import TestCase

from mojo.testing.frames import UPGRADE_HEADERS, client_frame, parse_frames
from mojo.testing.http import http_request
from tests.e2e.processes import PROJECT, ROOT, Process, start, start_server, start_twistd

SYSTEMD_ANALYZE = shutil.which("systemd-analyze")
WEBSOCKET = "/StuckSocket/?EIO=4&transport=websocket"

_HANDLERS = """
import time

from twisted.internet.defer import Deferred

from mojo import MojoSocketHandler, event


class SocketConnectionHandler(MojoSocketHandler):
    @event
    def block(self):
        print("blocked", flush=True)
        while True:
            time.sleep(1)

    @event
    async def wait(self):
        print("waiting", flush=True)
        await Deferred()

    def on_close(self, reason):
        print("closed:", reason, flush=True)
"""


class Talker(Protocol):
    """A WebSocket client that joins the root namespace, and answers nothing."""

    def __init__(self) -> None:
        self.received = b""
        self.joined: Deferred[None] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(http_request("GET", WEBSOCKET, headers=UPGRADE_HEADERS))
        self.say("40")

    def say(self, message: str) -> None:
        self.transport.write(client_frame(1, message.encode()))

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if not self.joined.called and b'40{"sid"' in self.received:
            self.received = b""
            self.joined.callback(None)

    def connectionLost(self, reason) -> None:
        self.lost.callback(None)


class StoppingTestCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        app = self.folder / "project" / "Apps" / "Stuck"
        app.mkdir(parents=True)
        self.handlers = app / "socket_handlers.py"
        self.handlers.write_text(_HANDLERS)
        (self.folder / "project" / "settings.py").write_text("DEBUG = True\n")

    async def serve(self, *settings: str) -> None:
        arguments = [part for setting in settings for part in ("--settings", setting)]
        self.server, self.base = await start_server(
            self.folder, self.folder / "project", *arguments
        )
        self.addCleanup(self.end)

    def take_ten_minutes(self, name: str) -> None:
        """Have the server take longer for something than any test does."""
        changed = f"from mojo import draining\n\ndraining.{name} = 600\n"
        self.handlers.write_text(changed + _HANDLERS)

    def end(self) -> Deferred[int]:
        self.server.signal("KILL")
        return self.server.ended

    async def connect(self) -> Talker:
        port = int(self.base.rpartition(":")[2])
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        talker = await endpoint.connect(Factory.forProtocol(Talker))
        self.addCleanup(talker.transport.abortConnection)
        await talker.joined
        return talker

    def signal(self, name: str) -> None:
        self.server.signal(name)


class SignalTests(StoppingTestCase):
    async def test_once(self) -> None:
        """The client is told that the server goes, and the process ends as by the signal."""
        await self.serve()
        talker = await self.connect()
        self.signal("TERM")
        self.assertEqual(await self.server.ended, -15)
        (close,) = parse_frames(talker.received)
        self.assertEqual((close.code, close.payload[2:]), (1001, b"server shutting down"))
        self.assertIn("closed: server shutting down", self.server.output)
        self.assertNotIn("Traceback", self.server.output)

    async def test_in_turn(self) -> None:
        """The second of two clients stays for a while, and is heard."""
        self.take_ten_minutes("MOST_SPACING")
        await self.serve("DRAIN_SECONDS=1200")
        await self.connect()
        second = await self.connect()
        self.signal("INT")
        await self.server.wait_for("closed: .*")
        second.say('42["wait"]')
        await self.server.wait_for("waiting")
        self.assertEqual(second.received, b"")
        self.signal("INT")
        await self.server.ended
        self.assertEqual(parse_frames(second.received)[-1].code, 1001)

    async def test_twice(self) -> None:
        """Whoever sends two signals does not want to wait for clients."""
        self.take_ten_minutes("GOODBYE_SECONDS")
        await self.serve()
        talker = await self.connect()
        talker.say('42["wait"]')
        await self.server.wait_for("waiting")
        self.signal("TERM")
        await self.server.wait_for("Received SIGTERM")
        while not parse_frames(talker.received):
            await self.turn()
        self.signal("INT")
        await self.server.ended
        self.assertNotIn("Traceback", self.server.output)

    async def test_twice_with_a_handler_that_never_returns(self) -> None:
        """No reactor is needed for the end of a process whose reactor does not turn."""
        await self.serve()
        talker = await self.connect()
        talker.say('42["block"]')
        await self.server.wait_for("blocked")
        self.signal("TERM")
        await self.server.wait_for("Received SIGTERM")
        self.signal("TERM")
        self.assertEqual(await self.server.ended, -15)

    def turn(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        reactor.callLater(0.01, done.callback, None)
        return done


class Notified(DatagramProtocol):
    """systemd's end of the socket."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._waiting: list[tuple[str, Deferred[None]]] = []

    def datagramReceived(self, datagram: bytes, addr) -> None:
        self.heard.append(datagram.decode("ascii"))
        for text, found in list(self._waiting):
            if text in self.heard:
                self._waiting.remove((text, found))
                found.callback(None)

    async def wait_for(self, text: str) -> None:
        if text not in self.heard:
            found: Deferred[None] = Deferred()
            self._waiting.append((text, found))
            await found


def receive_answer(client: socket.socket) -> bytes:
    """Receive the answer to a handshake, in however many pieces it comes."""
    answer = b""
    while not answer.endswith(b"}"):
        piece = client.recv(10_000)
        assert piece, answer
        answer += piece
    return answer


class SystemdTestCase(TestCase):
    """
    As systemd starts it: with a socket that is open already, and one to write to.

    Attributes:
        more: more of the command's arguments.
    """

    timeout = 120
    more: tuple[str, ...] = ()

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="mojo")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listening.close)
        self.notified = Notified()
        port = reactor.listenUNIXDatagram(str(self.folder / "notify"), self.notified)
        self.addCleanup(port.stopListening)

    def run_unit(self) -> Process:
        """Run the command of the documented unit with what systemd adds."""
        # The process must know its own number, which nobody else does before it runs.
        code = (
            "import os, sys; os.environ.update(LISTEN_PID=str(os.getpid()), "
            "WATCHDOG_PID=str(os.getpid())); os.execv(sys.argv[1], sys.argv[1:])"
        )
        parser = ConfigParser(interpolation=None)
        parser.optionxform = str
        parser.read(ROOT / "docs" / "mojo.service")
        _, *arguments = parser["Service"]["ExecStart"].split()
        arguments[arguments.index("/srv/myproject")] = str(PROJECT)
        unit = start(
            sys.executable, "-c", code, sys.executable, Path(sys.executable).with_name("twistd"),
            *arguments, *self.more,
            inherited=[self.listening.fileno()],
            PYTHONPATH=str(ROOT), LISTEN_FDS="1", LISTEN_FDNAMES="mojo.socket",
            NOTIFY_SOCKET=str(self.folder / "notify"), WATCHDOG_USEC="400000",
        )  # fmt: skip
        self.addCleanup(unit.stop)
        return unit


class Lives:
    """What a process of systemd's does, alone or with workers."""

    async def test_life(self) -> None:
        """Ready when it can be reached, alive until the end, and then stopping."""
        port = self.listening.getsockname()[1]
        # From the very first moment: connections wait in the socket until somebody is there.
        early = socket.create_connection(("127.0.0.1", port))
        self.addCleanup(early.close)
        early.sendall(http_request("GET", "/socket.io/?EIO=4&transport=polling"))
        unit = self.run_unit()
        await self.notified.wait_for("READY=1")
        await unit.wait_for(rf"on http://127\.0\.0\.1:{port}/")
        await self.notified.wait_for("WATCHDOG=1")
        self.assertEqual(self.notified.heard[0], "READY=1")
        early.settimeout(100)
        self.assertIn(b'0{"sid":', receive_answer(early))
        early.close()
        self.notified.heard.clear()
        await self.notified.wait_for("WATCHDOG=1")
        self.assertEqual(await unit.stop(), -15)
        self.assertIn("STOPPING=1\nEXTEND_TIMEOUT_USEC=18000000", self.notified.heard)

    async def test_restart(self) -> None:
        """Between two processes nobody is refused: the next one answers."""
        port = self.listening.getsockname()[1]
        first = self.run_unit()
        await self.notified.wait_for("READY=1")
        await first.stop()
        meanwhile = socket.create_connection(("127.0.0.1", port), 100)
        self.addCleanup(meanwhile.close)
        meanwhile.sendall(http_request("GET", "/socket.io/?EIO=4&transport=polling"))
        self.notified.heard.clear()
        self.run_unit()
        await self.notified.wait_for("READY=1")
        self.assertIn(b'0{"sid":', receive_answer(meanwhile))


class SystemdTests(Lives, SystemdTestCase):
    async def test_units(self) -> None:
        """systemd itself has nothing to say against the documented units."""
        for name in ("mojo.service", "mojo.socket"):
            text = (ROOT / "docs" / name).read_text(encoding="utf-8")
            text = text.replace("/srv/venv/bin/twistd", sys.executable)
            (self.folder / name).write_text(text.replace("User=mojo", "User=root"))
        units = [self.folder / name for name in ("mojo.service", "mojo.socket")]
        verified = start(SYSTEMD_ANALYZE, "verify", *units)
        self.assertEqual((await verified.ended, verified.output), (0, ""))

    if not SYSTEMD_ANALYZE:
        test_units.skip = "needs systemd-analyze"

    async def test_socket_that_systemd_did_not_pass(self) -> None:
        process = start_twistd(
            self.folder, "--project", PROJECT, "--listen", "systemd:domain=INET:index=0"
        )
        self.assertEqual(await process.ended, 1)
        self.assertIn("systemd has passed no such socket", process.output)
