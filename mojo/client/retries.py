"""
Events that are sent until they are acknowledged: the option ``retries``.

They are sent one at a time, in order.  One that is not acknowledged in time, or whose
connection went, is sent again, and given up after so many tries.  The server may get an event
more than once: its handler should expect that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.logger import Logger

from mojo.client.emitter import Flags
from mojo.errors import UnsendableError
from mojo.socketio.acks import Answered, Failed

_log = Logger()


@dataclass(slots=True, eq=False)
class _Queued:
    name: str
    args: tuple[Any, ...]
    flags: Flags
    answered: Answered
    failed: Failed
    tries: int = 0
    pending: bool = False


#: Sends an event: name, arguments, conditions, and who gets the answer or the error.
Send = Callable[[str, tuple[Any, ...], Flags, Answered, Failed], object]


class RetryQueue:
    """
    The events of one socket that wait for their acknowledgements.

    Args:
        retries: how often an event is sent again.
        send: sends one.
        connected: tells whether one can be sent.
    """

    def __init__(self, retries: int, send: Send, connected: Callable[[], bool]) -> None:
        self._retries = retries
        self._send = send
        self._connected = connected
        self._queue: deque[_Queued] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    def add(
        self, name: str, args: tuple[Any, ...], flags: Flags, answered: Answered, failed: Failed
    ) -> None:
        """Queue an event; `drain` sends it when it is its turn."""
        self._queue.append(_Queued(name, args, flags, answered, failed))

    def drain(self) -> None:
        """Send the first event if that is possible, and it is not waited for already."""
        while self._connected() and self._queue and not self._queue[0].pending:
            first = self._queue[0]
            first.pending = True
            first.tries += 1
            answered, failed = partial(self._answered, first), partial(self._failed, first)
            try:
                self._send(first.name, first.args, first.flags, answered, failed)
            except UnsendableError as exc:
                self._give_up(first, exc)

    def _answered(self, event: _Queued, args: list[Any]) -> None:
        self._queue.remove(event)
        try:
            event.answered(args)
        finally:
            self.drain()

    def _failed(self, event: _Queued, error: Exception) -> None:
        event.pending = False
        if event.tries > self._retries:
            self._give_up(event, error)
        self.drain()

    def _give_up(self, event: _Queued, error: Exception) -> None:
        self._queue.remove(event)
        _log.warn("event {event!r} was given up: {error}", event=event.name, error=str(error))
        event.failed(error)
