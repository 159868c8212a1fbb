"""``twistd mojo``: how it starts, what it says, and how it fails to start."""

from __future__ import annotations

import socket
import stat
import tempfile
from pathlib import Path

from twisted.internet import endpoints, reactor, ssl
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from mojo.testing.frames import UPGRADE_HEADERS
from mojo.testing.http import http_request
from tests.e2e.certificate import make_certificate
from tests.e2e.processes import (
    HERE,
    NO_NODE,
    NODE,
    PROJECT,
    ROOT,
    start,
    start_python,
    start_server,
    start_twistd,
)


class Talk(Protocol):
    """Sends a request and gathers what comes until the server closes."""

    def __init__(self, request: bytes, until: bytes) -> None:
        self.request = request
        self.until = until
        self.received = b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self.request)

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self.until in self.received:
            self.transport.loseConnection()

    def connectionLost(self, reason) -> None:
        self.done.callback(self.received)


def short_folder(test: TestCase) -> Path:
    """Make a folder for Unix sockets, whose paths have at most a hundred characters."""
    folder = tempfile.TemporaryDirectory(prefix="mojo")
    test.addCleanup(folder.cleanup)
    return Path(folder.name)


async def talk(endpoint, request: bytes, until: bytes = b"\r\n\r\n") -> bytes:
    factory = Factory.forProtocol(lambda: Talk(request, until))
    protocol = await endpoint.connect(factory)
    return await protocol.done


class TwistdTestCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    def run_twistd(self, *arguments: str):
        process = start_twistd(self.folder, *arguments)
        self.addCleanup(process.stop)
        return process


class FailureTests(TwistdTestCase):
    """One clear line, and a status that is not 0."""

    async def fails(self, expected: str, *arguments: str) -> None:
        process = self.run_twistd(*arguments)
        self.assertEqual(await process.ended, 1, process.output)
        (line,) = [line for line in process.output.splitlines() if "twistd mojo: " in line]
        self.assertIn(expected, line)
        self.assertNotIn("Traceback", process.output)
        self.assertFalse((self.folder / "twistd.pid").exists())

    async def test_no_project(self) -> None:
        await self.fails("no such folder", "--project", str(self.folder / "nowhere"))
        await self.fails("settings.py: no such file", "--project", str(self.folder))

    async def test_bad_settings(self) -> None:
        """All of them in the one line."""
        (self.folder / "settings.py").write_text("LISTEN_PORT = 'x'\nCOOKIE_SECRET = 'short'\n")
        await self.fails("LISTEN_PORT must be", "--project", str(self.folder))
        await self.fails("COOKIE_SECRET is too weak", "--project", str(self.folder))

    async def test_bad_override(self) -> None:
        await self.fails("'X' is not NAME=VALUE", "--project", str(PROJECT), "--settings", "X")
        await self.fails("X is no setting", "--project", str(PROJECT), "--settings", "X=1")

    async def test_broken_app(self) -> None:
        (self.folder / "settings.py").write_text("DEBUG = True\n")
        app = self.folder / "Apps" / "Chat"
        app.mkdir(parents=True)
        (app / "socket_handlers.py").write_text("import nothing_like_this\n")
        await self.fails("socket_handlers.py:1: ModuleNotFoundError", "--project", str(self.folder))

    async def test_conflict(self) -> None:
        (self.folder / "settings.py").write_text("DEBUG = True\nSOCKET_IO = {'path': '/static/'}\n")
        await self.fails("'/static' is taken by Socket.IO", "--project", str(self.folder))

    async def test_busy_port(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            await self.fails(
                f"cannot listen on '{endpoint}'", "--project", str(PROJECT), "--listen", endpoint
            )

    async def test_bad_endpoint(self) -> None:
        await self.fails(
            "cannot listen on 'nonsense'", "--project", str(PROJECT), "--listen", "nonsense"
        )


class StartTests(TwistdTestCase):
    async def test_banner(self) -> None:
        """Project, apps with their paths, addresses, and whether the cookies are safe."""
        server, base = await start_server(self.folder)
        self.addCleanup(server.stop)
        for line in (
            "Mojo serves project",
            "(project): namespace / on /socket.io/",
            "Echo: namespace /EchoSocket on /socket.io/ and path /EchoSocket/",
            "News: pages",
            f"on {base}/",
            "cookies: sealed with the project's secret, Secure where the visitor comes by https",
        ):
            self.assertIn(line, server.output)
        self.assertNotIn("0123456789", server.output)

    async def test_settings_of_the_command_line(self) -> None:
        server, _ = await start_server(
            self.folder, PROJECT, "--settings", "PROJECT_NAME=Other", "--settings",
            "SOCKET_IO.path=/rt/",
        )  # fmt: skip
        self.addCleanup(server.stop)
        self.assertIn("Mojo serves Other", server.output)
        self.assertIn("namespace / on /rt/", server.output)

    async def test_unix_socket(self) -> None:
        """Several endpoints, of several kinds."""
        path = short_folder(self) / "mojo.sock"
        server, _ = await start_server(self.folder, PROJECT, "--listen", f"unix:{path}")
        self.addCleanup(server.stop)
        self.assertIn(f"on unix socket '{path}'", server.output)
        self.assertTrue(stat.S_ISSOCK(path.stat().st_mode))
        endpoint = endpoints.UNIXClientEndpoint(reactor, str(path))
        request = http_request("GET", "/socket.io/?EIO=4&transport=polling")
        self.assertIn(b'0{"sid":', await talk(endpoint, request, b"}"))
        websocket = http_request(
            "GET", "/socket.io/?EIO=4&transport=websocket", headers=UPGRADE_HEADERS
        )
        self.assertIn(b"101 Switching", await talk(endpoint, websocket, b'"maxPayload"'))

    async def test_tls(self) -> None:
        """Cookies are Secure, and WebSockets work, where the server itself has a key."""
        key, certificate = make_certificate(self.folder)
        server = self.run_twistd(
            "--project", str(PROJECT), "--listen",
            f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1",
        )  # fmt: skip
        match = await server.wait_for(r"on https://127\.0\.0\.1:(\d+)/")
        port = int(match.group(1))
        endpoint = endpoints.SSL4ClientEndpoint(
            reactor, "127.0.0.1", port, ssl.CertificateOptions(verify=False)
        )
        page = await talk(endpoint, http_request("GET", "/who"), b"}")
        self.assertIn(b"; Secure; HttpOnly; SameSite=Lax", page)
        websocket = http_request(
            "GET",
            "/socket.io/?EIO=4&transport=websocket",
            headers={**UPGRADE_HEADERS, "Origin": "https://example.com"},
        )
        self.assertIn(b"101 Switching", await talk(endpoint, websocket, b'"maxPayload"'))
        plain = http_request(
            "GET",
            "/socket.io/?EIO=4&transport=websocket",
            headers={**UPGRADE_HEADERS, "Origin": "http://example.com"},
        )
        self.assertIn(b" 403 ", await talk(endpoint, plain))
        if NO_NODE is None:
            client = start(
                NODE, HERE / "js" / "run.mjs", "exchange", f"https://127.0.0.1:{port}",
                SELF_SIGNED="1",
            )  # fmt: skip
            self.assertEqual(await client.ended, 0, client.output)


class ExampleTests(TwistdTestCase):
    """The examples that are single files."""

    async def run_example(self, name: str) -> endpoints.UNIXClientEndpoint:
        path = short_folder(self) / "socket"
        example = start_python(ROOT / "examples" / name, f"unix:{path}")
        self.addCleanup(example.stop)
        await example.wait_for("listening on")
        return endpoints.UNIXClientEndpoint(reactor, str(path))

    async def test_echo(self) -> None:
        endpoint = await self.run_example("engineio_echo.py")
        request = http_request("GET", "/engine.io/?EIO=4&transport=polling")
        self.assertIn(b'0{"sid":', await talk(endpoint, request, b"}"))

    async def test_resource(self) -> None:
        endpoint = await self.run_example("resource_in_site.py")
        answer = await talk(endpoint, http_request("GET", "/news"), b"here")
        self.assertIn(b"0 visitors are here", answer)
        request = http_request("GET", "/NewsSocket/?EIO=4&transport=polling")
        self.assertIn(b'0{"sid":', await talk(endpoint, request, b"}"))
        answer = await talk(endpoint, http_request("GET", "/stats"), b"bytes_recv_ps")
        self.assertIn(b'"active_sessions": 1', answer)
        post = http_request("POST", "/news", body=b"hello")
        self.assertIn(b"told", await talk(endpoint, post, b"told"))
