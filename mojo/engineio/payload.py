"""
Engine.IO polling payloads: several packets in one HTTP body.

A payload is packets' text forms joined by U+001E (Engine.IO protocol v4,
"HTTP long-polling").  Nothing here performs I/O, reads a clock or logs: bytes
and limits come in, packets go out, and every refusal is a `RemoteError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mojo.engineio.packet import SEPARATOR, Packet, decode_from_payload, encode_for_payload
from mojo.errors import PacketError

_SEPARATOR = SEPARATOR.encode("ascii")


def decode_payload(body: bytes) -> Iterator[Packet]:
    """
    Read the packets of one POST body, in order, one at a time.

    It is lazy on purpose: the packets before a broken one were accepted and are
    delivered, and only then does the broken one end the session.

    Args:
        body: the whole request body, UTF-8; its size was checked by the caller.
    Raises:
        PacketError: the body is not UTF-8, or a packet cannot be read.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise PacketError(f"payload is not UTF-8 at byte {exc.start}") from exc
    for piece in text.split(SEPARATOR):
        yield decode_from_payload(piece)


def encode_payload(packets: Sequence[Packet], max_payload: int) -> tuple[bytes, int]:
    """
    Join as many packets as one response body may hold, in order.

    Args:
        packets: what waits to be sent; at least one.
        max_payload: most bytes of a body.  A single packet longer than that goes
            alone, since it cannot be cut.
    Returns:
        The body, and how many of the packets are in it (at least 1).
    """
    pieces = [encode_for_payload(packets[0])]
    size = len(pieces[0])
    for packet in packets[1:]:
        piece = encode_for_payload(packet)
        size += 1 + len(piece)
        if size > max_payload:
            break
        pieces.append(piece)
    return _SEPARATOR.join(pieces), len(pieces)
