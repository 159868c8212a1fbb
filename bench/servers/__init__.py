"""The servers that are compared: how each is started, and what it can do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import install_node, install_python

HERE = Path(__file__).parent
PROJECT = HERE / "mojo_project"
PATIENCE = 30.0
_JOINED = re.compile(r"(joined|cluster: connected)")
_PORT = re.compile(r"(?:^port |on http://127\.0\.0\.1:)(\d+)", re.MULTILINE)


class ServerFailed(Exception):
    """A server did not start, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Server:
    """
    One of those that are compared.

    Attributes:
        name: what the tables call it.
        command: gives the command line, from the cache; what is missing is installed.
        environment: more variables.
        polls: whether it has long-polling.
        joining: gives more of the command line, from a Redis and the adapter's name, for one of a
            cluster; ``None`` where it cannot be one of Node's.
    """

    name: str
    command: Callable[[Path], list[str]]
    environment: tuple[tuple[str, str], ...] = ()
    polls: bool = True
    joining: Callable[[str, str], list[str]] | None = None

    @contextmanager
    def running(
        self, cache: Path, core: set[int], more: Sequence[str] = (), name: str = ""
    ) -> Iterator[tuple[int, int]]:
        """
        Start it, and stop it in the end; gives its process id and its port.

        Args:
            cache: see `command`.
            core: the processor that it has.
            more: more of the command line.
            name: what its log is called, if not as the server is.
        Raises:
            ServerFailed: it does not start.
        """
        log = cache / "logs" / f"{name or self.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*self.command(cache), *more],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cache,
                env={**os.environ, **dict(self.environment)},
            )
        try:
            # Before it has threads, which inherit it.
            os.sched_setaffinity(process.pid, core)
            port = int(wait_for(_PORT, process, log))
            if more:
                wait_for(_JOINED, process, log)
            yield process.pid, port
            if process.poll() is not None:
                raise ServerFailed(f"{self.name} ended: {_tail(log)}")
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and wait until it has."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(pattern: re.Pattern[str], process: subprocess.Popen[bytes], log: Path) -> str:
    """
    Give what a process has said, as soon as it does.

    Raises:
        ServerFailed: it did not, or ended.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        found = pattern.search(log.read_text(errors="replace"))
        if found:
            return found.group(1)
        time.sleep(0.05)
    raise ServerFailed(f"it did not start: {_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _mojo(cache: Path) -> list[str]:
    return [
        str(Path(sys.executable).with_name("twistd")),
        "-n",
        "--pidfile=",
        "mojo",
        f"--project={PROJECT}",
        "--listen=tcp:0:interface=127.0.0.1:backlog=4096",
    ]


def _node(cache: Path) -> list[str]:
    return ["node", str(HERE / "node_server.cjs"), str(install_node(cache))]


def _mojo_joining(redis: str, adapter: str) -> list[str]:
    return [f"--redis={redis}?adapter={adapter}"]


def _python(host: str) -> Callable[[Path], list[str]]:
    return lambda cache: [str(install_python(cache)), str(HERE / "python_socketio.py"), host]


def _autobahn(cache: Path) -> list[str]:
    return [sys.executable, str(HERE / "autobahn_alone.py")]


SERVERS = {
    server.name: server
    for server in (
        Server("mojo", _mojo, (("PYTHONPATH", str(HERE.parent.parent)),), joining=_mojo_joining),
        Server("node", _node, (("WS_NO_BUFFER_UTIL", "1"),), joining=lambda *words: list(words)),
        Server("node-bufferutil", _node),
        Server("uvicorn", _python("uvicorn")),
        Server("aiohttp", _python("aiohttp")),
        Server("autobahn", _autobahn, polls=False),
    )
}
