"""
WebSocket frames, never cut: unmasked from server to client, masked the other way.

An unmasked frame is the same bytes for every client, so a broadcast builds one and
every recipient is written the same object (RFC 6455 section 5.2).  Pure: no I/O, and
masks come in as arguments.
"""

from __future__ import annotations

from collections.abc import Callable

from mojo.engineio.packet import Packet, PacketType
from mojo.engineio.versions import FIN_BINARY, FIN_TEXT, VERSION_4, Version

_MASKED = 0x80
_MESSAGE = PacketType.MESSAGE
# What stands before nearly every payload.
_SHORT_TEXT_HEADS = tuple(bytes((FIN_TEXT, size)) for size in range(126))


def encode_frame(first_byte: int, payload: bytes) -> bytes:
    """
    Build one unmasked frame.

    Args:
        first_byte: FIN, the reserved bits and the opcode.
        payload: up to 2**63 - 1 bytes.
    """
    return encode_head(first_byte, len(payload)) + payload


def encode_head(first_byte: int, size: int, *, is_masked: bool = False) -> bytes:
    """Build what stands before a frame's mask and payload: its first byte and its length."""
    mask_bit = _MASKED if is_masked else 0
    if size < 126:
        return bytes((first_byte, mask_bit | size))
    if size < 65536:
        return bytes((first_byte, mask_bit | 126)) + size.to_bytes(2, "big")
    return bytes((first_byte, mask_bit | 127)) + size.to_bytes(8, "big")


def mask_frame(first_byte: int, payload: bytes, mask: bytes) -> bytes:
    """
    Build one masked frame (RFC 6455 section 5.3).

    Args:
        first_byte: FIN, the reserved bits and the opcode.
        payload: up to 2**63 - 1 bytes.
        mask: four bytes that the sender of the payload cannot foretell.
    """
    size = len(payload)
    # One long XOR: far quicker in Python than a byte at a time.
    repeated = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return encode_head(first_byte, size, is_masked=True) + mask + masked.to_bytes(size, "big")


def frame_of(packet: Packet) -> bytes:
    """Give, and remember on the packet, the frame that carries it in version 4."""
    frame = packet.frame_form
    if frame is None:
        data = packet.data
        if packet.type is _MESSAGE and type(data) is str:
            # What nearly every packet is, with nobody asked what that looks like.
            first, payload = FIN_TEXT, b"4" + data.encode("utf-8")
        else:
            first, payload = VERSION_4.encode_message(packet)
        size = len(payload)
        head = _SHORT_TEXT_HEADS[size] if size < 126 and first == FIN_TEXT else None
        frame = packet.frame_form = (head or encode_head(first, size)) + payload
    return frame


def long_frame_of(packet: Packet) -> tuple[bytes, ...]:
    """
    Give the frame that carries a long packet in version 4, in one or two pieces.

    Bytes, other than text, are the packet's own: a megabyte is not copied to stand behind ten
    bytes, and the copy not kept on the packet.
    """
    data = packet.data
    if isinstance(data, bytes):
        return encode_head(FIN_BINARY, len(data)), data
    return (frame_of(packet),)


def masked_frame_of(packet: Packet, mask: bytes) -> bytes:
    """Give the frame that carries a packet from a client, which is the mask's own."""
    return mask_frame(*VERSION_4.encode_message(packet), mask)


def framer_of(version: Version) -> Callable[[Packet], bytes]:
    """Give the function that makes a session's frames."""
    if version is VERSION_4:
        return frame_of
    return lambda packet: encode_frame(*version.encode_message(packet))
