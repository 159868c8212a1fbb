"""
What is sent to a connection before its client was told that it is connected.

It waits for the client as much as what the session has to send.  So it is held to the same
limit, together with that, and what may be dropped is dropped by the same policy.
"""

from __future__ import annotations

from collections.abc import Sequence

from mojo.engineio.packet import Packet, PacketType, size_of
from mojo.engineio.session import EngineSession
from mojo.socketio.message import Message


class _Whole(Packet):
    """A message, which waits in one piece."""

    __slots__ = ("message",)

    def __init__(self, message: Message, packets: Sequence[Packet]) -> None:
        super().__init__(PacketType.MESSAGE)
        self.message = message
        self.size = sum(map(size_of, packets))
        self.volatile = packets[0].volatile
        self.droppable = packets[0].droppable


class Held:
    """
    The messages that a connection holds back.

    Args:
        session: what will carry them.
    """

    __slots__ = ("_outbox", "_session")

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self._outbox = session.new_outbox()

    def put(self, message: Message, packets: Sequence[Packet]) -> None:
        """Hold back a message, of which these are the packets; volatile ones do not wait."""
        outbox, whole = self._outbox, _Whole(message, packets)
        if outbox.refuses(whole):
            outbox.count_dropped()
        elif outbox.put((whole,)):
            self._session.fit(outbox, 1, self._session.buffered)

    def take(self) -> list[Message]:
        """Give what is held back, in order, and hold it no longer."""
        wholes = list(self._outbox.packets)
        self._outbox.clear()
        return [whole.message for whole in wholes if isinstance(whole, _Whole)]
