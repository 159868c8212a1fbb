"""``twistd mojo --workers``: real processes, the official client, and signals."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers

from tests.e2e.processes import HERE, NO_NODE, NODE, Process, start, start_server, start_twistd
from tests.e2e.test_mesh import MESH, Scenarios
from tests.e2e.test_stopping import Lives, StoppingTestCase, SystemdTestCase
from tests.redis_server import NO_REDIS, RedisServer

_STOPPING = "STOPPING=1\nEXTEND_TIMEOUT_USEC=18000000"
HANDSHAKE = b"/socket.io/?EIO=4&transport=polling"
_PAGES = """
import os

from mojo import MojoRequestHandler, MojoSessionMixin


class Count(MojoSessionMixin, MojoRequestHandler):
    loads_session = True

    async def get(self):
        self.session["count"] = self.session.get("count", 0) + 1
        self.session["more"] = "x" * int(self.get_argument("more", "0"))
        print("counted", self.session["count"])
        self.write(f"{self.session['count']} {self.mojo.place.name}")


urlpatterns = [("/", Count)]
"""


_STARTER = """
import subprocess

from mojo import MojoRequestHandler


class Start(MojoRequestHandler):
    def get(self):
        print("started", subprocess.Popen(["sleep", "60"]).pid)
        self.write(self.mojo.place.name)


urlpatterns = [("/", Start)]
"""


class WorkersTestCase(TestCase):
    """Starts a project with some workers."""

    timeout = 120
    workers = 3
    project = MESH
    more: tuple[str, ...] = ()

    async def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.server, self.base = await start_server(
            self.folder, self.project, "--workers", str(self.workers), *self.more
        )
        self.addCleanup(self.end)
        for number in range(self.workers):
            await self.server.wait_for(rf"worker {number}\.1 is ready")

    async def end(self) -> None:
        # One that has ended has no number, and may not be `ended` yet.
        children = self.children if self.pid else {}
        self.server.signal("KILL")
        await self.server.ended
        await self.until(lambda: not any(map(is_there, children)), "the end of the workers")

    @property
    def pid(self) -> int | None:
        return self.server.transport.pid

    @property
    def children(self) -> dict[int, str]:
        """The workers; see `children_of`."""
        return children_of(self.pid)

    async def until(self, condition, what) -> None:
        for _ in range(5000):
            if condition():
                return
            await deferLater(reactor, 0.02)
        self.fail(f"{what} did not come:\n{self.server.output}")

    def client(self, name: str, *bases: str) -> Process:
        return start(NODE, HERE / "js" / "run.mjs", f"mesh.{name}", *bases)

    async def succeed(self, client: Process) -> None:
        if await client.ended:
            self.fail(f"{client.output}\n---\n{self.server.output}")

    async def scenario(self, name: str) -> None:
        await self.succeed(self.client(name, f"{self.base}#012"))

    async def get(
        self, path: bytes, cookie: bytes = b"", pool: HTTPConnectionPool | None = None
    ) -> tuple[int, bytes, list[bytes]]:
        headers = Headers({b"cookie": [cookie]} if cookie else {})
        # Without a pool each request is a connection of its own, and comes to any worker.
        response = await Agent(reactor, pool=pool).request(
            b"GET", self.base.encode() + path, headers
        )
        body = await readBody(response)
        return response.code, body, response.headers.getRawHeaders(b"set-cookie", [])


def children_of(parent: int) -> dict[int, str]:
    """Give the workers of a parent: the processes' numbers, and the workers' names."""
    found = {}
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        found[int(pid)] = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[3]
    return found


def is_there(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class ClientTests(Scenarios, WorkersTestCase):
    """What clients of servers of a cluster have, those of workers have without Redis."""

    skip = NO_NODE

    async def test_logins(self) -> None:
        """What is sent to a user arrives at every worker; a revocation too."""
        await self.succeed(self.client("logins", f"{self.base}#0", f"{self.base}#2"))

    async def test_dying(self) -> None:
        """The clients of others do not notice, and there is another worker at once."""
        client = self.client("dying", self.base)
        found = await client.wait_for(r"DYING (0\.1)\.")
        (pid,) = [pid for pid, name in self.children.items() if name == found.group(1)]
        os.kill(pid, signal.SIGKILL)
        await self.server.wait_for(r"worker 0\.1 ended by itself after .* by signal SIGKILL")
        await self.server.wait_for(rf"cluster: \S+:{pid} has ended without a word")
        await self.server.wait_for(r"worker 0\.2 is ready")
        client.transport.write(b"there is another\n")
        await self.succeed(client)
        self.assertEqual(sorted(self.children.values()), ["0.2", "1.1", "2.1"])


class RecoveryTests(WorkersTestCase):
    skip = NO_NODE
    more = ("--settings", "SOCKET_IO.recovery={}")

    async def test_moved(self) -> None:
        """A client that comes back to whatever worker has missed nothing."""
        await self.succeed(self.client("moved", *[self.base] * 3))


class RedisTests(WorkersTestCase):
    """With a Redis each worker is a node of its cluster."""

    skip = NO_NODE or NO_REDIS
    workers = 2

    async def setUp(self) -> None:
        self.redis = RedisServer()
        await self.redis.start()
        self.addCleanup(self.redis.clean)
        self.more = ("--redis", self.redis.url)
        await super().setUp()
        for number in range(2):
            await self.server.wait_for(rf"{number}\.1: cluster: connected")

    async def test_answers(self) -> None:
        clients = await self.redis.ask("CLIENT", "LIST")
        self.assertEqual(clients.count(b"name=mojo-sub"), 2)
        await self.succeed(self.client("answers", f"{self.base}#01"))


class SessionTests(WorkersTestCase):
    """A project whose sessions are in memory and whose secret is made up at its start."""

    workers = 2

    def setUp(self):
        self.project = Path(self.mktemp()).absolute()
        self.project.mkdir(parents=True)
        (self.project / "settings.py").write_text("DEBUG = True\n")
        (self.project / "urls.py").write_text(_PAGES)
        return super().setUp()

    async def count(self, cookie: bytes) -> tuple[int, str, bytes]:
        status, body, cookies = await self.get(b"/", cookie)
        self.assertEqual(status, 200, body)
        count, worker = body.decode().split()
        return int(count), worker, cookies[0].partition(b";")[0] if cookies else cookie

    async def test_shared(self) -> None:
        """A session is the same at every worker, and outlives them."""
        cookie, seen = b"", set()
        for number in range(1, 100):
            count, worker, cookie = await self.count(cookie)
            self.assertEqual(count, number)
            seen.add(worker)
            if len(seen) == 2:
                break
        self.assertEqual(seen, {"0.1", "1.1"})
        os.kill(self.pid, signal.SIGHUP)
        await self.server.wait_for("reload: done")
        count, worker, _ = await self.count(cookie)
        self.assertEqual((count, worker[1:]), (number + 1, ".2"))

    async def test_log(self) -> None:
        """What a worker logs, and what its apps print, is in the parent's log, with its name."""
        _, worker, _ = await self.count(b"")
        found = await self.server.wait_for(r"\[stdout#info\] (\S+): counted 1")
        self.assertEqual(found.group(1), worker)
        await self.server.wait_for(rf"\[mojo\.\S+#info\] {worker}: 127.0.0.1 GET / 200 5")


class ChangedTests(WorkersTestCase):
    """A project whose settings are others after a reload: the parent goes by the first."""

    workers = 2

    def setUp(self):
        self.project = Path(self.mktemp()).absolute()
        self.project.mkdir(parents=True)
        (self.project / "settings.py").write_text("DEBUG = True\nSESSION_STORE = 'cookie'\n")
        (self.project / "urls.py").write_text(_PAGES)
        return super().setUp()

    async def test_store(self) -> None:
        """Sessions may come to the parent, and what it does not take ends no worker."""
        (self.project / "settings.py").write_text("DEBUG = True\nSESSION_MAX_SIZE = 50_000_000\n")
        os.kill(self.pid, signal.SIGHUP)
        await self.server.wait_for("reload: done")
        status, body, cookies = await self.get(b"/")
        self.assertEqual((status, body[:2]), (200, b"1 "))
        cookie = cookies[0].partition(b";")[0]
        status, body, _ = await self.get(b"/?more=40000000", cookie)
        self.assertEqual(status, 500)
        self.assertIn(b"SessionTooLargeError", body)
        self.assertEqual((await self.get(b"/?more=1000000", cookie))[1][:2], b"2 ")
        self.assertEqual(sorted(self.children.values()), ["0.2", "1.2"])


class SurvivedTests(WorkersTestCase):
    """A project that starts processes, which have their worker's output and outlive it."""

    workers = 2

    def setUp(self):
        self.project = Path(self.mktemp()).absolute()
        self.project.mkdir(parents=True)
        (self.project / "settings.py").write_text("DEBUG = True\n")
        (self.project / "urls.py").write_text(_STARTER)
        return super().setUp()

    async def start_one(self) -> str:
        """Have a worker start a process; give the worker's name."""
        _, worker, _ = await self.get(b"/")
        found = await self.server.wait_for(rf"{worker.decode()}: started (\d+)")
        self.addCleanup(os.kill, int(found.group(1)), signal.SIGKILL)
        return worker.decode()

    async def test_dying(self) -> None:
        """There is another worker in time, and the parent ends with its workers."""
        worker = await self.start_one()
        (pid,) = [pid for pid, name in self.children.items() if name == worker]
        os.kill(pid, signal.SIGKILL)
        await self.server.wait_for(rf"worker {worker} ended by itself after .* SIGKILL")
        await self.server.wait_for(rf"worker {worker[0]}\.2 is ready")
        await self.start_one()
        self.assertEqual(await self.server.stop(), -15)


class SignalTests(WorkersTestCase):
    workers = 2

    async def test_reload(self) -> None:
        """Whoever connects while the workers are exchanged is served, each single time."""
        former = set(self.children)
        over: list[bool] = []

        pool = HTTPConnectionPool(reactor)
        self.addCleanup(pool.closeCachedConnections)

        async def ask(pool=None) -> int:
            count = 0
            while not over:
                status, body, _ = await self.get(HANDSHAKE, pool=pool)
                self.assertEqual((status, body[:8]), (200, b'0{"sid":'))
                count += 1
            return count

        # By connections of their own, and as a proxy does by connections that stay.
        pools = [None, None, pool, pool]
        asking = [Deferred.fromCoroutine(ask(pool)) for pool in pools]
        os.kill(self.pid, signal.SIGHUP)
        await self.server.wait_for("reload: done")
        over.append(True)
        counts = await gatherResults(asking, consumeErrors=True)
        self.assertGreater(min(counts), 10)
        self.assertEqual(sorted(self.children.values()), ["0.2", "1.2"])
        self.assertFalse(former & set(self.children))
        # The last that a worker says is heard, and nobody waits for it.
        await self.server.wait_for(r"1\.2: cluster: \S+ (has gone|was not heard of)")
        self.assertNotIn("taken for dead", self.server.output)

    async def test_reload_of_what_does_not_start(self) -> None:
        """The old workers stay and serve, and the log says why in one line."""
        project = self.folder / "project"
        shutil.copytree(MESH, project, ignore=shutil.ignore_patterns("__pycache__"))
        await self.end()
        self.project = project
        self.folder = self.folder / "second"
        await WorkersTestCase.setUp(self)
        former = self.children
        handlers = project / "Apps" / "Mesh" / "socket_handlers.py"
        good = handlers.read_text()
        handlers.write_text("1 / 0\n")
        os.kill(self.pid, signal.SIGHUP)
        await self.server.wait_for(r"reload: ended, since worker 0\.2 did not come up")
        self.assertIn(f"0.2: {handlers}:1: ZeroDivisionError", self.server.output)
        self.assertEqual(self.children, former)
        self.assertEqual((await self.get(HANDSHAKE))[0], 200)
        handlers.write_text(good)
        os.kill(self.pid, signal.SIGHUP)
        await self.server.wait_for("reload: done")
        self.assertEqual(sorted(self.children.values()), ["0.3", "1.2"])

    async def test_stop(self) -> None:
        """One signal to the parent ends all; nothing is left, no file either."""
        children = self.children
        folder = self.sockets_of(children)
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        # Who keeps /tmp clean leaves sockets alone that are listened at, and nothing else.
        self.assertEqual({path.is_socket() for path in folder.iterdir()}, {True})
        self.assertEqual(await self.server.stop(), -15)
        self.assertEqual([pid for pid in children if is_there(pid)], [])
        self.assertFalse(folder.exists())
        self.assertNotIn("Traceback", self.server.output)

    async def test_stop_of_all_at_once(self) -> None:
        """A terminal or systemd signals all processes, and it is one signal to each."""
        children = self.children
        for pid in children:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        self.assertEqual(await self.server.stop(), -15)
        self.assertEqual([pid for pid in children if is_there(pid)], [])
        self.assertNotIn("Traceback", self.server.output)

    async def test_killed(self) -> None:
        """Nobody is led to the socket of a worker that was killed: it goes with the worker."""
        folder = self.sockets_of(self.children)
        (pid,) = [pid for pid, name in self.children.items() if name == "0.1"]
        os.kill(pid, signal.SIGKILL)
        await self.server.wait_for(r"worker 0\.2 is ready")
        self.assertEqual({path.name for path in folder.iterdir()}, {"0.2", "1.1"})

    async def test_parent_killed(self) -> None:
        """No worker stays behind, whatever it is doing, and neither does a file."""
        children = self.children
        folder = self.sockets_of(children)
        stuck = next(iter(children))
        os.kill(stuck, signal.SIGSTOP)
        os.kill(self.pid, signal.SIGKILL)
        await self.server.ended
        os.kill(stuck, signal.SIGCONT)
        await self.until(lambda: not any(map(is_there, children)), "the end of the workers")
        self.assertFalse(folder.exists())

    def sockets_of(self, children) -> Path:
        for line in Path("/proc/net/unix").read_text().splitlines():
            if line.endswith("/0.1") and "mojo-workers-" in line:
                folder = Path(line.split()[-1]).parent
                for pid in children:
                    for fd in Path(f"/proc/{pid}/fd").iterdir():
                        if os.readlink(fd) == f"socket:[{line.split()[-2]}]":
                            return folder
        raise AssertionError("there is no socket")


class ReloadTests(WorkersTestCase):
    skip = NO_NODE
    workers = 2

    async def test_clients(self) -> None:
        """Those of each transport find themselves at the new workers, and nobody is refused."""
        client = self.client("reloaded", self.base)
        await client.wait_for("CONNECTED")
        os.kill(self.pid, signal.SIGHUP)
        await self.server.wait_for("reload: done")
        client.transport.write(b"done\n")
        await self.succeed(client)


class StuckTests(StoppingTestCase):
    """Workers of which one has a handler that never returns."""

    async def setUp(self) -> None:
        StoppingTestCase.setUp(self)
        await self.serve("WORKERS=2")
        (await self.connect()).say('42["block"]')
        await self.server.wait_for("blocked")
        self.children = children_of(self.server.transport.pid)
        self.assertEqual(len(self.children), 2)

    async def test_parent_killed(self) -> None:
        """It ends without a reactor that could tell it to."""
        self.signal("KILL")
        await self.server.ended
        for _ in range(5000):
            if not any(map(is_there, self.children)):
                return
            await deferLater(reactor, 0.02)
        self.fail("somebody stays")

    async def test_twice(self) -> None:
        """Whoever sends two signals does not wait for it for long."""
        self.signal("TERM")
        # Not only received: before the parent has begun to stop, a second one ends it alone.
        await self.server.wait_for(r"Port \d+ Closed")
        self.signal("TERM")
        self.assertEqual(await self.server.ended, -15)
        self.assertIn("does not end, and is killed", self.server.output)
        self.assertFalse(any(map(is_there, self.children)))


class WatchTests(StoppingTestCase):
    async def test_handler_that_never_returns(self) -> None:
        """The log says where it is, and there is another worker in its place."""
        await self.serve("WORKERS=2", "WORKER_TIMEOUT=2")
        for number in range(2):
            await self.server.wait_for(rf"worker {number}\.1 is ready")
        (await self.connect()).say('42["block"]')
        found = await self.server.wait_for(r"worker (\d)\.1 has said nothing for 2 s")
        number = found.group(1)
        await self.server.wait_for(
            rf'{number}\.1: +File "\S+socket_handlers\.py", line \d+ in block'
        )
        await self.server.wait_for(
            rf"worker {number}\.1 ended by itself after .* by signal SIGKILL"
        )
        await self.server.wait_for(rf"worker {number}\.2 is ready")
        self.assertEqual(self.server.output.count("has said nothing"), 1)


class StartTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    async def fail_to_start(self, *arguments: str, project=MESH, **environment: str) -> list[str]:
        process = start_twistd(
            self.folder, "--project", project, "--workers", "2",
            "--listen", "tcp:0:interface=127.0.0.1", *arguments, **environment,
        )  # fmt: skip
        self.assertEqual(await process.ended, 1)
        return process.output.splitlines()

    async def test_bad_project(self) -> None:
        """It is one line, and the start ends, as without workers."""
        (self.folder / "settings.py").write_text("DEBUG = True\n")
        app = self.folder / "Apps" / "Bad"
        app.mkdir(parents=True)
        (app / "socket_handlers.py").write_text("import nothing_of_that_name\n")
        (line,) = await self.fail_to_start(project=self.folder)
        self.assertIn("Apps/Bad/socket_handlers.py:1: ModuleNotFoundError", line)

    async def test_bad_settings(self) -> None:
        (line,) = await self.fail_to_start("--workers", "none")
        self.assertIn("WORKERS must be a number of processes or 'auto', not 'none'", line)

    async def test_busy_port(self) -> None:
        output = await self.fail_to_start("--listen", "ssl:0:privateKey=/nowhere")
        self.assertIn("cannot listen on 'ssl:0:privateKey=/nowhere'", output[-1])
        self.assertEqual([line for line in output if "0.1" in line], [])

    async def test_long_folder(self) -> None:
        """Where no socket can be it is one line, and not workers that die one after another."""
        folder = self.folder / ("x" * 100)
        folder.mkdir()
        output = await self.fail_to_start(TMPDIR=str(folder))
        self.assertIn("twistd mojo: ", output[-1])
        self.assertIn("is too long a path for the workers' sockets", output[-1])
        self.assertEqual(list(folder.iterdir()), [])

    async def test_daemon(self) -> None:
        """A daemon's workers are its own, and their log is its log."""
        log, pid_file = self.folder / "twistd.log", self.folder / "twistd.pid"
        code = "from twisted.scripts.twistd import run; run()"
        process = start(
            sys.executable, "-c", code, f"--pidfile={pid_file}", f"--logfile={log}",
            "mojo", "--project", MESH, "--workers", "2", "--listen", "tcp:0:interface=127.0.0.1",
        )  # fmt: skip
        self.assertEqual(await process.ended, 0, process.output)
        pid = int(pid_file.read_text())
        try:
            for _ in range(5000):
                if log.read_text().count("is ready after") == 2:
                    break
                await deferLater(reactor, 0.02)
            text = log.read_text()
            self.assertIn("by 2 workers", text)
            self.assertIn("] 0.1: EngineSite starting", text)
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            self.assertEqual(len(children), 2)
        finally:
            os.kill(pid, signal.SIGTERM)
        for _ in range(5000):
            if not is_there(pid):
                break
            await deferLater(reactor, 0.02)
        self.assertEqual([one for one in (pid, *map(int, children)) if is_there(one)], [])


class SystemdTests(Lives, SystemdTestCase):
    """The same with workers: the parent has systemd's socket, and is who speaks to it."""

    more = ("--workers", "2")

    async def test_ready(self) -> None:
        """It is told when all workers serve, and by nobody else."""
        unit = self.run_unit()
        await self.notified.wait_for("READY=1")
        self.assertEqual(unit.output.count("is ready after"), 2)
        await unit.stop()
        self.assertEqual(self.notified.heard.count("READY=1"), 1)
        self.assertEqual([text for text in self.notified.heard if "STOPPING" in text], [_STOPPING])
