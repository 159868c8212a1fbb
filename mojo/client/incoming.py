"""One event of the server, when it is its turn: its listeners are called, and it is answered."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.socketio.turns import Call

_log = Logger()


class Incoming(Call):
    """
    The turn of one event.

    Args:
        name: the event's, for the log.
        function: calls its listeners, and gives their answer.
        answered: gets the answer.
    """

    __slots__ = ("_answered",)

    def __init__(
        self, name: str, function: Callable[[], Any], answered: Callable[[Any], object]
    ) -> None:
        super().__init__(function, partial(_failed, name))
        self._answered = answered

    def done(self, result: Any) -> None:
        """Acknowledge."""
        self._answered(result)


def _failed(name: str, failure: Failure) -> None:
    _log.failure("event {event!r} failed", failure, event=name)
