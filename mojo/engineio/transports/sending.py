"""
Writing to a socket at once, when nothing waits to be written before it.

Twisted's transports keep what they are given for the reactor's next turn, ask the
kernel to be woken for it, and ask it to be left alone again: 16 µs for each answer, of which
the `send` itself is 5.  What must not break: order (nothing may pass what waits), TLS (which
has to encrypt it first), and the news of a broken connection, which is the reactor's to tell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any

from twisted.internet import tcp

#: Pieces that are handed to the kernel at once; it would take 1,024.
MOST_PIECES = 64


def can_send(transport: Any) -> bool:
    """
    Tell, once for a connection, whether it may be written to at once at all.

    That is a plain TCP connection.  `send` and its like rely on a name of Twisted's that is
    nowhere promised; where it is missing, the transport's own way is taken.
    """
    return type(transport) is tcp.Server and hasattr(transport, "_tempDataBuffer")


def send(transport: Any, data: bytes) -> None:
    """
    Write to a transport, at once if nothing waits in it.

    Args:
        transport: one that passed `can_send`.
        data: what is written; what the kernel does not take is left to the transport.
    """
    if is_clear(transport):
        try:
            sent = transport.socket.send(data)
        except OSError:
            # Also when the connection is broken: the transport's next try finds the same.
            sent = 0
        if sent == len(data):
            return
        if sent:
            data = data[sent:]
    transport.write(data)


def send_some(transport: Any, pieces: Iterable[memoryview]) -> int:
    """
    Hand to the kernel what it takes at once, without joining the pieces.

    Args:
        transport: one that passed `can_send`.
        pieces: what is written; the first 64 of them are looked at.
    Returns:
        How many bytes it took; the rest is the caller's.
    """
    if not is_clear(transport):
        return 0
    try:
        taken: int = transport.socket.sendmsg(list(islice(pieces, MOST_PIECES)))
    except OSError:
        return 0
    return taken


def drop_sent(pieces: deque[memoryview], size: int) -> None:
    """Take away the first bytes of what waits: they were sent."""
    while size:
        piece = pieces.popleft()
        if len(piece) > size:
            pieces.appendleft(piece[size:])
            return
        size -= len(piece)


def is_clear(transport: Any) -> bool:
    """Tell whether nothing waits in a transport that passed `can_send`."""
    # What is still written after `loseConnection` or a half-close Twisted sends or drops; the
    # kernel does the same.
    return not (
        transport.dataBuffer
        or transport._tempDataBuffer
        or transport.TLS
        or not transport.connected
    )
