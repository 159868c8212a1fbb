"""Clients that we did not write, whose requests come to any of three workers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

from mojo.testing.http import parse_response
from tests.e2e.certificate import make_certificate
from tests.e2e.processes import HERE, NO_NODE, NODE, PROJECT, start, start_python
from tests.e2e.test_clients import NO_PYTHON_CLIENT
from tests.e2e.test_workers import WorkersTestCase

CURL = shutil.which("curl")
POLLING = "/socket.io/?EIO=4&transport=polling"
_PAGES = """
import json

from mojo import MojoRequestHandler


class Count(MojoRequestHandler):
    def get(self):
        self.write(json.dumps([self.mojo.place.name, self.mojo.stats.dump()]))


urlpatterns = [("/count", Count)]
"""


_IDS = """
from uuid import uuid4


def make(handshake):
    return f"own-{uuid4().hex}"
"""


class HandoverTestCase(WorkersTestCase):
    """Serves the project of the other tests, with a page that shows what is counted."""

    async def setUp(self) -> None:
        self.project = Path(self.mktemp()).absolute()
        shutil.copytree(PROJECT, self.project, ignore=shutil.ignore_patterns("__pycache__"))
        (self.project / "urls.py").write_text(_PAGES)
        await super().setUp()

    async def counted(self) -> dict[str, int]:
        """What all workers have counted of each other."""
        found: dict[str, dict] = {}
        while len(found) < self.workers:
            _, body, _ = await self.get(b"/count")
            name, counts = json.loads(body)
            found[name] = counts
        names = [name for name in next(iter(found.values())) if name.startswith("workers_")]
        return {name[8:]: sum(counts[name] for counts in found.values()) for name in names}

    async def run_client(self, name: str, base: str = "") -> dict[str, int]:
        """Run a scenario; give what was counted until its clients leave."""
        script = HERE / "js" / "run.mjs"
        client = start(NODE, script, f"handover.{name}", base or self.base, SELF_SIGNED="1")
        self.addCleanup(client.stop)
        await client.wait_for("ALL HEARD")
        # Later there may be: a client takes its GET back before it says goodbye.
        self.assertNotIn("refused", self.server.output)
        client.transport.write(b"leave\n")
        await self.succeed(client)
        self.assertNotIn("Traceback", self.server.output)
        return await self.counted()


class NodeTests(HandoverTestCase):
    """The official client."""

    skip = NO_NODE

    async def test_shared_connections(self) -> None:
        """Many sessions share some connections, each of which goes wherever it is needed."""
        counted = await self.run_client("crowd")
        self.assertGreater(counted["handed_over"], 20)
        self.assertEqual(counted["taken"], counted["handed_over"])
        self.assertEqual((counted["relayed"], counted["unreached"]), (0, 0))

    async def test_single_connections(self) -> None:
        """Two of three connections come to a wrong worker."""
        counted = await self.run_client("single")
        self.assertGreater(counted["handed_over"], 50)
        self.assertEqual(counted["taken"], counted["handed_over"])

    async def test_reload(self) -> None:
        """Who is exchanged serves its clients, whom others bring, until they have left."""
        await self.exchange("reload")

    async def test_reload_with_connections(self) -> None:
        """They come back at once, also by connections that the old worker has."""
        await self.exchange("reloadAlive")

    async def exchange(self, scenario: str) -> None:
        script = HERE / "js" / "run.mjs"
        client = start(NODE, script, f"handover.{scenario}", self.base)
        self.addCleanup(client.stop)
        await client.wait_for("ALL HERE")
        os.kill(self.pid, signal.SIGHUP)
        await self.server.wait_for("reload: done")
        client.transport.write(b"done\n")
        await self.succeed(client)


class TlsTests(HandoverTestCase):
    """The workers have the keys."""

    skip = NO_NODE

    async def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        key, certificate = make_certificate(folder)
        listen = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
        self.more = ("--listen", listen)
        await super().setUp()
        match = await self.server.wait_for(r"(https://127\.0\.0\.1:\d+)/")
        self.secure = match.group(1)

    async def test_shared_connections(self) -> None:
        self.assertGreater((await self.run_client("crowd", self.secure))["relayed"], 10)

    async def test_single_connections(self) -> None:
        self.assertGreater((await self.run_client("single", self.secure))["relayed"], 50)


class PythonTests(HandoverTestCase):
    skip = NO_PYTHON_CLIENT

    async def test_python(self) -> None:
        """python-socketio's, by each transport."""
        await self.succeed(start_python(HERE / "python_client.py", self.base))
        # It fails with any session that is unknown, but for what it asks when it has left.
        counted = await self.counted()
        self.assertEqual(counted["taken"], counted["handed_over"])
        self.assertEqual((counted["relayed"], counted["unreached"]), (0, 0))


class CurlTests(HandoverTestCase):
    """By hand: each request is a process and a connection of its own."""

    skip = None if CURL else "needs curl"

    async def curl(self, uri: str, *arguments: str):
        process = start(CURL, "-s", "-i", "-m", "100", *arguments, self.base + uri)
        self.assertEqual(await process.ended, 0, process.output)
        # What was said before the body came is not the answer.
        answer = parse_response(process.output.removeprefix(_CONTINUE).encode())
        assert answer is not None, process.output
        return answer

    async def post(self, uri: str, *arguments: str) -> None:
        self.assertEqual((await self.curl(uri, *arguments)).text, "ok")

    async def hear(self, uri: str, wanted: str) -> None:
        """Poll until something came, and answer pings as a client does."""
        heard: list[str] = []
        while wanted not in heard:
            packets = (await self.curl(uri)).text.split("\x1e")
            if "2" in packets:
                await self.post(uri, "-d", "3")
            heard += packets

    async def test_by_hand(self) -> None:
        """Whichever worker accepts most connections, not all sessions are its own."""
        uris: dict[str, str] = {}
        while len(uris) < self.workers:
            sid = json.loads((await self.curl(POLLING)).text[1:])["sid"]
            uris.setdefault(sid.partition("-")[0], f"{POLLING}&sid={sid}")
        for uri in uris.values():
            await self.post(uri, "-d", "40/EchoSocket,")
            await self.hear(uri, _WELCOME)
        long = self.folder / "long"
        for number in range(12):
            uri = list(uris.values())[number % self.workers]
            text = f'42/EchoSocket,{number}["echo","{"x" * (900_000 if number > 8 else 10)}"]'
            long.write_text(text)
            await self.post(uri, "--data-binary", f"@{long}", "-H", "Expect: 100-continue")
            await self.hear(uri, text.replace("42/", "43/").replace('"echo",', ""))
        self.assertGreater((await self.counted())["handed_over"], 5)

    async def test_ids_of_the_project(self) -> None:
        """Ids that the project makes say whose they are as well."""
        await self.end()
        (self.project / "ids.py").write_text(_IDS)
        self.folder = self.folder / "second"
        self.more = ("--settings", "SOCKET_IO.generate_id=ids.make")
        await WorkersTestCase.setUp(self)
        opened = await self.curl(POLLING)
        sid = json.loads(opened.text[1:])["sid"]
        self.assertRegex(sid, r"^[012]\.1-own-[0-9a-f]{32}$")
        for text in ("40/EchoSocket,", *['42/EchoSocket,["echo"]'] * 6):
            self.assertEqual((await self.curl(f"{POLLING}&sid={sid}", "-d", text)).text, "ok")

    async def test_dead_worker(self) -> None:
        """A session of a worker that was killed is unknown, which is said at once."""
        opened = await self.curl(POLLING)
        sid = json.loads(opened.text[1:])["sid"]
        name = re.match(r"\d+\.\d+", sid)[0]
        (pid,) = [pid for pid, found in self.children.items() if found == name]
        os.kill(pid, signal.SIGKILL)
        await self.server.wait_for(rf"worker {name} ended")
        for _ in range(6):
            answer = await self.curl(f"{POLLING}&sid={sid}")
            self.assertEqual((answer.status, answer.json["code"]), (400, 1))


_WELCOME = '42/EchoSocket,["welcome",{"session":null,"user":null,"auth":{}}]'
_CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
