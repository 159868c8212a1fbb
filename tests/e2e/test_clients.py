"""A running ``twistd mojo``, and clients that we did not write."""

from __future__ import annotations

import signal
from io import BytesIO
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, FileBodyProducer, readBody

from tests.e2e.processes import (
    CHROMIUM,
    HERE,
    NO_BROWSER,
    NO_NODE,
    NODE,
    start,
    start_python,
    start_server,
)

try:
    import socketio

    NO_PYTHON_CLIENT = None if socketio else ""
except ImportError:
    NO_PYTHON_CLIENT = "needs python-socketio and aiohttp"


class ServerTestCase(TestCase):
    """Starts the test project before each test."""

    timeout = 120
    project = HERE / "project"
    arguments: tuple[str, ...] = ()

    async def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.server, self.base = await start_server(self.folder, self.project, *self.arguments)
        self.addCleanup(self.server.stop)

    async def succeed(self, process) -> None:
        """Wait for a client's process, and show both sides if it fails."""
        status = await process.ended
        if status:
            self.fail(f"{process.output}\n--- the server:\n{self.server.output}")


class NodeTests(ServerTestCase):
    """The official client, by each transport and both kinds of path."""

    skip = NO_NODE

    async def scenario(self, name: str) -> None:
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", name, self.base))

    async def test_exchange(self) -> None:
        await self.scenario("exchange")
        # The handler that raised was logged, once for each of the six connections.
        self.assertEqual(self.server.output.count("ValueError: as asked"), 6)

    async def test_binary(self) -> None:
        await self.scenario("binary")

    async def test_upgrade(self) -> None:
        await self.scenario("upgrade")

    async def test_namespaces(self) -> None:
        await self.scenario("namespaces")

    async def test_refusal(self) -> None:
        await self.scenario("refusal")

    async def test_rooms(self) -> None:
        await self.scenario("rooms")

    async def test_leaving(self) -> None:
        await self.scenario("leaving")

    async def test_reconnect(self) -> None:
        await self.scenario("reconnect")

    async def test_buffered(self) -> None:
        await self.scenario("buffered")

    async def test_too_long(self) -> None:
        await self.scenario("tooLong")
        self.assertIn("longer than max_payload", self.server.output)

    async def test_origins(self) -> None:
        await self.scenario("origins")
        self.assertIn("'https://evil.example' is not one of", self.server.output)

    async def test_registry(self) -> None:
        await self.scenario("registry")

    async def test_logout(self) -> None:
        await self.scenario("logout")

    async def test_broadcast(self) -> None:
        await self.scenario("broadcast")

    async def test_client(self) -> None:
        await self.scenario("client")

    async def test_shutdown(self) -> None:
        """SIGTERM: the clients are told, and twistd ends by the signal, as it does."""
        client = start(NODE, HERE / "js" / "run.mjs", "shutdown", self.base)
        await client.wait_for("CONNECTED")
        self.assertEqual(await self.server.stop(), -signal.SIGTERM)
        await self.succeed(client)


class MsgpackTests(ServerTestCase):
    """The official client with its MessagePack parser, on a server that has it too."""

    skip = NO_NODE
    arguments = ("--settings", "SOCKET_IO.parser=msgpack")

    async def test_msgpack(self) -> None:
        script = HERE / "js" / "run.mjs"
        await self.succeed(start(NODE, script, "msgpack", self.base))
        self.assertEqual(self.server.output.count("ValueError: as asked"), 6)


class OverflowTests(ServerTestCase):
    """The official client, sent more than may wait for it."""

    skip = NO_NODE
    arguments = ("--settings", "SOCKET_IO.max_buffered=1_000_000")

    async def test_closed(self) -> None:
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", "slow.closed", self.base))
        self.assertEqual(self.server.output.count("and max_buffered is 1000000"), 2)


class DropTests(ServerTestCase):
    skip = NO_NODE
    arguments = (*OverflowTests.arguments, "--settings", "SOCKET_IO.overflow=drop_oldest")

    async def test_dropped(self) -> None:
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", "slow.dropped", self.base))
        self.assertEqual(self.server.output.count("messages are dropped"), 2)


class DeflateTests(ServerTestCase):
    """The official client with compressed WebSocket messages."""

    skip = NO_NODE
    arguments = ("--settings", "SOCKET_IO.per_message_deflate=True")

    async def test_deflate(self) -> None:
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", "deflate", self.base))
        self.assertIn("longer than max_payload", self.server.output)


class WordsTests(ServerTestCase):
    """Operators, middleware and namespaces made on demand, by every transport and path."""

    skip = NO_NODE

    async def scenario(self, name: str) -> None:
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", f"words.{name}", self.base))
        self.assertNotIn("Traceback", self.server.output)

    async def test_acks(self) -> None:
        await self.scenario("acks")

    async def test_timeouts(self) -> None:
        await self.scenario("timeouts")

    async def test_volatile(self) -> None:
        await self.scenario("volatile")

    async def test_rooms(self) -> None:
        await self.scenario("rooms")

    async def test_middleware(self) -> None:
        await self.scenario("middleware")

    async def test_demand(self) -> None:
        await self.scenario("demand")

    async def test_disconnecting(self) -> None:
        await self.scenario("disconnecting")


class RecoveryTests(ServerTestCase):
    """The official client, through a proxy that cuts its connections."""

    skip = NO_NODE
    arguments = ("--settings", "SOCKET_IO.recovery={}")

    async def scenario(self, name: str) -> None:
        await self.succeed(start(NODE, HERE / "js" / "recovery.mjs", name, self.base))

    async def test_stream(self) -> None:
        await self.scenario("stream")

    async def test_rooms(self) -> None:
        await self.scenario("rooms")

    async def test_zero(self) -> None:
        await self.scenario("zero")

    async def test_takeover(self) -> None:
        await self.scenario("takeover")

    async def test_retries(self) -> None:
        await self.scenario("retries")


class HookTests(ServerTestCase):
    """Functions of the project's that settings name by their dotted paths."""

    skip = NO_NODE
    arguments = (
        "--settings",
        "SOCKET_IO.allow_request=hooks.allow",
        "--settings",
        "SOCKET_IO.generate_id=hooks.make_id",
        "--settings",
        "SOCKET_IO.initial_headers=hooks.first_headers",
        "--settings",
        "SOCKET_IO.connection_error=hooks.refused",
        "--settings",
        "SOCKET_IO.cookie=lb",
    )

    async def test_hooks(self) -> None:
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", "hooks", self.base))
        self.assertEqual(self.server.output.count("refused: FORBIDDEN from 127.0.0.1"), 3)


class OldClientTests(ServerTestCase):
    """The official client of Socket.IO 2, in Node and in a browser."""

    skip = NO_NODE
    arguments = ("--settings", "SOCKET_IO.allow_eio3=True")

    async def scenario(self, name: str) -> None:
        await self.succeed(start(NODE, HERE / "js" / "old.mjs", name, self.base))

    async def test_exchange(self) -> None:
        await self.scenario("exchange")

    async def test_binary(self) -> None:
        await self.scenario("binary")

    async def test_upgrade(self) -> None:
        await self.scenario("upgrade")

    async def test_namespaces(self) -> None:
        await self.scenario("namespaces")

    async def test_two_generations(self) -> None:
        await self.scenario("generations")

    async def test_browser(self) -> None:
        """XMLHttpRequest, WebSocket, and JSONP."""
        await self.succeed(start(NODE, HERE / "js" / "old_browser.mjs", self.base, CHROMIUM))

    test_browser.skip = NO_BROWSER  # type: ignore[attr-defined]


class CheckedTests(ServerTestCase):
    """Arguments checked by annotations, answers encoded, as a client sees them."""

    skip = NO_NODE
    project = HERE / "checked"
    parser = "json"

    async def setUp(self) -> None:
        self.arguments = ("--settings", f"SOCKET_IO.parser={self.parser}")
        await super().setUp()

    async def test_checked(self) -> None:
        script = HERE / "js" / "run.mjs"
        await self.succeed(start(NODE, script, "checked", self.base, self.parser))
        self.assertNotIn("Traceback", self.server.output)
        self.assertIn("event 'count' with invalid arguments: number", self.server.output)


class CheckedMsgpackTests(CheckedTests):
    """The same in MessagePack."""

    parser = "msgpack"


class PythonClientTests(ServerTestCase):
    """The client of python-socketio."""

    skip = NO_PYTHON_CLIENT

    async def test_python_client(self) -> None:
        await self.succeed(start_python(HERE / "python_client.py", self.base))


class NewsTests(ServerTestCase):
    """A plain Twisted resource tells clients of every kind at once."""

    skip = NO_BROWSER or NO_PYTHON_CLIENT

    async def test_everybody_hears(self) -> None:
        """
        A browser, Node and Python.

        They came by different transports and by both kinds of path.
        """
        agent = Agent(reactor)
        response = await agent.request(b"GET", f"{self.base}/who".encode())
        await readBody(response)
        (cookie,) = response.headers.getRawHeaders(b"set-cookie")
        listeners = [
            start(NODE, HERE / "js" / "news.mjs", self.base, CHROMIUM),
            start(NODE, HERE / "js" / "run.mjs", "waitForNews", self.base),
            start_python(HERE / "python_client.py", self.base, cookie.decode().split(";")[0]),
        ]
        for listener in listeners:
            await listener.wait_for("CONNECTED")
        self.assertIn("CONNECTED websocket", listeners[0].output)
        body = FileBodyProducer(BytesIO(b"it rains"))
        await agent.request(b"POST", f"{self.base}/announce/".encode(), bodyProducer=body)
        for listener in listeners:
            await self.succeed(listener)
            self.assertEqual(listener.output.count("NEWS it rains"), 1)
