"""The servers that are compared: how each is started, and what it can do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import install_node, install_python

HERE = Path(__file__).parent
PROJECT = HERE / "mojo_project"
PATIENCE = 30.0
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
    """

    name: str
    command: Callable[[Path], list[str]]
    environment: tuple[tuple[str, str], ...] = ()
    polls: bool = True

    @contextmanager
    def running(self, cache: Path, core: set[int]) -> Iterator[tuple[int, int]]:
        """
        Start it, and stop it in the end; gives its process id and its port.

        Raises:
            ServerFailed: it does not start.
        """
        log = cache / "logs" / f"{self.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(cache),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cache,
                env={**os.environ, **dict(self.environment)},
            )
        try:
            # Before it has threads, which inherit it.
            os.sched_setaffinity(process.pid, core)
            yield process.pid, _port(process, log)
            if process.poll() is not None:
                raise ServerFailed(f"{self.name} ended: {_tail(log)}")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        found = _PORT.search(log.read_text(errors="replace"))
        if found:
            return int(found.group(1))
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


def _python(host: str) -> Callable[[Path], list[str]]:
    return lambda cache: [str(install_python(cache)), str(HERE / "python_socketio.py"), host]


def _autobahn(cache: Path) -> list[str]:
    return [sys.executable, str(HERE / "autobahn_alone.py")]


SERVERS = {
    server.name: server
    for server in (
        Server("mojo", _mojo, (("PYTHONPATH", str(HERE.parent.parent)),)),
        Server("node", _node, (("WS_NO_BUFFER_UTIL", "1"),)),
        Server("node-bufferutil", _node),
        Server("uvicorn", _python("uvicorn")),
        Server("aiohttp", _python("aiohttp")),
        Server("autobahn", _autobahn, polls=False),
    )
}
