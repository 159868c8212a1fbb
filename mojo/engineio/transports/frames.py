"""
WebSocket frames, never cut: unmasked from server to client, masked the other way.

An unmasked frame is the same bytes for every client, so a broadcast builds one and
every recipient is written the same object (RFC 6455 section 5.2).  Pure: no I/O, and
masks come in as arguments.
"""

from __future__ import annotations

from mojo.engineio.packet import Packet, encode_text

_FIN_TEXT = 0x81
_FIN_BINARY = 0x82
_MASKED = 0x80


def encode_frame(first_byte: int, payload: bytes) -> bytes:
    """
    Build one unmasked frame.

    Args:
        first_byte: FIN, the reserved bits and the opcode.
        payload: up to 2**63 - 1 bytes.
    """
    return _head(first_byte, len(payload), 0) + payload


def _head(first_byte: int, size: int, mask_bit: int) -> bytes:
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
    return _head(first_byte, size, _MASKED) + mask + masked.to_bytes(size, "big")


def frame_of(packet: Packet) -> bytes:
    """Give, and remember on the packet, the frame that carries it."""
    frame = packet.frame_form
    if frame is None:
        if isinstance(packet.data, bytes):
            frame = encode_frame(_FIN_BINARY, packet.data)
        else:
            frame = encode_frame(_FIN_TEXT, encode_text(packet).encode("utf-8"))
        packet.frame_form = frame
    return frame


def masked_frame_of(packet: Packet, mask: bytes) -> bytes:
    """Give the frame that carries a packet from a client, which is the mask's own."""
    if isinstance(packet.data, bytes):
        return mask_frame(_FIN_BINARY, packet.data, mask)
    return mask_frame(_FIN_TEXT, encode_text(packet).encode("utf-8"), mask)
