"""A worker's process, as its parent has it: two pipes, its output, and its end."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.errors import PacketError
from mojo.workers.brief import FROM_PARENT, LOADS, TO_PARENT, Brief
from mojo.workers.hub import Hub, HubLine
from mojo.workers.log import Lines, log_line

_log = Logger()

#: Seconds for the last of a worker's output to be read when it is gone.
LAST_OUTPUT_SECONDS = 1.0

_OUT, _ERR = 1, 2
# What Linux lets anybody have.
_PIPE_BYTES = 1_048_576
#: What systemd tells one process alone.
_OF_SYSTEMD = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class WorkerProcess(ProcessProtocol):
    """
    A worker that runs; see `mojo.workers.supervisor.Running`.

    Args:
        clock: tells the time.
        brief: what it is told.
        hub: what joins it with the others.
        ready: called when it serves.
        ended: called with the reason when it is gone.
        lives: called when it says anything.
    """

    def __init__(
        self,
        clock: IReactorTime,
        brief: Brief,
        hub: Hub,
        ready: Callable[[], None],
        ended: Callable[[str], None],
        lives: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._brief = brief
        self._hub = hub
        self._ready = ready
        self._ended = ended
        self._lives = lives
        self._line: HubLine | None = None
        self._last_output: IDelayedCall | None = None
        self._is_over = False

        def take(line: bytes) -> None:
            log_line(brief.name, line)

        self._outputs = {_OUT: Lines(take), _ERR: Lines(take)}

    def __repr__(self) -> str:
        return f"<WorkerProcess {self._brief.name}>"

    # -- Running ----------------------------------------------------------------------

    def retire(self) -> None:
        """Have it accept no more connections."""
        if self._line is not None:
            self._line.tell("retire")

    def hurry(self) -> None:
        """Have it wait for nothing any more."""
        if self._line is not None:
            self._line.tell("hurry")

    def signal(self, name: str) -> None:
        """Send it a signal, unless it is gone."""
        try:
            if self.transport is not None:
                # By number: Twisted has names for some of them only.
                self.transport.signalProcess(signal.Signals[f"SIG{name}"])
        except ProcessExitedAlready:
            pass

    # -- from the process ---------------------------------------------------------------

    def connectionMade(self) -> None:
        """Tell it what it is to do."""
        pipe = cast(Any, self.transport).pipes[FROM_PARENT]
        brief = self._brief.to_json()
        pipe.write(len(brief).to_bytes(4, "big") + brief)
        self._line = self._hub.join(self._brief.name, pipe, self._heard)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Take what it writes."""
        if childFD in self._outputs:
            self._outputs[childFD].received(data)
        elif self._line is not None:
            self._lives()
            try:
                self._line.received(data)
            except PacketError:
                _log.failure("worker {name} is killed", name=self._brief.name)
                self._leave()
                self.signal("KILL")

    def childConnectionLost(self, childFD: int) -> None:
        """It has closed a pipe."""
        if childFD in self._outputs:
            self._outputs[childFD].ended()
        elif childFD == TO_PARENT:
            # The other one goes first, while the last that it has said is still in this one.
            self._leave()

    def processExited(self, reason: Failure) -> None:
        """It is gone; what it has said may still be in its pipes."""
        # What an app has started has the worker's output as well, and may live for as long as it
        # likes: `processEnded` waits for that.
        self._last_output = self._clock.callLater(LAST_OUTPUT_SECONDS, self._over, reason)

    def processEnded(self, reason: Failure) -> None:
        """It is gone, and its pipes are read to the end."""
        if self._last_output is not None and self._last_output.active():
            self._last_output.cancel()
        self._over(reason)

    def _over(self, reason: Failure) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._leave()
        status = reason.value
        number = getattr(status, "signal", None)
        if number is not None:
            self._ended(f"by signal {signal.Signals(number).name}")
        else:
            self._ended(f"with exit status {getattr(status, 'exitCode', None)}")

    def _heard(self, word: str) -> None:
        if word == "ready":
            self._ready()
        elif word != "alive":
            raise PacketError("an unknown word")

    def _leave(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.lost()


class _Nobody:
    """What could not be started."""

    def retire(self) -> None:
        """Do nothing."""

    def hurry(self) -> None:
        """Do nothing."""

    def signal(self, name: str) -> None:
        """Do nothing."""


def start_worker(
    reactor: Any,
    process: WorkerProcess,
    name: str,
    files: list[int],
    ended: Callable[[str], None],
    environment: Mapping[str, str] = os.environ,
) -> WorkerProcess | _Nobody:
    """
    Start a worker.

    Args:
        reactor: the reactor.
        process: what it is spoken to by.
        name: its name, which those see who list processes.
        files: the numbers of the open files that it has: its siblings' loads, and the ports.
        ended: called with the reason if it cannot be started.
        environment: this process's.
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        reactor.spawnProcess(
            process,
            sys.executable,
            [sys.executable, "-m", "mojo.workers", name],
            env={key: value for key, value in environment.items() if key not in _OF_SYSTEMD},
            childFDs={
                0: nothing,
                _OUT: "r",
                _ERR: "r",
                FROM_PARENT: "w",
                TO_PARENT: "r",
                **dict(enumerate(files, LOADS)),
            },
        )
    except OSError as exc:
        reactor.callLater(0, ended, f"it could not be started: {exc}")
        return _Nobody()
    finally:
        os.close(nothing)
    _widen(process)
    return process


def _widen(process: WorkerProcess) -> None:
    """Have the kernel take more of what is said at one time, if it lets us."""
    for number in (FROM_PARENT, TO_PARENT):
        try:
            pipe = cast(Any, process.transport).pipes[number].fileno()
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except (AttributeError, KeyError, OSError):
            pass  # not on every system, and not for every user
