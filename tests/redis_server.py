"""A real Redis of a test's own, on a socket in a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from signal import SIGCONT, SIGKILL

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from mojo.redis.resp import RespReader, command
from tests.e2e.certificate import make_certificate
from tests.e2e.processes import Process, start
from tests.ports import free_port

REDIS = shutil.which("redis-server")
NO_REDIS = None if REDIS else "needs redis-server"


class RedisServer:
    """
    A Redis that can be stopped, started again, and held up.

    Attributes:
        url: where it is.
        port: of TLS, after `with_tls`; of TCP, after `with_port`.
        plain_port: see there.
        certificate: that it shows there.
    """

    def __init__(self, *options: str) -> None:
        # Not trial's folder: a socket's path must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="mojo-redis-"))
        self.socket = self.folder / "socket"
        self.url = f"unix://{self.socket}"
        self._options = options
        self._ports = ExitStack()
        self.process: Process | None = None

    def with_tls(self) -> RedisServer:
        """Let it be reached by TLS too, and without on a port of its own."""
        self.port, self.plain_port = (free_port(self._ports.callback) for _ in range(2))
        key, self.certificate = make_certificate(self.folder)
        self._options += (
            "--port", str(self.plain_port), "--tls-port", str(self.port), "--bind", "127.0.0.1",
            "--tls-cert-file", str(self.certificate), "--tls-key-file", str(key),
            "--tls-auth-clients", "no",
        )  # fmt: skip
        return self

    def with_port(self) -> RedisServer:
        """Let it be reached by TCP too."""
        self.port = free_port(self._ports.callback)
        # A replica need not wait for others that might want the same.
        at_once = ("--repl-diskless-sync-delay", "0")
        self._options += ("--port", str(self.port), "--bind", "127.0.0.1", *at_once)
        return self

    async def start(self, *options: str, ready="eady to accept connections") -> None:
        self.process = start(
            REDIS, "--port", "0", "--unixsocket", self.socket, "--dir", self.folder,
            "--save", "", "--appendonly", "no", *self._options, *options,
        )  # fmt: skip
        await self.process.wait_for(ready)

    async def stop(self) -> None:
        if self.process is not None:
            self.signal(SIGCONT)
            await self.process.stop()
            self.process = None

    async def kill(self) -> None:
        """End it as a crash does."""
        self.signal(SIGKILL)
        await self.process.ended
        self.process = None

    def signal(self, number: int) -> None:
        self.process.signal(number)

    async def clean(self) -> None:
        await self.stop()
        self._ports.close()
        shutil.rmtree(self.folder)

    async def ask(self, *words: str) -> bytes:
        """Send a command by hand; give the answer as it is on the wire."""
        return await self.send(command(*words))

    async def pause(self, milliseconds: int) -> None:
        """Have it answer nobody for so long; it has begun when this is over."""
        asker = _OneAnswer()
        await connectProtocol(UNIXClientEndpoint(reactor, str(self.socket)), asker)
        asker.transport.write(command("CLIENT", "PAUSE", str(milliseconds), "ALL"))
        await asker.ended

    async def ask_as(self, password: str, *words: str) -> bytes:
        """The same, after a login."""
        answer = await self.send(command("AUTH", password) + command(*words))
        return answer.removeprefix(b"+OK\r\n")

    async def send(self, commands: bytes) -> bytes:
        """Send commands as they are on the wire; give the answers."""
        asker = _Asker()
        await connectProtocol(UNIXClientEndpoint(reactor, str(self.socket)), asker)
        asker.transport.write(commands + b"*1\r\n$4\r\nQUIT\r\n")
        return (await asker.ended).removesuffix(b"+OK\r\n")


class SentinelServer(RedisServer):
    """
    A sentinel.

    Args:
        master: what it watches over.
        lines: more lines of its configuration.
    """

    def __init__(self, master: RedisServer, *lines: str) -> None:
        super().__init__()
        self.with_port()
        self._master = master
        self._lines = lines

    async def start(self) -> None:
        config = self.folder / "sentinel.conf"
        lines = [
            f"unixsocket {self.socket}",
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self.folder}",
            f"sentinel monitor shop 127.0.0.1 {self._master.port} 1",
            "sentinel down-after-milliseconds shop 500",
            "sentinel failover-timeout shop 2000",
            *self._lines,
        ]
        config.write_text("\n".join(lines), encoding="utf-8")
        self.process = start(REDIS, config, "--sentinel")
        await self.process.wait_for("\\+monitor master shop")

    async def send(self, commands: bytes) -> bytes:
        """Send a command; a sentinel does not know how to quit."""
        asker = _OneAnswer()
        await connectProtocol(UNIXClientEndpoint(reactor, str(self.socket)), asker)
        asker.transport.write(commands)
        return await asker.ended


class _Asker(Protocol):
    def __init__(self) -> None:
        self.answer = b""
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.answer += data

    def connectionLost(self, reason) -> None:
        self.ended.callback(self.answer)


class _OneAnswer(_Asker):
    def __init__(self) -> None:
        super().__init__()
        self._reader = RespReader(1_000_000)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self._reader.feed(data):
            self.transport.loseConnection()
