"""
The whole picture: nginx, two servers of Mojo's, two of Node's, and a real Redis.

nginx has the configuration of the documents.  Everything that a cluster carries is done by clients
that come by it: the official client by polling, by WebSocket and with the upgrade, a page in a
browser, and python-socketio.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred, gatherResults

from tests.e2e.processes import (
    CHROMIUM,
    HERE,
    NO_BROWSER,
    NODE,
    ROOT,
    Process,
    start,
    start_python,
)
from tests.e2e.test_mesh import NO_STREAMS, MeshTestCase
from tests.e2e.test_proxies import NGINX, wait_for_port
from tests.ports import free_port

NO_CLUSTER = NO_STREAMS or NO_BROWSER or (None if NGINX else "needs nginx")
MOJOS, NODES = "ab", "cd"


class MixedTestCase(MeshTestCase):
    """
    Four servers, whose sessions' ids begin with their names, and nginx in front of them.

    Attributes:
        servers: by their names.
    """

    skip = NO_CLUSTER
    timeout = 120

    async def start_servers(self) -> None:
        self.ports = {name: free_port(self.addCleanup) for name in MOJOS + NODES}
        self.servers: dict[str, Process] = {}
        self.mojos = []
        for name in NODES:
            port = str(self.ports[name])
            self.servers[name] = self.start_node(NAME=name, PORT=port)
        await gatherResults([Deferred.fromCoroutine(self.start_named(name)) for name in MOJOS])
        for name in NODES:
            await self.servers[name].wait_for("PORT")
        self.bases = [f"http://127.0.0.1:{await self.start_nginx()}#{MOJOS}{NODES}"]

    async def start_named(self, name: str) -> None:
        settings = (f"SOCKET_IO.sid_prefix={name}.", "TRUSTED_PROXIES=['127.0.0.1']")
        more = [part for setting in settings for part in ("--settings", setting)]
        mojo = await self.start_mojo(name, *more, port=self.ports[name])
        self.mojos.append(mojo)
        self.servers[name] = mojo[0]

    async def start_nginx(self) -> int:
        text = (ROOT / "docs" / "cluster" / "nginx.conf").read_text(encoding="utf-8")
        port = free_port(self.addCleanup)
        for theirs, ours in zip((8001, 8002, 8003, 8004), self.ports.values(), strict=True):
            self.assertIn(f":{theirs}", text)
            text = text.replace(f":{theirs}", f":{ours}")
        self.assertIn(":8080;", text)
        text = text.replace(":8080;", f":{port};")
        (self.folder / "nginx.conf").write_text(text, encoding="utf-8")
        # Its workers write where the tests may, also if it was started by root.
        user = () if os.getuid() else ("-g", "user root;")
        nginx = start(NGINX, "-p", self.folder, "-e", "stderr", "-c", "nginx.conf", *user)
        self.processes.append(nginx)
        await wait_for_port(nginx, port)
        return port

    async def move(self, *more: str) -> None:
        """Kill a server of Mojo's, start it again, and stop the other."""
        client = start(NODE, HERE / "js" / "run.mjs", "mixed.moving", *self.bases, CHROMIUM, *more)
        killed = (await client.wait_for(r"KILL (\w)\.|Error")).group(1)
        if killed:
            self.servers[killed].signal("KILL")
            await client.wait_for(r"START \w\.|Error")
            await self.start_named(killed)
            client.transport.write(b"started\n")
        stopped = (await client.wait_for(r"STOP (\w)\.|Error")).group(1)
        if stopped:
            self.servers[stopped].signal("TERM")
        await self.succeed(client)
        self.assertEqual(await self.servers[stopped].ended, -15)

    def check_logs(self) -> None:
        for process, _ in self.mojos:
            self.assertNotIn("Traceback", process.output)
            # A name that Mojo alone writes, which a Node server has used: see names in mesh.mjs.
            self.assertNotRegex(process.output, "was passed over: (?!a target of two kinds)")


class MixedClusterTests(MixedTestCase):
    async def test_all(self) -> None:
        for name in ("broadcasts", "values", "names", "answers", "sockets", "servers"):
            await self.scenario(name)
        await self.scenario("emitter", str(self.redis.socket))
        await self.emit_from_python()
        await self.succeed(start_python(HERE / "python_mesh.py", self.bases[0].partition("#")[0]))
        await self.move()
        self.check_logs()


class MixedStreamsTests(MixedTestCase):
    """The same by a stream, and clients that are recovered at other servers."""

    adapter = "streams"
    node_more = ("recovery",)
    mojo_more = ("--settings", "SOCKET_IO.recovery={}")

    async def test_all(self) -> None:
        for name in ("broadcasts", "names", "answers", "sockets", "servers"):
            await self.scenario(name)
        await self.succeed(start(NODE, HERE / "js" / "run.mjs", "mixed.recovered", *self.bases))
        await self.move("recovered")
        self.check_logs()
