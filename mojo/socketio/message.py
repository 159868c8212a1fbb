"""
What the server sends: encoded once, however many receive it.

A message is made by a `Parser`, in whose format it is: there whoever sends something
that cannot be sent learns of it.  The Engine.IO packets around it differ only by
the namespace's name on the wire (an app is ``/ChatSocket`` on the shared path and ``/``
on its own) and are kept per name; each packet in turn keeps its form per transport.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from mojo.engineio.packet import Packet as EnginePacket
from mojo.engineio.packet import message as engine_message


class Message(ABC):
    """
    One outgoing packet, ready for any number of recipients.

    Args:
        event: the event's name and arguments, if it is an event.
        volatile: whether a client that cannot take it at once does without it.
        compress: whether a transport may compress it.
    """

    __slots__ = ("_wire_forms", "compress", "event", "volatile")

    def __init__(
        self,
        event: tuple[str, tuple[Any, ...]] | None = None,
        *,
        volatile: bool = False,
        compress: bool = True,
    ) -> None:
        self.event = event
        self.volatile = volatile
        self.compress = compress
        self._wire_forms: dict[str, tuple[EnginePacket, ...]] = {}

    @property
    @abstractmethod
    def size(self) -> int:
        """Roughly how many bytes it is."""

    @abstractmethod
    def pieces(self, namespace: str) -> Sequence[str | bytes]:
        """
        Give what the Engine.IO messages carry, in order; one at least.

        Args:
            namespace: its name on the wire.
        """

    @abstractmethod
    def stamped(self, offset: str) -> Message:
        """
        Give the same event with one more argument at the end.

        The other arguments are not encoded again: every event of a namespace whose clients
        may recover is stamped.
        """

    def packets(self, namespace: str) -> tuple[EnginePacket, ...]:
        """Give the Engine.IO packets under a namespace's name on the wire."""
        packets = self._wire_forms.get(namespace)
        if packets is None:
            packets = tuple(map(engine_message, self.pieces(namespace)))
            droppable = self.event is not None
            followers = len(packets)
            for packet in packets:
                followers -= 1
                packet.compress = self.compress
                packet.volatile = self.volatile
                packet.droppable = droppable
                packet.followers = followers
            self._wire_forms[namespace] = packets
        return packets
