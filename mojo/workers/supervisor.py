"""
Keeping workers: as many as there are to be, one after another where they are exchanged.

A worker that ends is followed by the next one: at once if it had lived for a while, and later
and later if it had not, so that a project that cannot start does not keep the machine busy.  A
reload starts a new worker, waits until it is ready, and lets the old one go; then it is
the next one's turn.  If the new one does not come up the reload ends there, and the old ones stay.

A worker that serves says every now and then that its reactor turns.  One of which nothing is
heard for too long is ended.  That time is counted in looks, between which all is read that
there is: so nobody is ended because it was the parent that stood still.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_log = Logger()

#: Seconds in which a worker must be ready.
START_SECONDS = 60.0
#: Seconds of life after which a worker's end is followed by the next one at once.
LONG_LIFE = 10.0
#: Seconds before the next one if it had not lived so long: the first and the longest.
FIRST_DELAY, MAX_DELAY = 0.5, 30.0
#: Seconds between a worker's last look at the ports and the signal: for requests on connections
#: that it has just accepted.
LINGER_SECONDS = 0.5
#: Seconds in which a worker that must not wait any more ends by itself.
HURRY_SECONDS = 3.0
#: How often a worker that is watched is looked at, and has said nothing, until it is ended.
SILENT_LOOKS = 4
#: Seconds in which one that is ended for that tells the log where it is.
TRACE_SECONDS = 1.0


class Running(Protocol):
    """A worker's process."""

    def retire(self) -> None:
        """Have it accept no more connections."""

    def hurry(self) -> None:
        """Have it wait for nothing any more."""

    def signal(self, name: str) -> None:
        """Send it a signal, such as ``"TERM"``, unless it is gone."""


class Worker:
    """
    One process, from when it is started until it is gone.

    Args:
        name: its name.
        began: when it was started.

    Attributes:
        running: its process.
        came_up: fires with whether it became ready.
        ended: fires when it is gone.
        is_leaving: whether it has been told to end.
        silent_looks: how often it was looked at since it was heard of.
    """

    def __init__(self, name: str, began: float) -> None:
        self.name = name
        self.began = began
        self.running: Running
        self.came_up: Deferred[bool] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.is_leaving = False
        self.silent_looks = 0
        self.timer: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<Worker {self.name}>"


class Slot:
    """
    The place of one worker, and of those that follow it.

    Attributes:
        worker: who has it; nobody between two of them.
        newcomer: who is to have it, if he becomes ready.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.generation = 0
        self.early_ends = 0
        self.worker: Worker | None = None
        self.newcomer: Worker | None = None
        self.restart: IDelayedCall | None = None


#: Starts a process: it is given the worker's name, and what to call when it is ready, when
#: it is gone, with the reason, and whenever it is heard of.
Spawn = Callable[[str, Callable[[], None], Callable[[str], None], Callable[[], None]], Running]


class Supervisor(Service):
    """
    The workers of one parent.

    Args:
        clock: tells the time.
        count: how many workers there are to be.
        spawn: starts one.
        stop_seconds: how long one may take to end.
        timeout: seconds without a sign of life after which one is ended; ``None`` for never.

    Attributes:
        up: fires when all were ready for the first time.
    """

    def __init__(
        self,
        clock: Any,
        count: int,
        spawn: Spawn,
        stop_seconds: float,
        timeout: float | None = None,
    ) -> None:
        self._clock = clock
        self._spawn = spawn
        self._stop_seconds = stop_seconds
        self._timeout = timeout
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self._slots = [Slot(number) for number in range(count)]
        self._workers: list[Worker] = []
        self._reloads = 0
        self._gone: Deferred[None] | None = None
        self.up: Deferred[None] = Deferred()

    def startService(self) -> None:
        """Start all."""
        super().startService()  # type: ignore[no-untyped-call]
        for slot in self._slots:
            slot.worker = self._launch(slot)
        if self._timeout is not None:
            self._looking.start(self._timeout / SILENT_LOOKS, now=False)

    def stopService(self) -> Deferred[None]:
        """Let all go, at the same time; fires when there is none any more."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._looking.running:
            self._looking.stop()
        gone: Deferred[None] = Deferred()
        self._gone = gone
        for slot in self._slots:
            self._cancel(slot.restart)
        for worker in list(self._workers):
            self._dismiss(worker)
        self._look_for_end()
        return gone

    def hurry(self) -> None:
        """Let those that are about to go wait for nothing any more."""
        for worker in list(self._workers):
            worker.running.hurry()
            self._kill_after(worker, HURRY_SECONDS)

    def reload(self) -> None:
        """Exchange all, one after another; once more, if that is being done."""
        self._reloads += 1
        if self._reloads == 1 and self.running:
            Deferred.fromCoroutine(self._reload()).addErrback(self._reload_failed)

    # -- one worker ------------------------------------------------------------------

    def _launch(self, slot: Slot) -> Worker:
        slot.generation += 1
        worker = Worker(f"{slot.number}.{slot.generation}", self._clock.seconds())
        self._workers.append(worker)
        worker.timer = self._clock.callLater(START_SECONDS, self._late, worker)
        worker.running = self._spawn(
            worker.name,
            lambda: self._ready(slot, worker),
            lambda why: self._ended(slot, worker, why),
            lambda: self._heard(worker),
        )
        return worker

    def _late(self, worker: Worker) -> None:
        _log.error(
            "worker {name} is not ready after {seconds:.0f} s",
            name=worker.name,
            seconds=START_SECONDS,
        )
        worker.running.signal("KILL")

    def _ready(self, slot: Slot, worker: Worker) -> None:
        if worker.is_leaving or worker.came_up.called:
            return
        self._cancel(worker.timer)
        seconds = self._clock.seconds() - worker.began
        _log.info("worker {name} is ready after {seconds:.1f} s", name=worker.name, seconds=seconds)
        worker.came_up.callback(True)
        if not self.up.called and all(s.worker and s.worker.came_up.called for s in self._slots):
            self.up.callback(None)

    def _heard(self, worker: Worker) -> None:
        worker.silent_looks = 0

    def _look(self) -> None:
        """End whoever serves, and is silent for too long."""
        for worker in self._workers:
            if not worker.came_up.called or worker.is_leaving:
                continue
            worker.silent_looks += 1
            # By then the whole time has passed since it was heard of.
            if worker.silent_looks == SILENT_LOOKS + 1:
                _log.error(
                    "worker {name} has said nothing for {seconds:g} s: it is killed, "
                    "after it has said where it is",
                    name=worker.name,
                    seconds=self._timeout,
                )
                worker.running.signal("QUIT")
                worker.timer = self._clock.callLater(TRACE_SECONDS, worker.running.signal, "KILL")

    def _dismiss(self, worker: Worker) -> None:
        """Have a worker leave, in the time that it may take."""
        worker.is_leaving = True
        worker.running.signal("TERM")
        self._kill_after(worker, self._stop_seconds)

    def _kill_after(self, worker: Worker, seconds: float) -> None:
        def kill() -> None:
            _log.error("worker {name} does not end, and is killed", name=worker.name)
            worker.running.signal("KILL")

        self._cancel(worker.timer)
        worker.timer = self._clock.callLater(seconds, kill)

    def _ended(self, slot: Slot, worker: Worker, why: str) -> None:
        self._cancel(worker.timer)
        self._workers.remove(worker)
        was_ready = worker.came_up.called
        life = self._clock.seconds() - worker.began
        if worker.is_leaving:
            _log.info("worker {name} has ended", name=worker.name)
        else:
            self._report(slot, worker, why, life)
        if slot.worker is worker:
            slot.worker = None
            if self.running and slot.newcomer is None:
                self._follow(slot, is_early=not was_ready or life < LONG_LIFE)
        if not was_ready:
            worker.came_up.callback(False)
        worker.ended.callback(None)
        self._look_for_end()

    def _report(self, slot: Slot, worker: Worker, why: str, life: float) -> None:
        _log.error(
            "worker {name} ended by itself after {life:.1f} s: {why}",
            name=worker.name,
            life=life,
            why=why,
        )

    def _follow(self, slot: Slot, *, is_early: bool) -> None:
        """Start the next worker of a slot, in time."""
        slot.early_ends = slot.early_ends + 1 if is_early else 0
        # Not a power of what may be a large number.
        doublings = min(slot.early_ends - 1, 10)
        delay = min(FIRST_DELAY * 2**doublings, MAX_DELAY) if is_early else 0.0
        if delay:
            _log.info("worker {number}: the next in {delay} s", number=slot.number, delay=delay)

        def start() -> None:
            slot.worker = self._launch(slot)

        slot.restart = self._clock.callLater(delay, start)

    # -- all of them ------------------------------------------------------------------

    async def _reload(self) -> None:
        try:
            while self._reloads and self.running:
                done = self._reloads
                _log.info("reload: {count} workers, one after another", count=len(self._slots))
                for slot in self._slots:
                    if not await self._exchange(slot):
                        return
                _log.info("reload: done")
                self._reloads -= done
        finally:
            self._reloads = 0

    async def _exchange(self, slot: Slot) -> bool:
        """Put a new worker in the place of an old one; tell whether that was possible."""
        self._cancel(slot.restart)
        slot.newcomer = self._launch(slot)
        newcomer = slot.newcomer
        came_up = await newcomer.came_up
        slot.newcomer = None
        if not self.running:
            return False
        if not came_up:
            _log.error(
                "reload: ended, since worker {name} did not come up; the others stay",
                name=newcomer.name,
            )
            if slot.worker is None:
                self._follow(slot, is_early=True)
            return False
        former, slot.worker = slot.worker, newcomer
        slot.early_ends = 0
        if former is not None:
            former.is_leaving = True
            former.running.retire()
            self._cancel(former.timer)
            former.timer = self._clock.callLater(LINGER_SECONDS, self._dismiss, former)
            await former.ended
        return bool(self.running)

    def _reload_failed(self, failure: Any) -> None:
        _log.failure("reload", failure)

    def _look_for_end(self) -> None:
        if self._gone is not None and not self._workers:
            gone, self._gone = self._gone, None
            gone.callback(None)

    def _cancel(self, call: IDelayedCall | None) -> None:
        if call is not None and call.active():
            call.cancel()
