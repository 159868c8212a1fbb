"""`mojo.workers.process` and what ``twistd mojo`` makes of its options."""

from __future__ import annotations

import os
import signal
from functools import partial

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mojo.tap import Options, count_workers
from mojo.workers import frames
from mojo.workers.brief import FROM_PARENT, TO_PARENT, Brief
from mojo.workers.hub import Hub
from mojo.workers.process import LAST_OUTPUT_SECONDS, WorkerProcess, start_worker
from tests.e2e.processes import PROJECT
from tests.workers.machine import MOST, MemoryPipe

BRIEF = Brief(
    name="0.1", folder="/x", project="/p", assignments=["A=1"], redis="redis://:pw@x",
    secret="the secret", endpoints=["tcp:80"], families=[2], reactor="r", most=MOST,
    sign_seconds=15.0,
)  # fmt: skip


class FakeProcess:
    """What Twisted gives a process's protocol."""

    def __init__(self) -> None:
        self.pipes = {FROM_PARENT: MemoryPipe()}
        self.signals: list[str] = []

    def signalProcess(self, number) -> None:
        if number == signal.SIGTERM:
            raise ProcessExitedAlready
        self.signals.append(signal.Signals(number).name)


class ProcessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.hub = Hub(self.clock, MOST)
        self.told: list[str] = []
        self.signs: list[str] = []
        self.process = self.make()
        self.fake = FakeProcess()
        self.process.makeConnection(self.fake)

    def make(self) -> WorkerProcess:
        ready = partial(self.told.append, "ready")
        lives = partial(self.signs.append, "heard")
        return WorkerProcess(self.clock, BRIEF, self.hub, ready, self.told.append, lives)

    def test_brief(self) -> None:
        """It comes first, with its length, and is read as it was; it shows no secret."""
        data = self.fake.pipes[FROM_PARENT].take()
        self.assertEqual(int.from_bytes(data[:4], "big"), len(data) - 4)
        self.assertEqual(Brief.from_json(data[4:]), BRIEF)
        for hidden in ("the secret", ":pw@", "A=1"):
            self.assertNotIn(hidden, repr(BRIEF))

    def test_ready(self) -> None:
        self.process.childDataReceived(TO_PARENT, frames.pack_control("ready"))
        self.assertEqual(self.told, ["ready"])

    def test_lives(self) -> None:
        """Whatever it says to its parent is a sign of life; what it prints is none."""
        self.process.childDataReceived(TO_PARENT, frames.pack_control("alive")[:3])
        self.process.childDataReceived(1, b"a thread prints\n")
        self.process.childDataReceived(TO_PARENT, frames.pack_control("alive")[3:])
        self.assertEqual((self.signs, self.told), (["heard"] * 2, []))

    def test_nonsense(self) -> None:
        """A worker that says what none says is killed, and not heard any more."""
        self.process.childDataReceived(TO_PARENT, frames.pack_control("nonsense"))
        self.assertEqual(self.fake.signals, ["SIGKILL"])
        self.process.childDataReceived(TO_PARENT, frames.pack_control("ready"))
        self.assertEqual(self.told, [])
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_signals(self) -> None:
        """Those, too, of which Twisted has no name."""
        self.process.signal("QUIT")
        self.assertEqual(self.fake.signals, ["SIGQUIT"])

    def test_ends(self) -> None:
        """How it ended is told in words; what it is told then is nobody's error."""
        for failure, why in (
            (ProcessTerminated(signal=signal.SIGSEGV), "by signal SIGSEGV"),
            (ProcessTerminated(exitCode=3), "with exit status 3"),
            (ProcessDone(0), "with exit status 0"),
        ):
            self.told.clear()
            self.process = self.make()
            self.process.processExited(Failure(failure))
            self.assertEqual(self.told, [])
            self.process.processEnded(Failure(failure))
            self.assertEqual(self.told, [why])
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.process.retire()
        self.process.hurry()
        self.process.signal("TERM")

    def test_survived(self) -> None:
        """Nobody waits for what it has started, which has its pipes; that may still be heard."""
        gone = Failure(ProcessTerminated(signal=signal.SIGKILL))
        self.process.processExited(gone)
        self.process.childDataReceived(TO_PARENT, frames.pack_control("ready"))
        self.clock.advance(LAST_OUTPUT_SECONDS)
        self.assertEqual(self.told, ["ready", "by signal SIGKILL"])
        self.process.childDataReceived(TO_PARENT, frames.pack_control("ready"))
        self.process.childDataReceived(1, b"and on\n")
        self.process.processEnded(gone)
        self.assertEqual(self.told, ["ready", "by signal SIGKILL"])

    def test_last_words(self) -> None:
        """What it has said is heard to the end, also when it hears nothing any more."""
        self.process.childConnectionLost(FROM_PARENT)
        self.process.childDataReceived(TO_PARENT, frames.pack_control("ready"))
        self.assertEqual(self.told, ["ready"])
        self.process.childConnectionLost(TO_PARENT)
        self.process.childDataReceived(TO_PARENT, frames.pack_control("ready"))
        self.assertEqual(self.told, ["ready"])

    def test_words(self) -> None:
        """What it is told comes by its pipe."""
        self.fake.pipes[FROM_PARENT].take()
        self.process.retire()
        self.process.hurry()
        told = frames.FrameReader(MOST).feed(self.fake.pipes[FROM_PARENT].take())
        said = [frames.unpack_control(frame)["said"] for frame in told]
        self.assertEqual(said, ["retire", "hurry"])


class StartTests(SynchronousTestCase):
    def test_cannot_be_started(self) -> None:
        """It is as if it had ended at once."""
        clock = Clock()
        clock.spawnProcess = self.spawn
        why: list[str] = []
        running = start_worker(clock, None, "0.1", [7], why.append, {"A": "1", "LISTEN_FDS": "1"})
        self.assertEqual(why, [])
        clock.advance(0)
        self.assertIn("it could not be started: [Errno 11] no more", why[0])
        running.retire()
        running.hurry()
        running.signal("KILL")

    def spawn(self, process, executable, args, env, childFDs):
        """What systemd has told the parent is for the parent alone; ports come after pipes."""
        self.assertEqual(args[1:], ["-m", "mojo.workers", "0.1"])
        self.assertEqual(env, {"A": "1"})
        self.assertEqual((childFDs[FROM_PARENT], childFDs[TO_PARENT], childFDs[5]), ("w", "r", 7))
        raise OSError(11, "no more processes")


class OptionsTests(SynchronousTestCase):
    def options(self, *arguments: str) -> Options:
        options = Options()
        options.parseOptions(["--project", str(PROJECT), *arguments])
        return options

    def test_workers(self) -> None:
        """The option stands in place of the setting; one is no parent."""
        self.assertEqual(self.options().workers, 1)
        self.assertEqual(self.options("-w", "3").workers, 3)
        self.assertEqual(self.options("-s", "WORKERS=3").workers, 3)
        self.assertEqual(self.options("-w", "2", "-s", "WORKERS=3").workers, 2)
        self.assertEqual(self.options("-w", "auto").workers, count_workers("auto"))

    def test_auto(self) -> None:
        self.patch(os, "sched_getaffinity", lambda pid: {0, 2, 5})
        self.assertEqual(count_workers("auto"), 3)

    def test_one_of_auto(self) -> None:
        """A machine of one processor has a parent too, which reloads as any other does."""
        self.patch(os, "sched_getaffinity", lambda pid: {0})
        options = self.options("-w", "auto")
        self.assertEqual((options.workers, options.has_parent), (1, True))
        self.assertFalse(self.options("-w", "1").has_parent)
        self.assertFalse(self.options().has_parent)
