"""
Socket.IO packets: a type, a namespace, a payload, perhaps an acknowledgement id.

See: Socket.IO protocol v5, "Packet encoding".  What they are on the wire is a parser's
affair, see `mojo.socketio.parser`; what they may be is the same for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import isfinite
from typing import Any

from mojo.errors import PacketError


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


class Absent:
    """The payload of a packet that has none, which is not the payload ``null``."""


def check(packet_type: PacketType, data: Any, ack_id: int | None) -> None:
    """
    Hold a payload that was read against the protocol's table of types.

    Args:
        packet_type: the packet's type, the plain one of a binary packet.
        data: the payload, or `Absent`.
        ack_id: what the acknowledgement must repeat, or repeats.
    Raises:
        PacketError: a packet of that type has no such payload.
    """
    # The commonest first: a chain of comparisons is what each packet pays for.
    if packet_type is PacketType.EVENT:
        valid = isinstance(data, list) and bool(data) and _is_event_name(data[0])
    elif packet_type is PacketType.ACK:
        valid = isinstance(data, list) and ack_id is not None
    elif packet_type is PacketType.CONNECT:
        valid = data is Absent or isinstance(data, dict)
    elif packet_type is PacketType.DISCONNECT:
        valid = data is Absent
    else:
        valid = isinstance(data, dict | str)
    if not valid:
        raise PacketError(f"invalid payload of a {packet_type.name} packet")


def _is_event_name(name: Any) -> bool:
    """Tell what may name an event: text that is not reserved, or a number."""
    if isinstance(name, str):
        return name not in RESERVED_EVENTS
    if isinstance(name, float):
        return isfinite(name)  # JSON has no others, but formats of a project's own may
    return type(name) is int
