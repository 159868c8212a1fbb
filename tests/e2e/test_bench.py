"""The bench's load generator: it reads a real server, and is not fooled by a wrong one."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from pathlib import Path
from unittest import skipIf

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bench import scaling
from bench.machine import compile_load
from bench.servers import PROJECT
from mojo import MojoSocketHandler, event
from mojo.project.app import App
from mojo.service import MojoService
from mojo.settings import Settings
from tests.e2e.processes import start
from tests.project.disk import forget_projects
from tests.redis_server import NO_REDIS, RedisServer

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
HERE = "tcp:0:interface=127.0.0.1"


def handler_of_the_bench():
    """Import the bench's handler, but not as a project: its modules would stay in the way."""
    spec = importlib.util.spec_from_file_location("bench_handler", PROJECT / "socket_handlers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SocketConnectionHandler


class LoadTests(TestCase):
    skip = None if COMPILER else "needs a C compiler"
    program: Path | None = None

    def setUp(self):
        if LoadTests.program is None:
            LoadTests.program = compile_load(Path(self.mktemp())).resolve()

    def serve(self, handler, **settings) -> tuple[MojoService, str]:
        """Start a service; give it and its port."""
        settings = Settings(debug=True, **settings)
        apps = [App(name="", handler=handler)]
        service = MojoService(reactor, settings, apps, endpoints=[HERE])
        service.startService()
        self.addCleanup(service.stopService)
        return service, re.search(r"127\.0\.0\.1:(\d+)", service.banner()).group(1)

    async def load(self, handler, workload, *options):
        """Run a workload for some messages; give the exit status and what was printed."""
        _, port = self.serve(handler)
        return await self.load_at(port, workload, *options)

    async def load_at(self, port, workload, *options):
        process = start(
            self.program,
            *("--port", port, "--pid", str(os.getpid()), "--workload", workload),
            *("--connections", "4", "--messages", "20", "--warmup", "0", *options),
        )
        return await process.ended, process.output

    async def check(self, workload, *options):
        status, output = await self.load(handler_of_the_bench(), workload, *options)
        self.assertEqual(status, 0, output)
        self.assertGreaterEqual(json.loads(output)["messages"], 20)

    async def test_acknowledgements(self):
        """Echoes come back, several at a time."""
        await self.check("ack", "--outstanding", "3")

    async def test_broadcasts(self):
        """Broadcasts come to everyone, in order."""
        await self.check("broadcast", "--outstanding", "3")

    async def test_rooms(self):
        """Broadcasts come to their rooms."""
        await self.check("rooms", "--rooms", "2")

    async def test_polling(self):
        """Echoes come back by long-polling."""
        await self.check("polling")

    async def test_binary(self):
        """Bytes come back."""
        await self.check("binary", "--size", "70000")

    async def test_arrivals(self):
        """WebSockets come and go."""
        await self.check("connect")

    async def test_upgrades(self):
        """Clients move from long-polling to WebSocket."""
        await self.check("upgrade")

    @skipIf(NO_REDIS, NO_REDIS)
    async def test_two_servers(self):
        """One sends at the first of two servers of a cluster, and all others are at the second."""
        redis = RedisServer()
        await redis.start()
        self.addCleanup(redis.clean)
        handler = handler_of_the_bench()
        (one, port), (two, other) = (self.serve(handler, redis=redis.url) for _ in range(2))
        while not all(service.stats.dump()["cluster_up"] for service in (one, two)):
            await deferLater(reactor, 0.01)
        options = ("--other-port", other, "--other-pid", str(os.getpid()))
        status, output = await self.load_at(port, "broadcast", *options, "--outstanding", "3")
        self.assertEqual(status, 0, output)
        counts = [service.stats.dump()["total_connections"] for service in (one, two)]
        self.assertEqual(counts, [1, 3])

    async def test_wrong_answer(self):
        """An acknowledgement with another text ends the run with an error."""

        class Handler(MojoSocketHandler):
            @event
            def echo(self, text):
                return text[::-1]

        status, output = await self.load(Handler, "ack")
        self.assertEqual(status, 1)
        self.assertIn("not the answer to an echo", output)

    async def test_wrong_broadcast(self):
        """A broadcast that comes to one member twice ends the run with an error."""

        class Handler(MojoSocketHandler):
            @event("all")
            def everyone(self, text):
                self.emit("all", text)
                self.emit("all", text)

        status, output = await self.load(Handler, "broadcast")
        self.assertEqual(status, 1)
        self.assertIn("not broadcast 1", output)


class CurveTests(SynchronousTestCase):
    def test_every_cost_is_measured(self):
        """They check that what they measure was done; how long it took is nobody's business."""
        forget_projects(self)
        self.patch(scaling, "CONNECTIONS", (20,))
        self.patch(scaling, "ROOMS", (2,))
        self.patch(scaling, "OPERATIONS", 20)
        self.patch(scaling, "REPEATS", 1)
        said = []
        grown = scaling.curves(said.append)
        for points in (*grown["connections"].values(), *grown["rooms"].values()):
            self.assertEqual(len(points), 1)
        by_rooms = ["broadcast", "join", "leave", "disconnect"]
        self.assertEqual(list(grown["connections"]), [*by_rooms, "heartbeat"])
        self.assertEqual(list(grown["rooms"]), by_rooms)
        self.assertEqual(len(said), 2)
