"""
Events from server to server: what one node of a cluster emits, the listeners of the others hear.

Clients have no part in them.  The reference calls it ``serverSideEmit``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from mojo.calls import ignore, run
from mojo.socketio.adapter import Answer

_log = Logger()

ServerListener = Callable[..., Any]


class ServerListeners:
    """
    The listeners of a namespace.

    Args:
        name: the namespace's, for the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._listeners: dict[str, list[ServerListener]] = {}

    def add(self, event: str, listener: ServerListener) -> None:
        """Have an event heard."""
        self._listeners.setdefault(event, []).append(listener)

    def hear(self, event: str, args: Sequence[Any], answer: Answer | None) -> None:
        """
        Call the listeners of an event.

        Args:
            event: its name.
            args: its arguments.
            answer: gets what the first listener to be done returned, if the other server
                asked; nothing is told it if there is no listener, or each raised.
        """
        answers = [answer] if answer is not None else []

        def done(result: Any) -> None:
            if answers:
                try:
                    answers.pop()(result)
                except Exception:  # what it returned cannot be sent
                    self._failed(event, Failure())

        for listener in tuple(self._listeners.get(event, ())):
            failed = partial(self._failed, event)
            run(partial(listener, *args), done if answer is not None else ignore, failed)

    def _failed(self, event: str, failure: Failure) -> None:
        _log.failure("{app}: a listener of {event!r} failed", failure, app=self._name, event=event)
