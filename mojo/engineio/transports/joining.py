"""
The frames of several packets, as one piece.

Where many broadcasts are under way, a turn owes each of their recipients the same packets: to join
their frames for each anew was a third of what the broadcasts cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mojo.engineio.packet import Packet
from mojo.engineio.transports.frames import frame_of, long_frame_of
from mojo.engineio.transports.outlet import CHUNK


class Joiner:
    """
    Joins frames of version 4, and keeps what it joined last, which is less than a chunk.

    There is one for all clients of a server.  What must not break: it gives bytes again for the
    very same packets, each of which is its own object, and not for such that are alike.
    """

    __slots__ = ("_frames", "_packets")

    def __init__(self) -> None:
        self._packets: list[Packet] = []
        self._frames = b""

    def join(self, packets: list[Packet]) -> tuple[Sequence[bytes], int, int]:
        """Give what `frames_of` gives, in one piece if it is short."""
        # Packets are equal if they are the same: this looks at nothing but addresses.
        if packets == self._packets:
            return (self._frames,), len(self._frames), len(packets)
        pieces, size, count = frames_of(packets, frame_of)
        if size < CHUNK:
            self._frames = b"".join(pieces)
            self._packets = packets.copy()
            pieces = (self._frames,)
        return pieces, size, count


def frames_of(
    packets: Sequence[Packet], frame: Callable[[Packet], bytes]
) -> tuple[Sequence[bytes], int, int]:
    """
    Give the frames of the first of some packets, until it is a chunk or more.

    Args:
        packets: the packets.
        frame: makes the frame of one.
    Returns:
        Their pieces, how many bytes these are, and how many packets.
    """
    pieces: list[bytes] = []
    size = count = 0
    for packet in packets:
        count += 1
        if packet.size >= CHUNK and frame is frame_of:
            parts = long_frame_of(packet)
            pieces += parts
            size += sum(map(len, parts))
        else:
            pieces.append(frame(packet))
            size += len(pieces[-1])
        if size >= CHUNK:
            break
    return pieces, size, count
