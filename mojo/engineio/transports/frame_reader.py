"""
Reading the frames of one WebSocket: the common ones here, all others by Autobahn.

A common frame is what nearly every frame of a client is: final, unfragmented, masked, text or
binary, not compressed, with the shortest form of its length, within ``max_payload``.  While no
other frame came there is no Autobahn object at all; when one comes, Autobahn's state machine is
made and reads on from the beginning of that frame, and it goes when it is between two frames
again, with no message under way.  So each check of RFC 6455 is either one of those that make a
frame a common one, or Autobahn's.  The usual Close frame is read here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mojo.engineio.stats import EngineStats
from mojo.engineio.transports.closed import ANSWER, Closed, read_close
from mojo.engineio.transports.gathering import Gathering, gather
from mojo.engineio.transports.masking import unmask
from mojo.engineio.versions import FIN_BINARY, FIN_TEXT

if TYPE_CHECKING:
    from mojo.engineio.transports.autobahn_protocol import AutobahnFactory, AutobahnProtocol


class ReaderHost(Protocol):
    """
    What a reader needs of its server.

    Attributes:
        max_payload: most bytes of a message.
        stats: counts what comes.
    """

    max_payload: int
    stats: EngineStats

    @property
    def autobahn(self) -> AutobahnFactory:
        """What makes Autobahn's state machines."""


class FrameReader:
    """
    The receiving half of a WebSocket transport, which is made from it.

    It is no object of its own because there is one for each connection.

    Args:
        host: see `ReaderHost`.
    """

    __slots__ = ("_autobahn", "_discarding", "_gathering", "_head", "_host")

    def __init__(self, host: ReaderHost) -> None:
        self._host = host
        self._autobahn: AutobahnProtocol | Closed | None = None
        self._head = b""  # the beginning of a frame whose head is not complete
        self._gathering: Gathering | None = None  # or one whose payload is not
        self._discarding = False

    def message_received(self, data: str | bytes) -> None:
        """Take a message, of a common frame or from Autobahn."""
        raise NotImplementedError

    def answer(self, data: bytes) -> None:
        """Write a control frame, in its turn."""
        raise NotImplementedError

    def say_goodbye(self, answer: bytes) -> None:
        """Answer the client's Close frame, and close the socket."""
        raise NotImplementedError

    def drop(self, *, abort: bool) -> None:
        """Close the socket: the closing handshake is over."""
        raise NotImplementedError

    def broken(self, detail: str) -> None:
        """End with a client that broke the protocol, and was told so in a Close frame."""
        raise NotImplementedError

    def dataReceived(self, data: bytes) -> None:
        """Read frames, until one of them breaks the protocol."""
        if self._discarding:
            return
        self._host.stats.bytes_recv += len(data)
        if self._autobahn is not None:
            self._read_with(self._autobahn, data)
        elif self._gathering is not None:
            self._gather(self._gathering, data)
        else:
            if self._head:
                data, self._head = self._head + data, b""
            self._read(data, 0)

    def _read(self, data: bytes, start: int) -> None:
        """
        Read common frames (RFC 6455 section 5.2), and leave the first other one to Autobahn.

        For a short text this takes 3 µs, where Autobahn takes 40: it makes some twenty calls
        for a frame, most of them for hooks that do nothing here.
        """
        limit = self._host.max_payload
        end = len(data)
        while (left := end - start) >= 2:
            first = data[start]
            size = data[start + 1] - 0x80  # the bit says that it is masked
            if (first != FIN_TEXT and first != FIN_BINARY) or size < 0:
                break
            payload_start = start + (6 if size < 126 else 8 if size == 126 else 14)
            if payload_start > end:
                self._head = data[start:]
                return
            mask_start = payload_start - 4
            if size >= 126:
                size = int.from_bytes(data[start + 2 : mask_start], "big")
                if size < (126 if mask_start == start + 4 else 65_536):
                    break  # it has a shorter form
            if size > limit:
                break
            payload_end = payload_start + size
            mask = data[mask_start:payload_start]
            if payload_end > end:
                self._gathering = gather(first, size, mask)
                if payload_start < end:
                    self._gather(self._gathering, data[payload_start:])
                return
            message: str | bytes = unmask(data[payload_start:payload_end], mask)
            if first == FIN_TEXT:
                try:
                    message = message.decode()  # type: ignore[union-attr]
                except UnicodeDecodeError:
                    break
            start = payload_end
            self.message_received(message)
            if self._autobahn is not None:
                # The owner has closed the WebSocket meanwhile.
                break
        else:
            if left:
                self._head = data[start:]
            return
        if self._autobahn is None:
            closed = read_close(data, start)
            if closed is not None:
                self._autobahn = closed
                self.say_goodbye(ANSWER)
                return
        self._read_with(self._call_autobahn(), data[start:])

    def _gather(self, gathering: Gathering, data: bytes) -> None:
        """Take what comes of a common frame that came in part."""
        missing = gathering.missing
        rest = b""
        if len(data) > missing:
            data, rest = data[:missing], data[missing:]
        try:
            gathering.add(data)
        except UnicodeDecodeError:
            self._read_with(self._call_autobahn(), data + rest)
            return
        if gathering.missing:
            return
        self._gathering = None
        self.message_received(gathering.message())
        if self._autobahn is not None:
            self._read_with(self._autobahn, rest)
        else:
            self._read(rest, 0)

    def _call_autobahn(self) -> AutobahnProtocol | Closed:
        """Let Autobahn read on from what is the beginning of a frame, or in the middle of one."""
        if self._autobahn is None:
            autobahn = self._autobahn = self._host.autobahn.begin(self)
            begun, self._head = self._head, b""
            if self._gathering is not None:
                begun = self._gathering.as_sent()
                self._gathering = None
            autobahn.read(begun)
        return self._autobahn

    def _read_with(self, autobahn: AutobahnProtocol | Closed, data: bytes) -> None:
        autobahn.read(data)
        if autobahn.failed:
            # RFC 6455 section 7.1.7: no more processing.
            self._discarding = True
            self.broken(autobahn.describe_failure())
        elif autobahn.idle:
            autobahn.let_go()
            self._autobahn = None
