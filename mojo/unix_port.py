"""A UNIX socket that somebody else has opened and keeps, as systemd or a parent of workers does."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import tcp, unix


class SharedUnixPort(unix.Port):
    """
    A UNIX socket that others listen on, too, and that another process has made.

    Twisted's own would change the file's mode, remove it when it is closed, and shut the socket
    down, for everybody.

    Args:
        number: the file's number.
        factory: what is listened for.
        reactor: the reactor.
    """

    _shouldShutdown = False

    def __init__(self, number: int, factory: Any, reactor: Any) -> None:
        self._shared = socket.socket(fileno=os.dup(number))
        self._shared.setblocking(False)
        super().__init__(self._shared.getsockname(), factory, reactor=reactor)

    def startListening(self) -> None:
        """Begin to accept."""
        assert self.factory is not None
        self.factory.doStart()
        self.connected = True
        self.socket = self._shared
        self.fileno = self.socket.fileno  # type: ignore[method-assign]
        self.startReading()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Any) -> None:
        """Accept no longer."""
        tcp.Port.connectionLost(self, reason)
