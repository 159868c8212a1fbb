"""Several servers on a real Redis, of which one goes: what their clients hear of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from signal import SIGKILL

from twisted.trial.unittest import TestCase

from tests.e2e.processes import HERE, NO_NODE, NODE, PROJECT, Process, start, start_server
from tests.redis_server import NO_REDIS, RedisServer


class NodesTestCase(TestCase):
    """Three servers that know each other."""

    skip = NO_NODE or NO_REDIS
    timeout = 120
    adapter = "pubsub"
    arguments: tuple[str, ...] = ()
    names: tuple[str, ...] = ("one", "two", "three")

    async def setUp(self) -> None:
        if not self.arguments:
            self.redis = RedisServer()
            await self.redis.start()
            self.addCleanup(self.redis.clean)
        self.folder = Path(self.mktemp()).absolute()
        self.processes: list[Process] = []
        self.addCleanup(self.stop_all)
        self.bases = [await self.start_one(name) for name in self.names]
        # Until then they have no heirs, and are none: who is at one that goes is not waited for.
        for process in self.processes:
            await process.wait_for("(?s)(cluster: [^ ]+ is there.*){2}")
            await process.wait_for("cluster: what the others know is known here")

    async def start_one(self, name: str) -> str:
        folder = self.folder / name
        folder.mkdir(parents=True)
        process, base = await start_server(
            folder,
            PROJECT,
            *(self.arguments or ("--redis", f"{self.redis.url}?adapter={self.adapter}")),
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

    async def key_of(self, base: str, cookie: str) -> str:
        """Tell whom somebody who comes with a cookie is taken for."""
        client = start(NODE, HERE / "js" / "run.mjs", "nodes.keyOf", base, cookie)
        found = await client.wait_for(r"KEYS (.*)\.")
        await self.succeed(client)
        return found.group(1)

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
        """Three beats of two seconds, and one second; a busy machine may take two more."""
        client = self.scenario("killed", "9")
        await client.wait_for("KILL")
        self.processes[0].signal("KILL")
        await self.succeed(client)
        for process in self.processes[1:]:
            self.assertEqual(process.output.count("it is taken for dead"), 1)

    async def test_stopped(self) -> None:
        """Nobody waits for beats of a server that has said that it goes."""
        client = self.scenario("stopped")
        await client.wait_for("STOP")
        self.processes[0].signal("TERM")
        await self.succeed(client)
        for process in self.processes[1:]:
            self.assertNotIn("taken for dead", process.output)


class RevokedTests(NodesTestCase):
    async def test_started_later(self) -> None:
        """A logout is one for servers that were not there, also where nobody was meanwhile."""
        client = self.scenario("copied")
        await self.succeed(client)
        good = (await client.wait_for(r"GOOD (.*)\.")).group(1)
        bad = (await client.wait_for(r"BAD (.*)\.")).group(1)
        self.assertEqual(await self.key_of(self.bases[1], good), "ada")
        self.assertEqual(await self.key_of(self.bases[1], bad), "guest:")
        for process in self.processes:
            process.signal("KILL")
            await process.ended
        base = await self.start_one("four")
        self.assertEqual(await self.key_of(base, good), "ada")
        self.assertEqual(await self.key_of(base, bad), "guest:")
        await self.processes[-1].wait_for("1 revocations were learnt")


class WorkersTests(NodesTestCase):
    """One server of two workers, without Redis."""

    arguments = ("--workers", "2")
    names = ("one",)
    skip = NO_NODE

    async def test_workers_started_later(self) -> None:
        """A worker that takes a dead one's place learns from the other what is revoked."""
        client = self.scenario("copied")
        await self.succeed(client)
        bad = (await client.wait_for(r"BAD (.*)\.")).group(1)
        (server,) = self.processes
        for number, worker in enumerate(
            re.findall(r"cluster: [^ ]+:(\d+) is there", server.output)
        ):
            os.kill(int(worker), SIGKILL)
            await server.wait_for(f"(?s)(1 revocations were learnt.*){{{number + 1}}}")
        await server.wait_for("(?s)(is there.*){4}")
        for _ in range(3):
            self.assertEqual(await self.key_of(self.bases[0], bad), "guest:")


class StreamEndTests(EndTests):
    """The same where servers speak by a stream, which has no beats of its own."""

    adapter = "streams"
