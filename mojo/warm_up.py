"""
What a service needs later than at its start: imported a moment after it, in a thread.

The start does not wait for it, and neither does the first client that needs it: a third of a
second in the reactor's thread would be one in which nobody is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorThreads

#: Seconds from the start: by then whoever waited for it has had the first answers.
DELAY = 1.0


class WarmUp(Service):
    """
    Calls a function once, in a thread, soon after the start.

    Args:
        reactor: the reactor; where it has no threads, as a test's ``Clock``, nothing is called,
            and whoever needs what is missing loads it then.
        load: what is called.
    """

    def __init__(self, reactor: Any, load: Callable[[], object]) -> None:
        self._reactor = reactor
        self._has_threads = IReactorThreads.providedBy(reactor)
        self._load: Callable[[], object] | None = load
        self._call: IDelayedCall | None = None

    def startService(self) -> None:
        """Start."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._load is not None and self._has_threads:
            self._call = self._reactor.callLater(DELAY, self._begin)

    def stopService(self) -> None:
        """Stop, without it if it has not begun."""
        super().stopService()  # type: ignore[no-untyped-call]
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _begin(self) -> None:
        self._call = None
        load, self._load = self._load, None
        self._reactor.callInThread(load)
