"""Real processes: ``twistd``, Node, Python clients, and what is said when they are missing."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PROJECT = HERE / "project"

NODE = shutil.which("node")
_MODULES = HERE / "node_modules"
NO_NODE = (
    None
    if NODE
    and (_MODULES / "socket.io-client").is_dir()
    and (_MODULES / "socket.io-msgpack-parser").is_dir()
    and (_MODULES / "socket.io").is_dir()
    else "needs Node.js, and: npm install --prefix tests/e2e"
)
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
NO_BROWSER = NO_NODE or (
    None
    if CHROMIUM and (_MODULES / "playwright-core").is_dir() and (_MODULES / "axe-core").is_dir()
    else "needs Chromium, and: npm install --prefix tests/e2e"
)


class Process(ProcessProtocol):
    """
    A process whose output can be waited for.

    Attributes:
        output: what it has written.
        ended: fires with its exit status, or minus the signal that ended it.
    """

    def __init__(self) -> None:
        self.output = ""
        self.ended: Deferred[int] = Deferred()
        self._waiting: list[tuple[re.Pattern[str], Deferred[re.Match[str]]]] = []

    def outReceived(self, data: bytes) -> None:
        self.output += data.decode("utf-8", "replace")
        for pattern, found in list(self._waiting):
            match = pattern.search(self.output)
            if match is not None:
                self._waiting.remove((pattern, found))
                found.callback(match)

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        for _, found in self._waiting:
            found.errback(AssertionError(f"it ended before it said so:\n{self.output}"))
        self._waiting.clear()
        done = reason.check(ProcessDone) is not None
        self.ended.callback(0 if done else reason.value.exitCode or -reason.value.signal)

    def wait_for(self, pattern: str) -> Deferred[re.Match[str]]:
        """Give a Deferred of the first place where the output matches."""
        compiled = re.compile(pattern)
        found: Deferred[re.Match[str]] = Deferred()
        match = compiled.search(self.output)
        if match is not None:
            found.callback(match)
        else:
            self._waiting.append((compiled, found))
        return found

    def signal(self, name: str | int) -> None:
        """Send it a signal, if it is there."""
        # One that has ended is not `ended` before all that it has written is read.
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(name)

    async def stop(self) -> int:
        """End it as an operator would."""
        self.signal("TERM")
        return await self.ended


def start(
    *command: str | Path,
    cwd: Path | None = None,
    inherited: Sequence[int] = (),
    **environment: str,
) -> Process:
    """
    Start a process; its output is kept.

    Args:
        command: the program and its arguments.
        cwd: where it starts.
        inherited: open files that it has as 3, 4, ...
        environment: more of its environment.
    """
    process = Process()
    reactor.spawnProcess(
        process,
        str(command[0]),
        [str(part) for part in command],
        env={**os.environ, **environment},
        path=str(cwd or ROOT),
        childFDs={0: "w", 1: "r", 2: "r", **dict(enumerate(inherited, 3))},
    )
    return process


def start_python(*arguments: str | Path, **environment: str) -> Process:
    """Start this Python, with this checkout's Mojo."""
    return start(sys.executable, *arguments, PYTHONPATH=str(ROOT), **environment)


def start_twistd(folder: Path, *arguments: str | Path, **environment: str) -> Process:
    """Start ``twistd -n mojo``; ``folder`` is for its pid file."""
    return start_python(
        Path(sys.executable).with_name("twistd"),
        "-n",
        f"--pidfile={folder / 'twistd.pid'}",
        "mojo",
        *arguments,
        **environment,
    )


async def start_server(
    folder: Path, project: Path = PROJECT, *arguments: str, port: int = 0, **environment: str
) -> tuple[Process, str]:
    """Start a project, on a free port unless one is said; give the process and its address."""
    process = start_twistd(
        folder,
        "--project",
        project,
        "--listen",
        f"tcp:{port}:interface=127.0.0.1",
        *arguments,
        **environment,
    )
    match = await process.wait_for(r"on (http://127\.0\.0\.1:\d+)/")
    return process, match.group(1)
