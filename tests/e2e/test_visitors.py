"""What is kept of visitors: real processes, a real Redis, the official client."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.e2e.processes import HERE, NO_NODE, NODE, PROJECT, start, start_server
from tests.e2e.test_clients import ServerTestCase
from tests.redis_server import NO_REDIS, RedisServer


class MovingTests(ServerTestCase):
    skip = NO_NODE

    async def scenario(self, name: str) -> None:
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", f"visitors.{name}", self.base))

    async def test_moving(self) -> None:
        """A login changes the session's id; the visitor's connections, by any way, go along."""
        await self.scenario("moving")

    async def test_coming_back(self) -> None:
        """A connection that has to come back does, by itself, when it has the new cookie."""
        await self.scenario("comingBack")


class SharedTests(TestCase):
    """Two processes and one Redis, which goes away and comes back."""

    skip = NO_NODE or NO_REDIS
    timeout = 120

    async def test_shared(self) -> None:
        redis = RedisServer()
        await redis.start()
        self.addCleanup(redis.clean)
        folder = Path(self.mktemp()).absolute()
        servers, bases = [], []
        for name in ("here", "there"):
            (folder / name).mkdir(parents=True)
            server, base = await start_server(
                folder / name, PROJECT, "--settings", f"SESSION_STORE={redis.url}"
            )
            self.addCleanup(server.stop)
            servers.append(server)
            bases.append(base)
        client = start(NODE, HERE / "js" / "run.mjs", "visitors.shared", *bases)
        await client.wait_for("STOP REDIS")
        await redis.stop()
        client.transport.write(b"stopped\n")
        await client.wait_for("START REDIS")
        await redis.start()
        client.transport.write(b"started\n")
        if await client.ended:
            self.fail("\n---\n".join([client.output, *(server.output for server in servers)]))
        output = servers[0].output
        self.assertEqual(output.count("connection lost"), 1, output)
        self.assertIn("connected again", output)
        self.assertNotIn("k39", output)
