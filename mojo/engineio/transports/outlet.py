"""
The bytes on their way into one Twisted transport: no more than it takes.

Twisted's transports take whatever they are given and keep it in memory, copied, for each
client; they only say, to a producer, that this is enough.  So a frame that is longer than
they should hold stays here, where it is the same object for every client that it is for,
and goes piece by piece as the client reads.

What a plain TCP connection can be sent at once, the kernel is given before Twisted is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from mojo.engineio.transports.sending import can_send, drop_sent, send, send_some

#: Bytes that are handed over at once: as many as Twisted's transports hold before they say
#: that it is enough.
CHUNK = 65_536


class Outlet:
    """
    Writes to a transport, in order, while it has room.

    The transport's producer sets ``full`` in its ``pauseProducing``, and calls `resume` in
    ``resumeProducing``.

    Attributes:
        full: whether the transport said that it has enough.  While it is not, nothing
            waits here.
        unsent: bytes that wait here.
    """

    __slots__ = ("_can_send", "_end", "_pieces", "_transport", "full", "unsent")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._can_send = can_send(transport)
        self._pieces: deque[memoryview] = deque()
        self._end: Callable[[], object] | None = None
        self.full = False
        self.unsent = 0

    def send(self, pieces: Sequence[bytes], size: int) -> None:
        """
        Write some bytes.

        Args:
            pieces: the bytes.
            size: how many they are.
        """
        if size <= CHUNK and not self.full:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if self._can_send:
                send(self._transport, data)
            else:
                self._transport.write(data)
        else:
            self._pieces.extend(map(memoryview, pieces))
            self.unsent += size
            self._push()

    def send_last(self, data: bytes) -> None:
        """Write some short bytes before the end."""
        self.send((data,), len(data))

    def resume(self) -> None:
        """Go on: the transport has room again."""
        self.full = False
        self._push()

    def finish(self, end: Callable[[], object]) -> None:
        """
        Call what ends the connection when all that waits has been written.

        A transport does not close while it has a producer that it told to wait.
        """
        self._end = end
        self._push()

    def _push(self) -> None:
        if self._can_send and self._pieces and not self.full:
            # A megabyte may go in one call, and is copied by nobody but the kernel.
            sent = send_some(self._transport, self._pieces)
            self.unsent -= sent
            drop_sent(self._pieces, sent)
        while self._pieces and not self.full:
            chunk = self._next_chunk()
            self.unsent -= len(chunk)
            self._transport.write(chunk)
        end = self._end
        if end is not None and not self._pieces:
            self._end = None
            self._transport.unregisterProducer()
            end()

    def _next_chunk(self) -> bytes:
        pieces: list[memoryview] = []
        room = CHUNK
        while self._pieces and room:
            piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            room -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)


class Greeting:
    """
    What stands before a connection's first bytes, and leaves with them: one `send` for both.

    That saves 10 µs for each new WebSocket, of some 350.

    Args:
        response: it.
        outlet: where it goes.
        greeted: takes the outlet, whose place this has until then.
    """

    __slots__ = ("_greeted", "_outlet", "_response")

    full = False
    unsent = 0

    def __init__(self, response: bytes, outlet: Any, greeted: Callable[[Any], object]) -> None:
        self._response = response
        self._outlet = outlet
        self._greeted = greeted

    def send(self, pieces: Sequence[bytes], size: int) -> None:
        """Write the response and some bytes."""
        self._greeted(self._outlet)
        self._outlet.send((self._response, *pieces), len(self._response) + size)

    def send_last(self, data: bytes) -> None:
        """Write the response and some short bytes before the end."""
        self.send((data,), len(data))

    def finish(self, end: Callable[[], object]) -> None:
        """Write the response, and end."""
        self.send((), 0)
        self._outlet.finish(end)
