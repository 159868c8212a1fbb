"""
A second signal ends at once.

Twisted's handler stops the reactor, which gives the clients some time, and has nothing to
say to a second signal.  Whoever sends one does not want to wait: the service is hurried,
and a process whose reactor has not even noticed the first one, since a handler never
returns, is ended as any other is.  A third signal always is.
"""

from __future__ import annotations

import os
import signal
from typing import Any, Protocol

from twisted.application.service import Service

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Hurried(Protocol):
    """
    What is to end.

    Attributes:
        stopping: whether it has begun to.
    """

    stopping: bool

    def hurry(self) -> None:
        """End at once."""


class SecondSignal(Service):
    """
    Listens for signals once the reactor does.

    Args:
        reactor: the reactor.
        hurried: what is to end.
    """

    def __init__(self, reactor: Any, hurried: Hurried) -> None:
        self._reactor = reactor
        self._hurried = hurried
        self._former: dict[int, Any] = {}
        self._told = False

    def startService(self) -> None:
        """Put a handler before Twisted's, which the reactor installs when it runs."""
        super().startService()
        self._told = False
        self._reactor.callWhenRunning(self._install)

    def stopService(self) -> None:
        """Let others have the signals."""
        super().stopService()
        for number, former in self._former.items():
            if signal.getsignal(number) == self._signalled:
                signal.signal(number, former)
        self._former.clear()

    def _install(self) -> None:
        for number in _SIGNALS:
            former = signal.getsignal(number)
            if self.running and callable(former):
                self._former[number] = former
                signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: Any) -> None:
        if not self._told:
            self._told = True
            self._former[number](number, frame)
            return
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_DFL)
        if self._hurried.stopping:
            self._reactor.callFromThread(self._hurried.hurry)
        else:
            os.kill(os.getpid(), number)
