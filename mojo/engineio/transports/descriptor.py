"""
A TCP connection of our own: a socket, and what the client has not taken yet.

Twisted's transport for a connection is 1.6 kB of dictionaries and bound methods, and each event of
it passes through a logging context.  This is what is left when only plain TCP has to be
served: the methods have Twisted's names and do what its ``tcp.Server`` does, to the reasons
of an end and to the moment at which it is told.  What must not break: nothing passes what
waits, no more is kept than the caller counts, and nobody hears of the end of a connection in
the middle of a `send`.
"""

from __future__ import annotations

import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from itertools import islice
from typing import Protocol

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from mojo.engineio.transports.outlet import CHUNK
from mojo.engineio.transports.sending import MOST_PIECES, drop_sent

# Without epoll nobody makes a descriptor, but the module can be imported.
_IN: int = getattr(select, "EPOLLIN", 0)
_OUT: int = getattr(select, "EPOLLOUT", 0)
_BROKEN: int = getattr(select, "EPOLLERR", 0) | getattr(select, "EPOLLHUP", 0)
# Most bytes that are read at once; as in Twisted.
_READ_SIZE = 65_536
# And then, if that were not enough: of a long frame.
_LONG_READ = 1_048_576
# More follows at once: the kernel waits for it, and sends both in one packet.
_MORE: int = getattr(socket, "MSG_MORE", 0)
# On, and for no seconds: what `close` sends is a reset.
_RESET = struct.pack("ii", 1, 0)

_LOST = Failure(CONNECTION_LOST)


class Ending(Enum):
    """How far the end of a connection has come."""

    WRITING = "the end of our stream is to follow what waits"
    HALF = "our stream has ended"
    ALL = "it is to be closed when nothing waits"
    BROKEN = "it is broken, or to be broken off"
    GONE = "it is closed"


class User(Protocol):
    """What a connection is for."""

    def dataReceived(self, data: bytes) -> None:
        """Take what the client sent."""

    def taken(self) -> None:
        """The client has taken something of what waited."""

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone."""


class Watcher(Protocol):
    """What tells a connection that something can be done."""

    def watch(self, descriptor: Descriptor, before: int, wanted: int) -> None:
        """Tell of other events than before."""

    def later(self, function: Callable[[Failure], object], reason: Failure) -> None:
        """Call a function when the turn is over."""

    def forget(self, descriptor: Descriptor) -> None:
        """Tell of nothing any more."""


@implementer(IHalfCloseableDescriptor)
class Descriptor:
    """
    One TCP connection.

    Args:
        sock: the socket, which does not block; it is closed here.
        watcher: see `Watcher`.
        user: what is told of what comes.

    Attributes:
        fd: the number of the socket.
        socket: the socket.
        wanted: the events that are waited for.
        full: whether more than `CHUNK` wait, and have not all been taken since.
        unsent: bytes that wait.
    """

    __slots__ = ("_ending", "_user", "_waiting", "_watcher", "fd", "full", "socket", "unsent",
                 "wanted")  # fmt: skip

    def __init__(self, sock: socket.socket, watcher: Watcher, user: User) -> None:
        self.socket = sock
        self.fd = sock.fileno()
        self.wanted = 0
        self.full = False
        self.unsent = 0
        self._watcher = watcher
        self._user: User | None = user
        self._waiting: deque[memoryview] | None = None
        self._ending: Ending | None = None

    # -- writing ------------------------------------------------------------

    def send(self, pieces: Sequence[bytes], size: int) -> None:
        """
        Send some bytes: at once what the kernel takes, the rest when it does.

        After the end, of whichever kind, they are dropped.

        Args:
            pieces: the bytes; each is kept as it is, however many clients it is for.
            size: how many they are.
        """
        sent = 0
        if self._waiting is None and self._ending is None:
            try:
                if size > CHUNK:
                    # Copied by nobody but the kernel.
                    sent = self.socket.sendmsg(pieces[:MOST_PIECES])
                else:
                    if len(pieces) > 1:
                        pieces = (b"".join(pieces),)
                    sent = self.socket.send(pieces[0])
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                # Never told here: whoever sends may be sending this to others too.
                self._break(_LOST)
                return
            if sent == size:
                return
        elif self._ending is not None:
            return
        self._keep(pieces, size, sent)

    def write(self, data: bytes) -> None:
        """Send some bytes."""
        self.send((data,), len(data))

    def send_last(self, data: bytes) -> None:
        """
        Send some short bytes before `loseConnection`.

        They leave in one packet with the end, where the kernel takes them: to make, to send and to
        acknowledge another one was 5 % of what a connection costs from its opening to its end.
        """
        if self._waiting is None and self._ending is None:
            with suppress(OSError):  # which the next try meets, too
                data = data[self.socket.send(data, _MORE) :]
        if data:
            self.write(data)

    def _keep(self, pieces: Sequence[bytes], size: int, sent: int) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.extend(map(memoryview, pieces))
        self.unsent += size
        self._forget(sent)
        self.full = self.full or self.unsent > CHUNK
        self._want(self.wanted | _OUT)

    def _forget(self, size: int) -> None:
        """Take away the first bytes of what waits: they were sent."""
        assert self._waiting is not None
        self.unsent -= size
        drop_sent(self._waiting, size)

    def _write(self) -> None:
        """Send what the kernel takes of what waits."""
        assert self._waiting is not None
        try:
            self._forget(self.socket.sendmsg(list(islice(self._waiting, MOST_PIECES))))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.connectionLost(_LOST)
            return
        if not self.unsent:
            self._waiting = None
            self.full = False
            self._want(self.wanted & ~_OUT)
            if self._ending is Ending.ALL:
                self.connectionLost(connectionDone)
                return
            if self._ending is Ending.WRITING:
                self._end_writing()
        if self._ending is None:
            assert self._user is not None
            self._user.taken()

    # -- reading ------------------------------------------------------------

    def resumeProducing(self) -> None:
        """Read what the client sends."""
        if self._ending in (None, Ending.WRITING, Ending.HALF):
            self._want(self.wanted | _IN)

    def pauseProducing(self) -> None:
        """Leave in the kernel what the client sends."""
        self._want(self.wanted & ~_IN)

    def read(self, size: int = _READ_SIZE) -> None:
        """Read what the client sent, and hand it on; if it is as much as may be, read on, once."""
        try:
            data = self.socket.recv(size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.connectionLost(_LOST)
            return
        if data:
            self._user.dataReceived(data)  # type: ignore[union-attr]
            if len(data) == _READ_SIZE == size and self.wanted & _IN:
                self.read(_LONG_READ)
        else:
            self.connectionLost(connectionDone)

    def ready(self, events: int) -> None:
        """Do what can be done; see `select.epoll`."""
        if events & _IN & self.wanted:
            self.read()
        elif events & _BROKEN and self.wanted:
            # Twisted makes the same difference.
            self.connectionLost(connectionDone if self.wanted & _IN else _LOST)
        if events & _OUT & self.wanted:
            self._write()

    def _want(self, events: int) -> None:
        before, self.wanted = self.wanted, events
        if before != events:
            self._watcher.watch(self, before, events)

    # -- the end --------------------------------------------------------------

    def finish(self, end: Callable[[], object]) -> None:
        """End in some way; each of them sends what waits first, if it sends anything."""
        end()

    def loseConnection(self) -> None:
        """Read no more, send what waits, and close."""
        if self._ending not in (None, Ending.WRITING, Ending.HALF):
            return
        self._ending = Ending.ALL
        self._want(self.wanted & ~_IN)
        if self._waiting is None:
            # Never here: whoever closes is in the middle of something.
            self._watcher.later(self.connectionLost, connectionDone)

    def loseWriteConnection(self) -> None:
        """Send what waits and the end of the stream, and read on."""
        if self._ending is None:
            self._ending = Ending.WRITING
            if self._waiting is None:
                self._end_writing()

    def _end_writing(self) -> None:
        self._ending = Ending.HALF
        with suppress(OSError):  # it is broken, as will be told
            self.socket.shutdown(socket.SHUT_WR)

    def abortConnection(self) -> None:
        """Break it off: what waits is dropped, and the client sees a reset."""
        if self._ending in (Ending.BROKEN, Ending.GONE):
            return
        self._break(Failure(ConnectionAborted()))

    def _break(self, reason: Failure) -> None:
        self._ending = Ending.BROKEN
        self._drop()
        self._watcher.later(self.connectionLost, reason)

    def connectionLost(self, reason: Failure) -> None:
        """Close the socket, and tell of it, once."""
        if self._ending is Ending.GONE:
            return
        self._drop()
        self._watcher.forget(self)
        is_broken, self._ending = self._ending is Ending.BROKEN, Ending.GONE
        try:
            if is_broken:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the client was quicker
        self.socket.close()
        user, self._user = self._user, None
        assert user is not None
        user.connectionLost(reason)

    # What a half of the connection ends with is the end of it all: nobody here is an
    # IHalfCloseableProtocol.
    readConnectionLost = writeConnectionLost = connectionLost

    def _drop(self) -> None:
        self._want(0)
        self._waiting = None
        self.unsent = 0
