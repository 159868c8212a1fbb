"""Several servers on a real Redis, of which one goes: what their clients hear of it."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.e2e.processes import HERE, NO_NODE, NODE, PROJECT, Process, start, start_server
from tests.redis_server import NO_REDIS, RedisServer


class NodesTestCase(TestCase):
    """Three servers that know each other."""

    skip = NO_NODE or NO_REDIS
    timeout = 120
    adapter = "pubsub"

    async def setUp(self) -> None:
        self.redis = RedisServer()
        await self.redis.start()
        self.addCleanup(self.redis.clean)
        self.folder = Path(self.mktemp()).absolute()
        self.processes: list[Process] = []
        self.addCleanup(self.stop_all)
        self.bases = [await self.start_one(name) for name in ("one", "two", "three")]
        for process in self.processes:
            await process.wait_for("(?s)(cluster: [^ ]+ is there.*){2}")

    async def start_one(self, name: str) -> str:
        folder = self.folder / name
        folder.mkdir(parents=True)
        process, base = await start_server(
            folder,
            PROJECT,
            "--redis",
            f"{self.redis.url}?adapter={self.adapter}",
            "--settings",
            "PRESENCE_GRACE=2",
            "--settings",
            "CLUSTER_HEARTBEAT=2",
            "--settings",
            "DRAIN_SECONDS=1",
        )
        self.processes.append(process)
        return base

    async def stop_all(self) -> None:
        for process in self.processes:
            await process.stop()

    def scenario(self, name: str, *more: str) -> Process:
        return start(NODE, HERE / "js" / "run.mjs", f"nodes.{name}", *more, *self.bases)

    async def succeed(self, client: Process) -> None:
        if await client.ended:
            outputs = [client.output, *(process.output for process in self.processes)]
            self.fail("\n---\n".join(outputs))


class PresenceTests(NodesTestCase):
    async def test_everywhere(self) -> None:
        await self.succeed(self.scenario("everywhere"))

    async def test_moves(self) -> None:
        """A client that comes back at another server makes nobody think that it was away."""
        await self.succeed(self.scenario("moves"))


class EndTests(NodesTestCase):
    """The first of them goes."""

    async def test_killed(self) -> None:
        """Three beats of two seconds, and one: the stated time."""
        client = self.scenario("killed", "7")
        await client.wait_for("KILL")
        self.processes[0].transport.signalProcess("KILL")
        await self.succeed(client)
        for process in self.processes[1:]:
            self.assertEqual(process.output.count("it is taken for dead"), 1)

    async def test_stopped(self) -> None:
        """Nobody waits for beats of a server that has said that it goes."""
        client = self.scenario("stopped")
        await client.wait_for("STOP")
        self.processes[0].transport.signalProcess("TERM")
        await self.succeed(client)
        for process in self.processes[1:]:
            self.assertNotIn("taken for dead", process.output)


class StreamEndTests(EndTests):
    """The same where servers speak by a stream, which has no beats of its own."""

    adapter = "streams"
