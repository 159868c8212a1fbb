"""
Where a worker takes the connections that others hand to it.

A UNIX socket in a folder that only the parent's user may enter, where each connection brings one
parcel (`mojo.workers.parcel`) and one file descriptor.  Whatever is not that, or comes from a
process of another user, or is not complete in time, is closed with all that came.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IFileDescriptorReceiver, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from mojo.engineio.deadlines import Deadlines
from mojo.engineio.neighbours import Caller
from mojo.workers.parcel import unpack

_log = Logger()

#: Seconds for a parcel, which is sent in one piece.
PARCEL_SECONDS = 5.0

_CREDENTIALS = struct.Struct("3i")

#: Takes a connection: the socket, which is the taker's to close, what was read of it, and what it
#: says of itself.
Take = Callable[[socket.socket, bytes, Caller], None]


class Reception(Factory["Arrival"]):
    """
    Takes parcels.

    Args:
        clock: for their time limit.
        take: see `Take`.
    """

    noisy = False

    def __init__(self, clock: IReactorTime, take: Take) -> None:
        self.take = take
        self.waiting: Deadlines[Arrival] = Deadlines(clock, PARCEL_SECONDS, _too_late)

    def buildProtocol(self, addr: object) -> Arrival:
        """Make what hears one connection."""
        return Arrival(self)


@implementer(IFileDescriptorReceiver)
class Arrival(Protocol):
    """
    One connection to a `Reception`.

    Args:
        reception: the reception.
    """

    transport: Any

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._came = b""
        self._descriptors: list[int] = []

    def connectionMade(self) -> None:
        """Look who is there."""
        if is_our_user(self.transport.socket):
            self._reception.waiting.start(self)
        else:
            _log.warn("a process of another user was refused at the workers' socket")
            self.transport.abortConnection()

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """Take the connection, which comes with the first byte of its parcel."""
        self._descriptors.append(descriptor)

    def dataReceived(self, data: bytes) -> None:
        """Take the parcel."""
        if self not in self._reception.waiting:
            return
        self._came += data
        try:
            parcel = unpack(self._came)
        except Exception as exc:
            self._refuse(f"no parcel: {exc}")
            return
        if parcel is None:
            return
        if len(self._descriptors) != 1:
            # None, for example, when we have as many open files as we may.
            self._refuse(f"a parcel with {len(self._descriptors)} connections")
            return
        try:
            connection = socket.socket(fileno=self._descriptors[0])
        except OSError as exc:
            self._refuse(str(exc))
            return
        self._descriptors.clear()
        caller, read = parcel
        self._reception.waiting.stop(self)
        self.transport.loseConnection()
        self._reception.take(connection, read, caller)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Close whatever was not taken."""
        self._reception.waiting.stop(self)
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _refuse(self, problem: str) -> None:
        _log.warn("a worker could not hand a connection over: {problem}", problem=problem)
        self._reception.waiting.stop(self)
        self.transport.abortConnection()

    def expire(self) -> None:
        """End what was not complete in time."""
        self._refuse(f"{len(self._came)} bytes in {PARCEL_SECONDS:g} seconds")


def is_our_user(sock: socket.socket) -> bool:
    """Tell whether a process of our user is at the other end of a UNIX socket."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True  # the folder's mode says so, which is all that other systems have
    sent = sock.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(sent)
    return bool(user == os.geteuid())


def _too_late(arrival: Arrival) -> None:
    arrival.expire()
