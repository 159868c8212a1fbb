"""
The reading half of a connection whose other half stays Twisted's.

A long-polling client's connection brings one small request after another, and for each the
reactor passes through a logging context, a transport and a dozen calls, in 10 µs.  While nothing
else comes, our poller watches the socket and hands on what it brings.  Whatever is out of the
ordinary is left to Twisted: the half is given back, and the transport finds the same as we did.
"""

from __future__ import annotations

import select
from typing import Any, Protocol

from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure

# Without epoll nobody makes one, but the module can be imported.
_IN: int = getattr(select, "EPOLLIN", 0)
# Most bytes that are read at once; as in Twisted.
_READ_SIZE = 65_536


class Reader(Protocol):
    """Who is told what came."""

    def dataReceived(self, data: bytes) -> None:
        """Take what the client sent; it may give the half back."""


class ReadingWatcher(Protocol):
    """What tells a half that there is something to read."""

    def watch(self, descriptor: Reading, before: int, wanted: int) -> None:
        """Tell of other events than before."""

    def forget(self, descriptor: Reading) -> None:
        """Tell of nothing any more."""


class Reading:
    """
    Reads for one transport, which does not read itself.

    Args:
        transport: one of Twisted's, of plain TCP.
        watcher: see `ReadingWatcher`.
        reader: see `Reader`.

    Attributes:
        fd: the number of the socket.
        wanted: the events that are waited for.
    """

    __slots__ = ("_reader", "_transport", "_watcher", "fd")

    wanted = _IN

    def __init__(self, transport: Any, watcher: ReadingWatcher, reader: Reader) -> None:
        self.fd: int = transport.fileno()
        self._transport = transport
        self._watcher: ReadingWatcher | None = watcher
        self._reader = reader
        transport.stopReading()
        watcher.watch(self, 0, _IN)

    def ready(self, events: int) -> None:
        """Read, if that is what can be done; see `select.epoll`."""
        if events & _IN:
            self.read()
        else:
            self.give_back()

    def read(self) -> None:
        """Read what the client sent, and hand it on."""
        try:
            data = self._transport.socket.recv(_READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            # The kernel tells of it once, so it is not left to the transport's next try.
            self.connectionLost(Failure(CONNECTION_LOST))
            return
        if data:
            self._reader.dataReceived(data)
        else:
            self.give_back()

    def give_back(self) -> None:
        """Let the transport read again."""
        if self.stop():
            self._transport.startReading()

    def stop(self) -> bool:
        """Read no more, and say whether it did: the transport is to be closed."""
        watcher, self._watcher = self._watcher, None
        if watcher is None:
            return False
        if self._transport.connected:
            watcher.watch(self, _IN, 0)
        # Else the socket is closed, and the kernel has forgotten it by itself.
        watcher.forget(self)
        return True

    def connectionLost(self, reason: Failure) -> None:
        """End the connection, as the reactor does when reading fails."""
        if self.stop():
            self._transport.stopWriting()
            self._transport.connectionLost(reason)
