"""
WebSocket frames from server to client: never masked, never cut.

An unmasked frame is the same bytes for every client, so a broadcast builds one and
every recipient is written the same object (RFC 6455 section 5.2).  Pure: no I/O.
"""

from __future__ import annotations

from mojo.engineio.packet import Packet, encode_text

_FIN_TEXT = 0x81
_FIN_BINARY = 0x82


def encode_frame(first_byte: int, payload: bytes) -> bytes:
    """
    Build one unmasked frame.

    Args:
        first_byte: FIN, the reserved bits and the opcode.
        payload: up to 2**63 - 1 bytes.
    """
    size = len(payload)
    if size < 126:
        return bytes((first_byte, size)) + payload
    if size < 65536:
        return bytes((first_byte, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first_byte, 127)) + size.to_bytes(8, "big") + payload


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
