"""A cluster of Mojo's servers and one of python-socketio, with a real Redis."""

from __future__ import annotations

import pickle
import re
from importlib.util import find_spec
from pathlib import Path
from random import Random

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.trial.unittest import TestCase

from mojo.redis.resp import command
from tests.e2e.processes import HERE, ROOT, Process, start_python, start_server
from tests.e2e.test_foreign_publishers import AT_ONCE, CHANGED, NOISE, SEED, Tap, change
from tests.redis_server import NO_REDIS, RedisServer

MESH = HERE / "mesh"
NO_BRIDGE = NO_REDIS or (
    None if find_spec("redis") and find_spec("flask_socketio") else 'needs the extra "test"'
)


class BridgeTestCase(TestCase):
    """Two of Mojo's servers and one of python-socketio."""

    skip = NO_BRIDGE
    timeout = 120
    options = "?python_socketio=socketio"

    async def setUp(self) -> None:
        # Flask-SocketIO takes a socket's path for one of Kombu's.
        self.redis = RedisServer().with_port()
        self.url = f"redis://127.0.0.1:{self.redis.port}"
        await self.redis.start()
        self.addCleanup(self.redis.clean)
        self.processes: list[Process] = []
        self.addCleanup(self.stop_all)
        python = start_python(HERE / "python_bridge_server.py", self.url)
        self.processes.append(python)
        self.bases = [await self.start_mojo(name) for name in ("one", "two")]
        found = await python.wait_for(r"PORT (\d+)\.")
        self.bases.append(f"http://127.0.0.1:{found[1]}")

    async def start_mojo(self, name: str) -> str:
        folder = Path(self.mktemp()).absolute() / name
        folder.mkdir(parents=True)
        process, base = await start_server(folder, MESH, "--redis", await self.make_url())
        self.processes.append(process)
        await process.wait_for("cluster: connected")
        return base

    async def make_url(self) -> str:
        return self.url + self.options

    async def stop_all(self) -> None:
        for process in self.processes:
            await process.stop()

    def start_clients(self, scenario: str) -> Process:
        return start_python(HERE / "python_bridge.py", scenario, self.url, *self.bases)

    async def scenario(self, name: str) -> None:
        await self.succeed(self.start_clients(name))

    async def succeed(self, client: Process) -> None:
        code = await client.ended
        outputs = [client.output, *(process.output for process in self.processes)]
        if code or any("Traceback" in process.output for process in self.mojos):
            self.fail("\n---\n".join(outputs))

    @property
    def mojos(self) -> list[Process]:
        return self.processes[1:]


class PythonBridgeTests(BridgeTestCase):
    """Mojo's speak by publish and subscribe among themselves."""

    async def test_scripts(self) -> None:
        """What tasks and cron jobs write reaches the clients of all."""
        await self.scenario("write")

    async def test_server(self) -> None:
        """What python-socketio's server says and does, Mojo's clients hear and have done."""
        await self.scenario("serve")

    async def test_mojo(self) -> None:
        """What Mojo's servers say and do, python-socketio's clients hear and have done."""
        await self.scenario("tell")

    async def test_document(self) -> None:
        """The command of docs/cluster.rst, with this test's Redis and its app."""
        client = self.start_clients("document")
        await client.wait_for("READY")
        text = (ROOT / "docs" / "cluster.rst").read_text(encoding="utf-8")
        (command,) = re.findall(r"\$ python -c '(import socketio; .*)'\n", text)
        command = command.replace("redis://localhost:6379", self.url).replace("Chat", "Mesh")
        await self.succeed(start_python("-c", command))
        await self.succeed(client)


class StreamBridgeTests(PythonBridgeTests):
    """Mojo's servers read a stream among themselves, from which clients may come back."""

    options = "?adapter=streams&python_socketio=socketio"


class NarrowUserTests(PythonBridgeTests):
    """Mojo's servers may do what docs/cluster.rst says that they must, and nothing else."""

    async def make_url(self) -> str:
        text = (ROOT / "docs" / "cluster.rst").read_text(encoding="utf-8")
        rules, _ = re.findall(r"> ACL SETUSER mojo (.*)", text)
        (more,) = re.findall(r"``(&socketio &.*?)``", text)
        words = f"{rules} {more}".replace("/ChatSocket", "/MeshSocket").split()
        self.assertEqual(await self.redis.ask("ACL", "SETUSER", "mojo", *words), b"+OK\r\n")
        return self.url.replace("//", "//mojo:password@") + self.options

    async def succeed(self, client: Process) -> None:
        await super().succeed(client)
        for process in self.processes:
            self.assertNotIn("NOPERM", process.output)
            self.assertNotIn("Redis refuses", process.output)


class BreakingTests(BridgeTestCase):
    """Connections to Redis are killed."""

    async def test_killed(self) -> None:
        """All hear each other again."""
        for kind in ("pubsub", "normal"):
            for process in self.mojos:
                process.output = ""
            await self.redis.ask("CLIENT", "KILL", "TYPE", kind)
            for process in self.mojos:
                await process.wait_for("is back after")
            for name in ("write", "serve", "tell"):
                await self.scenario(name)


class BadInputTests(BridgeTestCase):
    """Others publish on the channel: what is bad hurts nobody."""

    async def test_bad_input(self) -> None:
        """What is random, or was sent by real servers and is changed somewhere."""
        random = Random(SEED)
        tap = Tap()
        await connectProtocol(UNIXClientEndpoint(reactor, str(self.redis.socket)), tap)
        for name in ("write", "serve", "tell"):
            await self.scenario(name)
        tap.transport.loseConnection()
        heard = sorted({data for channel, data in tap.heard if channel == b"socketio"})
        changed = [change(random, data, heard) for data in random.choices(heard, k=CHANGED)]
        pickled = pickle.dumps({"method": "emit", "event": "x", "data": 1})
        commands = [
            command("PUBLISH", "socketio", data) for data in (*NOISE, *changed, pickled, pickled)
        ]
        for at in range(0, len(commands), AT_ONCE):
            await self.redis.send(b"".join(commands[at : at + AT_ONCE]))
        await self.scenario("serve")
        for process in self.mojos:
            kinds = re.findall(r"cluster: (.*); more", process.output)
            self.assertEqual(len(set(kinds)), len(kinds))
            (line,) = [kind for kind in kinds if "pickled" in kind]
            self.assertIn("5.14 or newer", line)
