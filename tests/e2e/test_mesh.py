"""A cluster of Node's servers and Mojo's, with a real Redis and the official packages."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mojo.emitter import TwistedEmitter
from tests.e2e.processes import (
    HERE,
    NO_NODE,
    NODE,
    ROOT,
    Process,
    start,
    start_python,
    start_server,
)
from tests.redis_server import NO_REDIS, RedisServer

MESH = HERE / "mesh"
NO_MESH = (
    NO_NODE
    or NO_REDIS
    or (
        None
        if (HERE / "node_modules" / "@socket.io" / "redis-adapter").is_dir()
        else "needs the packages of tests/e2e"
    )
)
HAS_STREAMS = (HERE / "node_modules" / "@socket.io" / "redis-streams-adapter").is_dir()
NO_STREAMS = NO_MESH or (None if HAS_STREAMS else "needs @socket.io/redis-streams-adapter")


class MeshTestCase(TestCase):
    """Starts a Redis, a Node server and two of Mojo's."""

    skip = NO_MESH
    timeout = 180
    library = "redis"
    adapter = "pubsub"
    node_more: tuple[str, ...] = ()
    mojo_more: tuple[str, ...] = ()

    async def setUp(self) -> None:
        self.redis = RedisServer()
        await self.redis.start()
        self.addCleanup(self.redis.clean)
        self.folder = Path(self.mktemp()).absolute()
        self.processes: list[Process] = []
        self.addCleanup(self.stop_all)
        await self.start_servers()

    async def start_servers(self) -> None:
        node = self.start_node()
        self.mojos = [await self.start_mojo(name) for name in ("one", "two")]
        port = await node.wait_for(r"PORT (\d+)\.")
        self.bases = [self.mojos[0][1], f"http://127.0.0.1:{port.group(1)}", self.mojos[1][1]]

    def start_node(self, **environment: str) -> Process:
        """Start a server of Node's; see the script for its environment."""
        script = HERE / "js" / "mesh_server.mjs"
        arguments = (self.redis.socket, self.library, self.adapter, *self.node_more)
        process = start(NODE, script, *arguments, **environment)
        self.processes.append(process)
        return process

    async def start_mojo(self, name: str, *more: str, port: int = 0) -> tuple[Process, str]:
        """Start a server of Mojo's, or start it again."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        process, base = await start_server(
            folder, MESH, "--redis", self.url, *self.mojo_more, *more, port=port
        )
        self.processes.append(process)
        await process.wait_for("cluster: connected")
        return process, base

    @property
    def url(self) -> str:
        """The Redis, with the format."""
        return f"{self.redis.url}?adapter={self.adapter}"

    async def stop_all(self) -> None:
        for process in self.processes:
            await process.stop()

    async def scenario(self, name: str, *more: str) -> None:
        client = start(NODE, HERE / "js" / "run.mjs", f"mesh.{name}", *more, *self.bases)
        await self.succeed(client)

    async def succeed(self, client: Process) -> None:
        if await client.ended:
            outputs = [client.output, *(process.output for process in self.processes)]
            self.fail("\n---\n".join(outputs))

    async def emit_from_python(self) -> None:
        """A program that is no server, and Mojo's and Node's clients."""
        client = start(NODE, HERE / "js" / "run.mjs", "mesh.python", *self.bases)
        await client.wait_for("EMIT")
        code = (
            "import sys; from mojo.emitter import Emitter\n"
            "with Emitter(sys.argv[1]) as emitter:\n"
            "    mesh = emitter.app('Mesh')\n"
            "    mesh.emit('all', bytes([0, 255]), {'a': ['ü', None]})\n"
            "    mesh.to('room').emit('room')\n"
            "    mesh.except_('room').emit('others')\n"
            "    mesh.to('room').sockets_join('joined')\n"
            "    mesh.server_side_emit('hello', 'of Python')\n"
            "    mesh.to('joined').emit('joined')\n"
            "    mesh.emit('last')\n"
        )
        await self.succeed(start_python("-c", code, self.url))
        await client.wait_for("DISCONNECT")
        emitter = TwistedEmitter(self.url, reactor)
        await emitter.app("Mesh").to("room").disconnect_sockets(close=True)
        await emitter.close()
        await self.succeed(client)


class Scenarios:
    """What each of the formats carries."""

    async def test_broadcasts(self) -> None:
        """Whoever says it, all of those get it whom it is for, once."""
        await self.scenario("broadcasts")

    async def test_values(self) -> None:
        await self.scenario("values")

    async def test_names(self) -> None:
        """Rooms whose names mean something to Redis are rooms like others."""
        await self.scenario("names")

    async def test_namespaces(self) -> None:
        """Namespaces whose names mean something to Redis are kept apart."""
        await self.scenario("namespaces")

    async def test_answers(self) -> None:
        await self.scenario("answers")

    async def test_sockets(self) -> None:
        """Those that are elsewhere are told of, enter and leave rooms, and are disconnected."""
        await self.scenario("sockets")

    async def test_servers(self) -> None:
        await self.scenario("servers")


class RedisScenarios(Scenarios):
    """And what there is where they go by Redis."""

    async def test_python_emitter(self) -> None:
        await self.emit_from_python()


class MeshTests(RedisScenarios, MeshTestCase):
    async def test_logins(self) -> None:
        """What is sent to a user arrives at every server; a revocation too."""
        await self.scenario("logins")

    async def test_emitter(self) -> None:
        await self.scenario("emitter", str(self.redis.socket))


class OtherClientTests(MeshTestCase):
    """The other of Node's two clients of Redis."""

    library = "ioredis"

    async def test_broadcasts(self) -> None:
        await self.scenario("broadcasts")


class StreamsMeshTests(RedisScenarios, MeshTestCase):
    """The same with the other of the official formats."""

    skip = NO_STREAMS

    adapter = "streams"


class RecoveryMeshTests(MeshTestCase):
    """A client whose connection breaks, and that comes to another server."""

    skip = NO_STREAMS
    adapter = "streams"
    node_more = ("recovery",)
    mojo_more = ("--settings", "SOCKET_IO.recovery={}")

    async def test_moved(self) -> None:
        """It gets what it missed, once and in order, in its rooms, and goes on."""
        await self.scenario("moved")


class NarrowUserTestCase(MeshTestCase):
    """Mojo's servers may do what docs/cluster.rst says that they must, and nothing else."""

    lines = 1

    @property
    def url(self) -> str:
        return f"unix://mojo:password@{self.redis.socket}?adapter={self.adapter}"

    async def start_mojo(self, name: str, *more: str, port: int = 0) -> tuple[Process, str]:
        text = (ROOT / "docs" / "cluster.rst").read_text(encoding="utf-8")
        rules = re.findall(r"> ACL SETUSER mojo (.*)", text)
        self.assertEqual(len(rules), 2)
        for line in rules[: self.lines]:
            words = line.replace("/ChatSocket", "/MeshSocket").split()
            self.assertEqual(await self.redis.ask("ACL", "SETUSER", "mojo", *words), b"+OK\r\n")
        return await super().start_mojo(name, *more, port=port)

    async def stop_all(self) -> None:
        await super().stop_all()
        for process in self.processes:
            self.assertNotIn("NOPERM", process.output)
            self.assertNotIn("Redis refuses", process.output)


class NarrowUserTests(NarrowUserTestCase):
    async def test_broadcasts(self) -> None:
        await self.scenario("broadcasts")

    async def test_servers(self) -> None:
        await self.scenario("servers")

    async def test_logins(self) -> None:
        await self.scenario("logins")


class NarrowStreamUserTests(NarrowUserTests):
    """The same by a stream."""

    skip = NO_STREAMS
    adapter = "streams"
    lines = 2


class NarrowRecoveryTests(NarrowUserTestCase):
    """With places of clients."""

    skip = NO_STREAMS
    adapter = "streams"
    lines = 2
    node_more = ("recovery",)
    mojo_more = ("--settings", "SOCKET_IO.recovery={}")

    async def test_moved(self) -> None:
        await self.scenario("moved")


class BreakingMeshTests(MeshTestCase):
    async def test_reached(self) -> None:
        """Each connection of ours is killed, then all of them, then Redis: nobody stays deaf."""
        client = start(NODE, HERE / "js" / "run.mjs", "mesh.reached", *self.bases)
        clients = (await self.redis.ask("CLIENT", "LIST")).decode()
        ours = re.findall(r"id=(\d+) .*name=mojo-(?:sub|pub) ", clients)
        self.assertEqual(len(ours), 4)
        for number, cid in enumerate(ours):
            await client.wait_for(f"BREAK {number}\\.")
            self.assertEqual(await self.redis.ask("CLIENT", "KILL", "ID", cid), b":1\r\n")
            client.transport.write(b"killed\n")
        await client.wait_for(r"BREAK 4\.")
        await self.redis.ask("CLIENT", "KILL", "TYPE", "normal")
        await self.redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
        client.transport.write(b"killed\n")
        await client.wait_for(r"BREAK 5\.")
        await self.redis.stop()
        await self.redis.start()
        client.transport.write(b"restarted\n")
        await client.wait_for(r"BREAK 6\.")
        client.transport.write(b"end\n")
        await self.succeed(client)
        for process, _ in self.mojos:
            away = process.output.count("is away")
            self.assertEqual(process.output.count("is back after"), away, process.output)
            self.assertLessEqual(away, 4, process.output)
