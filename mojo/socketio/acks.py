"""
Acknowledgements that clients still owe us: those of one connection, and those of many.

Each is answered once, times out, or fails when the connection goes; none stays.

See: Socket.IO protocol v5, "Acknowledgement".
"""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from mojo.calls import ignore, run
from mojo.errors import AckTimeout, Disconnected

Answered = Callable[[list[Any]], object]
Failed = Callable[[Exception], object]


def ignore_failure(error: Exception) -> None:
    """Whoever waits without a time limit does not ask why there is no answer."""


class _Waiter(NamedTuple):
    answered: Answered
    failed: Failed
    timer: IDelayedCall | None


class PendingAcks:
    """
    What waits for an answer, by the id that the answer will bear.

    Args:
        clock: for the time limits.
        report: gets what a callback raised; callbacks may be async.
    """

    __slots__ = ("_clock", "_report", "_waiting")

    def __init__(self, clock: IReactorTime, report: Callable[[Failure], object]) -> None:
        self._clock = clock
        self._report = report
        self._waiting: dict[int, _Waiter] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def expect(
        self,
        ack_id: int,
        answered: Answered,
        failed: Failed = ignore_failure,
        timeout: float | None = None,
    ) -> None:
        """
        Wait for an answer.

        Args:
            ack_id: the id that it will bear.
            answered: gets its arguments.
            failed: gets `AckTimeout`, or `Disconnected` when the connection goes.
            timeout: seconds to wait; ``None`` waits as long as the connection is there.
        """
        timer = None
        if timeout is not None:
            timer = self._clock.callLater(timeout, self._expired, ack_id, timeout)
        self._waiting[ack_id] = _Waiter(answered, failed, timer)

    def refuse(self, failed: Failed, reason: str) -> None:
        """Tell somebody at once that there will be no answer: the connection is gone."""
        self._call(failed, Disconnected(reason))

    def forget(self, ack_id: int) -> _Waiter | None:
        """Wait no more; give what waited."""
        waiter = self._waiting.pop(ack_id, None)
        if waiter is not None and waiter.timer is not None and waiter.timer.active():
            waiter.timer.cancel()
        return waiter

    def received(self, ack_id: int, args: list[Any]) -> bool:
        """Take an answer; say whether anybody was waiting for it."""
        waiter = self.forget(ack_id)
        if waiter is None:
            return False
        self._call(waiter.answered, args)
        return True

    def fail_all(self, reason: str, keep: Container[int] = ()) -> None:
        """End every wait but those for some ids: the connection is gone."""
        for ack_id in [ack_id for ack_id in self._waiting if ack_id not in keep]:
            waiter = self.forget(ack_id)
            if waiter is not None:
                self.refuse(waiter.failed, reason)

    def _expired(self, ack_id: int, seconds: float) -> None:
        waiter = self.forget(ack_id)
        assert waiter is not None
        self._call(waiter.failed, AckTimeout(f"no acknowledgement within {seconds:g} s"))

    def _call(self, callback: Callable[[Any], object], value: Any) -> None:
        run(partial(callback, value), ignore, self._report)


class Answers(NamedTuple):
    """
    What many clients answered.

    Attributes:
        answers: each client's answer, in the order in which they came: its argument,
            a tuple if it had several, ``None`` if it had none.
        missing: the ids of the connections that did not answer in time, or went.  In a cluster
            a text that begins with ``"?"`` stands for one that its server did not name, or for
            a server that did not say whom it asked.
    """

    answers: list[Any]
    missing: list[str]


class AckCollector:
    """
    Gathers the answers to one broadcast.

    Args:
        clock: for the time limit.
        timeout: seconds in which clients may answer.
        places: in how many namespaces clients are asked; `all_asked` follows for each.

    Attributes:
        result: fires with `Answers` when all have answered or gone, or time is up.
        timeout: see above.
    """

    def __init__(self, clock: IReactorTime, timeout: float, places: int = 1) -> None:
        self.result: Deferred[Answers] = Deferred(lambda _: self._stop())
        self._answers: list[Any] = []
        self._lost: list[str] = []
        self._waiting: dict[str, Callable[[], object]] = {}
        self._places = places
        self._when_over: list[Callable[[], object]] = []
        self.timeout = timeout
        self._timer = clock.callLater(timeout, self._finish)
        self._finish_if_done()

    def expect(self, cid: str, forget: Callable[[], object]) -> None:
        """
        Wait for one more client.

        Args:
            cid: its connection.
            forget: called if the answer is not waited for any longer.
        """
        self._waiting[cid] = forget

    def ask_elsewhere(self) -> None:
        """Wait for one more `all_asked`."""
        self._places += 1

    def all_asked(self) -> None:
        """Note that there is nobody else to wait for in one of the namespaces."""
        self._places -= 1
        self._finish_if_done()

    def answered(self, cid: str, args: list[Any]) -> None:
        """Take a client's answer."""
        if self._waiting.pop(cid, None) is not None:
            self._answers.append(unwrap(args))
            self._finish_if_done()

    def excuse(self, cid: str) -> None:
        """Wait for somebody no longer, and do not miss the answer."""
        if self._waiting.pop(cid, None) is not None:
            self._finish_if_done()

    def when_over(self, call: Callable[[], object]) -> None:
        """Have a function called when nothing is waited for any longer."""
        self._when_over.append(call)

    def lost(self, cid: str, error: Exception | None = None) -> None:
        """Note that a client is gone, and why."""
        if self._waiting.pop(cid, None) is not None:
            self._lost.append(cid)
            self._finish_if_done()

    def _finish_if_done(self) -> None:
        if not self._places and not self._waiting:
            self._finish()

    def _finish(self) -> None:
        missing = [*self._lost, *self._waiting]
        self._stop()
        if not self.result.called:
            self.result.callback(Answers(self._answers, missing))

    def _stop(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        waiting, self._waiting = self._waiting, {}
        for forget in waiting.values():
            forget()
        calls, self._when_over = self._when_over, []
        for call in calls:
            call()


def wrap(result: Any) -> tuple[Any, ...]:
    """Give the arguments of an acknowledgement for what an app returned: see `unwrap`."""
    if result is None:
        return ()
    return result if isinstance(result, tuple) else (result,)


def unwrap(args: list[Any]) -> Any:
    """Give an acknowledgement's argument, a tuple of several, or ``None`` for none."""
    if len(args) > 1:
        return tuple(args)
    return args[0] if args else None
