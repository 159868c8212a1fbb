"""
Giving a connection to another worker.

A connection of plain TCP, or of a UNIX socket, goes itself: the kernel gives the other process a
file descriptor of it (``SCM_RIGHTS``), and ours is closed, of which the client sees nothing.  Any
other stays, since what it needs is in this process: of TLS the keys, of a client that has not taken
the answers before what is left of them.  Then the other worker is given one end of a pair of
sockets in its place, and a `Relay` carries bytes to and from it.

Until the other worker's kernel buffer has all of it, the connection is ours; a parcel
that is not complete is thrown away there.
"""

from __future__ import annotations

import socket
from array import array
from collections.abc import Callable
from contextlib import closing
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.protocol import Protocol

from mojo.engineio.neighbours import Caller
from mojo.engineio.transports.letting_go import let_go
from mojo.workers.parcel import pack
from mojo.workers.stats import HandoverStats

#: Bytes that are asked of the kernel for a parcel, so that it goes in one piece.
_ROOM = 400_000


def connect(path: str) -> socket.socket | None:
    """
    Connect to a worker's UNIX socket, without waiting.

    Returns:
        The connection; ``None`` if nobody listens there, or too many wait already.
    """
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError:
        return None  # we have as many open files as we may
    sock.setblocking(False)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        return None
    return sock


class WorkerDoor:
    """
    The way to another worker; see `Door`.

    Args:
        sock: see `connect`.
        relay: called with a transport and one end of a pair of sockets, to carry bytes from one
            to the other.
        stats: counts what goes.
    """

    def __init__(
        self,
        sock: socket.socket,
        relay: Callable[[Any, socket.socket], None],
        stats: HandoverStats,
    ) -> None:
        self._sock = sock
        self._relay = relay
        self._stats = stats

    def pass_on(self, transport: Any, data: bytes, caller: Caller) -> bool:
        """Give a connection away; see `Door`."""
        with closing(self._sock):
            parcel = pack(caller, data)
            if _goes_itself(transport):
                if not self._send(parcel, transport.fileno()):
                    return False
                # In case that what brought us here raises: the reactor would tell it of that.
                transport.protocol = Protocol()
                let_go(transport).close()
                self._stats.handed_over += 1
                return True
            try:
                ours, theirs = socket.socketpair()
            except OSError:
                return False
            with closing(theirs):
                if not self._send(parcel, theirs.fileno()):
                    ours.close()
                    return False
            self._stats.relayed += 1
            self._relay(transport, ours)
            return True

    def _send(self, parcel: bytes, descriptor: int) -> bool:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))]
        try:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
            return self._sock.sendmsg([parcel], rights) == len(parcel)
        except OSError:
            return False


def _goes_itself(transport: Any) -> bool:
    # Private names of Twisted's; without them the connection is relayed.
    return (
        type(transport) in (tcp.Server, unix.Server)
        and not getattr(transport, "TLS", True)
        and not transport.dataBuffer
        and not getattr(transport, "_tempDataBuffer", True)
        and not transport.disconnecting
    )
