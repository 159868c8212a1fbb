"""
Engine.IO packets: a type and, for most types, some data.

A packet travels as text (its type digit, then the data), or, for a binary
message, as bytes: raw in a WebSocket frame, and as ``b`` plus base64 in a
long-polling payload (Engine.IO protocol v4, "Packet encoding").  Nothing here
performs I/O.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from enum import IntEnum

from mojo.errors import PacketError


class PacketType(IntEnum):
    """The packet types of Engine.IO protocol v4; the value is the wire's digit."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6


#: What stands between the packets of a long-polling payload.
SEPARATOR = "\x1e"
#: Bytes that a packet counts for beside its data: about what its objects cost, so that
#: a million empty messages are not free.
PACKET_COST = 128

_TYPES = {str(packet_type.value): packet_type for packet_type in PacketType}
_DIGITS = tuple(_TYPES)
# Looking an enum's member up takes half as long as making a packet.
_MESSAGE = PacketType.MESSAGE


class Packet:
    """
    One Engine.IO packet.

    A packet may be on its way to many sessions at once, so it is never changed
    after it was made, except that each transport keeps its own wire form here
    the first time it computes it.  One slot per form: a text made for a
    long-polling client must never reach a WebSocket.

    Attributes:
        type: what the packet is for.
        data: text, bytes (only in a message), or ``""``.
        payload_form: the bytes that stand for it in a long-polling payload.
        frame_form: the complete server-to-client WebSocket frame.
        deflated_form: the same, compressed on its own, after the number of bits that
            its reader's dictionary must have.
        compress: whether a transport may compress it.
        volatile: whether a session that cannot take it at once drops it.
        followers: how many of the packets after it belong to the same message.
        droppable: whether its message may be dropped to make room for newer ones.
        size: see `size_of`; 0 until somebody asked.
    """

    __slots__ = (
        "compress",
        "data",
        "deflated_form",
        "droppable",
        "followers",
        "frame_form",
        "payload_form",
        "size",
        "type",
        "volatile",
    )

    def __init__(self, type: PacketType, data: str | bytes = "") -> None:
        self.type = type
        self.data = data
        self.payload_form: bytes | None = None
        self.frame_form: bytes | None = None
        self.deflated_form: tuple[int, bytes] | None = None
        self.compress = True
        self.volatile = False
        self.followers = 0
        self.droppable = False
        self.size = 0

    def __repr__(self) -> str:
        # The data may be anybody's message or a password: show its size only.
        return f"<Packet {self.type.name} of {len(self.data)}>"


def message(data: str | bytes) -> Packet:
    """Make the packet that carries one message."""
    return Packet(_MESSAGE, data)


def checked_message(data: str | bytes, *, volatile: bool = False) -> Packet:
    """
    Make the packet of a message that somebody wants to send as it is.

    Args:
        data: the message.
        volatile: whether it may be dropped if the client cannot take it now.
    Raises:
        ValueError: the text is not Unicode (a lone surrogate), or holds U+001E, which
            separates the packets of a long-polling payload: what follows it would be read
            as a packet.
    """
    if isinstance(data, str):
        data.encode("utf-8")
        if SEPARATOR in data:
            raise ValueError("a text message cannot hold U+001E, the packet separator")
    packet = message(data)
    packet.volatile = volatile
    packet.droppable = True
    return packet


def size_of(packet: Packet) -> int:
    """Give, and remember on the packet, the bytes that it counts for while it waits."""
    size = packet.size
    if not size:
        data = packet.data
        if type(data) is str and not data.isascii():
            data = data.encode("utf-8")
        size = packet.size = len(data) + PACKET_COST
    return size


def encode_text(packet: Packet) -> str:
    """
    Give the text of a packet whose data is text: ``"4hi"``.

    Calling it for binary data would be a bug; bytes have no text form on a
    WebSocket.
    """
    assert isinstance(packet.data, str)
    return f"{_DIGITS[packet.type]}{packet.data}"


def encode_for_payload(packet: Packet) -> bytes:
    """Give, and remember on the packet, its bytes in a long-polling payload."""
    form = packet.payload_form
    if form is None:
        if isinstance(packet.data, bytes):
            form = b"b" + b64encode(packet.data)
        else:
            form = encode_text(packet).encode("utf-8")
        packet.payload_form = form
    return form


def decode_text(text: str) -> Packet:
    """
    Read one text packet, as a WebSocket text frame carries it.

    Raises:
        PacketError: the text is empty or does not begin with a known type.
    """
    packet_type = _TYPES.get(text[:1])
    if packet_type is None:
        raise PacketError("empty packet" if not text else "unknown packet type")
    return Packet(packet_type, text[1:])


def decode_from_payload(text: str) -> Packet:
    """
    Read one packet of a long-polling payload; ``b`` begins a binary message.

    Raises:
        PacketError: as `decode_text`, or the base64 is not strict base64.
    """
    if text[:1] != "b":
        return decode_text(text)
    try:
        return message(b64decode(text[1:], validate=True))
    except (binascii.Error, ValueError) as exc:
        raise PacketError("binary packet is not base64") from exc
