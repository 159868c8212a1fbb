"""
Socket.IO packets: a type, a namespace, a payload, perhaps an acknowledgement id.

See: Socket.IO protocol v5, "Packet encoding".  The text forms are made and read by
`mojo.socketio.codec`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class PacketType(IntEnum):
    """The packet types of Socket.IO protocol v5; the value is the wire's digit."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


#: Names that mean something to the clients' own event emitters: never an event's.
RESERVED_EVENTS = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)

#: The namespace that needs no name on the wire.
ROOT = "/"


@dataclass(slots=True)
class Packet:
    """
    One packet, as it was read.

    Attributes:
        type: its type; a binary one becomes the plain one when it is complete.
        namespace: the name on the wire, which begins with ``"/"``.
        data: the payload: an object or ``None`` (CONNECT), a list whose first item
            is the event's name (EVENT), a list (ACK), ``None`` (DISCONNECT).
        ack_id: what the acknowledgement must repeat, or repeats.
        attachments: how many binary messages belong to it.
    """

    type: PacketType
    namespace: str = ROOT
    data: Any = None
    ack_id: int | None = None
    attachments: int = 0
